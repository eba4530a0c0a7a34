"""Decides who may do what on a record: a plain function of what is known, without a clock.

The rules are those of the DMP: which way of authentication goes how far in which mode of access
(GIE SESAM-Vitale, PDT-INF-526 v1.8 and PDT-INF-606 v1.3), care team, consent and opposition (arrêté
of 26 October 2023; CSP L.1111-15, L.1111-17), the habilitation matrix, and what confidentiality
codes hide. A decision record says what was chosen where these are silent.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import Final

from indexer.contract.access import Authentication, Caller, CallerKind, Purpose
from indexer.contract.document import DocumentEntry, Organisation
from indexer.contract.record import RecordState
from indexer.server.acts import Act
from indexer.server.rights.habilitations import Matrix
from indexer.server.rights.reasons import Decision, Reason
from indexer.server.rights.record import Mask, Record

FINESS_LENGTH: Final = 9
_FINESS: Final = "1"  # first digit of a structure's number that is a FINESS (TRE_G07)


class _Way(Enum):
    """How far somebody comes by what they showed."""

    PERSON = auto()
    PERSON_BY_STRUCTURE = auto()
    STRUCTURE = auto()


_ANY: Final = frozenset(Purpose)
_NORMAL: Final = frozenset({Purpose.NORMAL})
_NEVER: Final[frozenset[Purpose]] = frozenset()
_OF_STRUCTURES: Final = frozenset({Purpose.NORMAL, Purpose.CENTRE_15})

_PURPOSES: Final[Mapping[Act, Mapping[_Way, frozenset[Purpose]]]] = {
    act: dict(zip(_Way, purposes, strict=True))
    for act, purposes in {
        Act.FIND: (_ANY, _ANY, _OF_STRUCTURES),
        Act.READ: (_ANY, _ANY, _NEVER),
        Act.PUBLISH: (_ANY, _NEVER, _OF_STRUCTURES),
        Act.REPLACE: (_ANY, _NEVER, _OF_STRUCTURES),
        Act.CHANGE: (_NORMAL, _NORMAL, _NEVER),
        Act.WITHDRAW: (_ANY, _ANY, _OF_STRUCTURES),
        Act.AUTHORISE: (_NORMAL, _NORMAL, _NEVER),
        Act.READ_JOURNAL: (_NORMAL, _NORMAL, _NEVER),
    }.items()
}
"""In which modes of access a professional may do what. What is not listed is the holder's alone."""

OF_HELD: Final = frozenset({Act.FIND, Act.READ, Act.REPLACE, Act.CHANGE, Act.WITHDRAW})
"""What is done to documents that are held: where it cannot be, they look as if they were not."""


_Change = tuple[str, bool]
"""A code that hides a document, or the status, and whether it is added or taken away."""
_MASKED: Final[_Change] = (Mask.FROM_PROFESSIONALS, True)
_UNMASKED: Final[_Change] = (Mask.FROM_PROFESSIONALS, False)
_SECRET: Final = frozenset({(str(Mask.FROM_REPRESENTATIVES), added) for added in (True, False)})
_FREE: Final[Mapping[CallerKind, frozenset[_Change]]] = {
    CallerKind.PROFESSIONAL: frozenset({_MASKED, (Mask.FROM_PATIENT, False)}),
    CallerKind.SYSTEM: frozenset(),
    CallerKind.PATIENT: frozenset({_MASKED, _UNMASKED}) | _SECRET,
    CallerKind.REPRESENTATIVE: frozenset({_MASKED, _UNMASKED}),
}
"""What each may change of a document of others."""


