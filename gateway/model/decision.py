"""What can be decided about a study, and by what rules of the centre."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from gateway.model.agreement import DisagreementCode
from gateway.model.pointer import PointerContent
from indexer.contract.document import Code, Organisation, Person


class PublishOn(StrEnum):
    """What lets a pointer go."""

    REPORT = "report"
    """A validated report on the study: the French rule."""
    IMAGES = "images"
    """The images, once order or master patient index name a qualified INS; a report as well."""


class WaitFor(StrEnum):
    """What a study that cannot go yet waits for."""

    REPORT = "report"
    IDENTITY = "identity"
    VALIDATION = "report_validation"
    SETTLING = "settling"
    IMAGES = "images"
    IMAGES_NOT_FOUND = "images_not_found"
    """Of a pointer that was taken over; it stays out."""
    PACS = "pacs"


class SetAsideCode(StrEnum):
    """Why a person must look; `DisagreementCode` has the rest."""

    IDENTITY_NOT_VALIDATED = "identity_not_validated"
    INS_MISSING = "ins_missing"
    INS_NOT_ACCEPTED = "ins_not_accepted"
    FLAG_UNKNOWN = "flag_unknown"
    REPORTS_DIFFER = "reports_differ"
    REPORTS_CIRCULAR = "reports_circular"
    WITHDRAWAL_UNCLEAR = "withdrawal_unclear"
    IMAGES_MISSING = "images_missing"
    PATIENT_CHANGED = "patient_changed"
    PACS_ANSWER_UNREADABLE = "pacs_answer_unreadable"
    CANNOT_BE_DESCRIBED = "cannot_be_described"
    SUBMISSION_REJECTED = "submission_rejected"
    WITHDRAWAL_REJECTED = "withdrawal_rejected"


class WithheldCode(StrEnum):
    """Why nothing is published although nothing is wrong."""

    NOT_FOR_DMP = "not_for_dmp"
    NOTHING_ADMISSIBLE = "nothing_admissible"
    REPORT_WITHDRAWN = "report_withdrawn"
    REPORT_GONE = "report_gone"
    ORDER_CANCELLED = "order_cancelled"
    IMAGES_GONE = "images_gone"
    EXAM_DELETED = "exam_deleted"
    IMAGES_REJECTED = "images_rejected"
    DROPPED = "dropped"
    MATCHED = "matched"
    WITHDRAWN_BY_PERSON = "withdrawn_by_person"


class NoRecordCode(StrEnum):
    """Why there is no record that takes a pointer; nothing is wrong with it."""

    ABSENT = "record_absent"
    CLOSED = "record_closed"
    REFUSED = "record_refused"


LEAVES_POINTER: Final = frozenset(
    {
        SetAsideCode.REPORTS_CIRCULAR,
        SetAsideCode.WITHDRAWAL_UNCLEAR,
        SetAsideCode.IMAGES_MISSING,
        SetAsideCode.PACS_ANSWER_UNREADABLE,
        SetAsideCode.CANNOT_BE_DESCRIBED,
        SetAsideCode.SUBMISSION_REJECTED,
        SetAsideCode.WITHDRAWAL_REJECTED,
    }
)
"""Codes that say nothing against what is out already: it stays until a person has looked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CentreDefaults:
    """What the index is told of an exam where no report and no order tells it."""

    author: Person
    organisation: Organisation
    facility: Code
    practice_setting: Code
    regions: tuple[Code, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicationPolicy:
    """What a centre has settled. Times are in milliseconds."""

    ins_oids: frozenset[str]
    has_pacs: bool
    settle_ms: int
    images_wait_ms: int
    honour_destdmp: bool = True
    publish_on: PublishOn = PublishOn.REPORT
    defaults: CentreDefaults | None = None
    """Needed for `PublishOn.IMAGES`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Publish:
    """The pointer may go."""

    content: PointerContent
    left_out: int
    """Instances of the study that a manifest must not list."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """Not yet. `until_ms` is when to look again without news; None: only news can help.

    What is out already stays out.
    """

    code: WaitFor
    until_ms: int | None = None
    reason: str = ""
    """For operators, where the code does not tell all."""
    asked_s: float | None = None
    """How long whoever is waited for asks to be left alone, in seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AskPacs:
    """The PACS has to say what it holds before anything can be decided."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SetAside:
    """Never published as it is, never dropped: a person, or a later message, resolves it."""

    code: SetAsideCode | DisagreementCode
    reason: str

    @property
    def withdraws(self) -> bool:
        """Whether what is out already must not stay out."""
        return self.code not in LEAVES_POINTER


@dataclass(frozen=True, slots=True, kw_only=True)
class Withhold:
    """Nothing is to be published, what is out is withdrawn, and nobody needs to look."""

    code: WithheldCode
    reason: str


Decision = Publish | Wait | AskPacs | SetAside | Withhold