def decide(
    caller: Caller,
    act: Act,
    record: Record,
    document: DocumentEntry | None = None,
    *,
    becomes: DocumentEntry | None = None,
    submitter: str = "",
    matrix: Matrix,
    now_ms: int,
) -> Decision:
    """Whether an act is permitted.

    Args:
        document: what it is done to, or what would be published; None asks about the record alone,
            before any document is looked at.
        becomes: what a change would make of it; None asks whether it may be looked at to change.
        submitter: the structure that submitted the document; empty where nobody proved it.
    """
    question = _Question(
        caller=caller,
        act=act,
        record=record,
        becomes=becomes,
        submitter=submitter,
        matrix=matrix,
        now_ms=now_ms,
    )
    return question.answer(document)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Question:
    caller: Caller
    act: Act
    record: Record
    becomes: DocumentEntry | None
    submitter: str
    matrix: Matrix
    now_ms: int

    def answer(self, document: DocumentEntry | None) -> Decision:
        of_held = self.act in OF_HELD
        if self.caller.patient != self.record.patient:
            return Decision(Reason.OTHER_PATIENT, hidden=of_held)
        holder = self.caller.kind in (CallerKind.PATIENT, CallerKind.REPRESENTATIVE)
        state = self.record.state
        if state is RecordState.ABSENT:
            return Decision(Reason.ABSENT, hidden=of_held)
        # A pointer of the wrong patient must come out, also of a record that may open again.
        if state is RecordState.CLOSED and (holder or self.act is not Act.WITHDRAW):
            return Decision(Reason.CLOSED, hidden=of_held)
        if self.record.refuses_documents and self.act in (Act.PUBLISH, Act.REPLACE):
            return Decision(Reason.HOLDER_REFUSES)
        return self._of_holder(document) if holder else self._of_professional(document)

    def _of_holder(self, document: DocumentEntry | None) -> Decision:
        patient = self.caller.kind is CallerKind.PATIENT
        permitted = Decision(Reason.HOLDER if patient else Reason.REPRESENTATIVE)
        if self.act is Act.AUTHORISE:
            return Decision(Reason.NOT_HABILITATED)
        if document is None:
            return permitted
        if self.act is not Act.PUBLISH:
            masks = masks_of(document)
            if Mask.FROM_PATIENT in masks:
                return Decision(Reason.HIDDEN_FROM_PATIENT, hidden=True)
            if Mask.FROM_REPRESENTATIVES in masks and not patient:
                return Decision(Reason.HIDDEN_FROM_REPRESENTATIVES, hidden=True)
        writes = self.act in (Act.PUBLISH, Act.REPLACE, Act.WITHDRAW)
        if writes and not self.matrix.writes(self.caller, document):
            return Decision(Reason.NOT_HABILITATED)
        changed = _changes(document, self.becomes)
        return permitted if changed <= _FREE[self.caller.kind] else Decision(Reason.NOT_THEIRS)

    def _of_professional(self, document: DocumentEntry | None) -> Decision:
        ways = _PURPOSES.get(self.act)
        if ways is None:
            return Decision(Reason.NOT_HOLDER)
        if self.caller.purpose not in ways[self._way]:
            possible = ways[self._way]
            return Decision(Reason.PURPOSE if possible else Reason.AUTHENTICATION)
        match self.act:
            case Act.PUBLISH:
                return self._publishing(document)
            case Act.REPLACE | Act.WITHDRAW:
                return self._own(document)
            case Act.AUTHORISE:
                return self._declaring()
            case Act.READ_JOURNAL:
                basis = self._basis()
                treating = basis.reason is Reason.TREATING_DOCTOR or not basis.permitted
                return basis if treating else Decision(Reason.NOT_HOLDER)
            case Act.CHANGE:
                return self._changing(document)
            case _:
                return self._consulting(document)

    @property
    def _way(self) -> _Way:
        if is_of_structure(self.caller):
            return _Way.STRUCTURE
        match self.caller.authentication:
            case Authentication.DIRECT:
                return _Way.PERSON
            case _:
                return _Way.PERSON_BY_STRUCTURE

    def _publishing(self, document: DocumentEntry | None) -> Decision:
        if document is not None and not self.matrix.writes(self.caller, document):
            return Decision(Reason.NOT_HABILITATED)
        return Decision(Reason.DUTY)

    def _own(self, document: DocumentEntry | None) -> Decision:
        """Of one's own documents; another's is refused to who sees it, and hidden from others."""
        if document is None:
            return Decision(Reason.DUTY)
        colleague = self.act is Act.REPLACE and self._is_of_structure(document)
        if colleague or self._is_author(document):
            return Decision(Reason.AUTHOR)
        if self.record.state is RecordState.CLOSED:
            return Decision(Reason.CLOSED, hidden=True)
        seen = self._consulting(document)
        # To who sees nothing of the record, a refusal would tell that the document is there.
        return Decision(Reason.NOT_THEIRS) if seen.permitted else replace(seen, hidden=True)

    def _changing(self, document: DocumentEntry | None) -> Decision:
        """PDT-INF-526, TD3.3: whoever sees a document may mask it, or tell the patient of it."""
        seen = self._consulting(document)
        if document is None or not seen.permitted or self._is_author(document):
            return seen
        free = _FREE[self.caller.kind]
        if seen.reason is Reason.TREATING_DOCTOR:
            free = free | {_UNMASKED}
        return seen if _changes(document, self.becomes) <= free else Decision(Reason.NOT_THEIRS)

    def _declaring(self) -> Decision:
        standing = self.record.standing
        if standing.blocked:
            return Decision(Reason.BLOCKED)
        named = self._is_treating_doctor() or standing.consents(self.now_ms)
        opposed = self.record.opposed and not named
        return Decision(Reason.OPPOSED if opposed else Reason.CARE_TEAM)

    def _consulting(self, document: DocumentEntry | None) -> Decision:
        if self._way is _Way.STRUCTURE:
            if document is not None and not self._is_of_structure(document):
                return Decision(Reason.NOT_THEIRS, hidden=True)
            return Decision(Reason.AUTHOR)
        basis = self._basis()
        if document is None or not basis.permitted:
            return basis
        if not self.matrix.reads(self.caller, document):
            return Decision(Reason.NOT_HABILITATED, hidden=True)
        return self._unmasked(document, basis)

    def _basis(self) -> Decision:
        """What lets a professional into the record at all."""
        record, purpose = self.record, self.caller.purpose
        standing = record.standing
        if standing.blocked:
            return Decision(Reason.BLOCKED)
        if purpose is not Purpose.NORMAL:
            if purpose in record.excluded:
                return Decision(Reason.EXCLUDED)
            said = bool(self.caller.reason.strip())
            return Decision(Reason.EMERGENCY if said else Reason.REASON_MISSING)
        if self._is_treating_doctor():
            return Decision(Reason.TREATING_DOCTOR)
        if standing.consents(self.now_ms):
            return Decision(Reason.CONSENT)
        if record.opposed:
            return Decision(Reason.OPPOSED)
        return Decision(Reason.CARE_TEAM if standing.declared else Reason.NOT_AUTHORISED)

    def _unmasked(self, document: DocumentEntry, basis: Decision) -> Decision:
        masks = masks_of(document)
        if self._is_author(document):
            return basis
        if Mask.FROM_PROFESSIONALS in masks:
            emergency = basis.reason is Reason.EMERGENCY and self.record.masked_in_emergency
            if not emergency and basis.reason is not Reason.TREATING_DOCTOR:
                return Decision(Reason.MASKED, hidden=True)
        if Mask.FROM_REPRESENTATIVES in masks and not self.caller.secret:
            return Decision(Reason.HIDDEN_FROM_REPRESENTATIVES, hidden=True)
        return basis

    def _is_treating_doctor(self) -> bool:
        named = self.record.treating_doctor
        return bool(named) and named == self.caller.person.number

    def _is_author(self, document: DocumentEntry) -> bool:
        """The author of a pointer may be a program; then it is who signed the report."""
        if self._way is _Way.STRUCTURE:
            return self._is_of_structure(document)
        number, signed = self.caller.person.number, document.legal_authenticator
        people = [*(one.person for one in document.every_author), *([signed] if signed else [])]
        return bool(number) and number in {one.number for one in people}

    def _is_of_structure(self, document: DocumentEntry) -> bool:
        """Of its author's structure, or of the one that submitted it for an author elsewhere."""
        number = structure_of(self.caller.organisation)
        return bool(number) and number in {
            structure_of(document.author_organisation),
            self.submitter,
        }


def is_of_structure(caller: Caller) -> bool:
    """Whether they come by a structure's certificate alone: they publish, and read nothing."""
    indirect = caller.authentication is Authentication.INDIRECT
    professional = caller.kind is CallerKind.PROFESSIONAL
    return caller.kind is CallerKind.SYSTEM or (professional and indirect)


def masks_of(document: DocumentEntry) -> frozenset[Mask]:
    """From whom a document is hidden.

    By the codes alone: their system goes by its OID, by FHIR's URI, or by none, and a name that is
    not known must not show what was to be hidden.
    """
    known = {mask.value: mask for mask in Mask}
    told = (one.code.strip() for one in document.confidentiality)
    return frozenset(known[code] for code in told if code in known)


def _changes(before: DocumentEntry, after: DocumentEntry | None) -> frozenset[_Change]:
    if after is None:
        return frozenset()
    old, new = ({(one.scheme, one.code) for one in e.confidentiality} for e in (before, after))
    status = {("status", True)} if before.status is not after.status else set()
    return frozenset(
        {(code, True) for _, code in new - old} | {(c, False) for _, c in old - new} | status
    )


def structure_of(organisation: Organisation) -> str:
    """A structure's number; a bare FINESS gets the digit by which others know it."""
    number = organisation.number
    return _FINESS + number if len(number) == FINESS_LENGTH else number
