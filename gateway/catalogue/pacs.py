"""Asks the centre's PACS what they hold of a study (C-FIND, Study Root, PS3.4 §C.6.2).

All of them must answer before anything is known: a part of a study must not pass for the whole.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from pydicom import Dataset

from gateway.catalogue.header import describe, read_texts
from gateway.clock import Clock, system_clock
from gateway.dimse.scu import DimseRequestor, Find, QueryLevel
from gateway.errors import PacsAnswerUnreadable, PacsUnavailable
from gateway.model.image import ImageDescription
from gateway.model.notification import HeldByPacs, PacsAnswered
from indexer.contract.errors import InvalidValue
from indexer.contract.identifiers import Uid

STUDIES_MAX: Final = 16
"""Answers about one study; a second that names somebody else already needs a person."""

SERIES_MAX: Final = 10_000

INSTANCES_MAX: Final = 100_000
"""Instances of one study that an answer may list."""

HOLD_MS: Final = 10_000
"""How long a PACS that failed is not asked."""

_STUDY_KEYS: Final = (
    "PatientID", "PatientName", "PatientBirthDate", "PatientSex", "AccessionNumber", "StudyDate",
    "StudyTime", "StudyDescription", "StudyID", "ReferringPhysicianName",
)  # fmt: skip
_SERIES_KEYS: Final = ("SeriesInstanceUID", "Modality", "SeriesNumber", "SeriesDescription")
_IMAGE_KEYS: Final = (
    "SOPInstanceUID", "SOPClassUID", "InstanceNumber", "NumberOfFrames", "Rows", "Columns",
    "BitsAllocated", "ConceptNameCodeSequence",
)  # fmt: skip
_SEQUENCES: Final = frozenset({"ConceptNameCodeSequence"})

_IDENTITIES: Final = (  # what a report is compared with; some PACS tell the issuers unasked
    ("PatientID", "IssuerOfPatientIDQualifiersSequence", "PatientBirthDate", "PatientSex"),
    ("AccessionNumber", "IssuerOfAccessionNumberSequence"),
)

Texts = Mapping[str, str]
"""What an answer tells, by DICOM keyword."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pacs:
    """One PACS of the centre, with the authorities of the ids that it gives (OIDs, or empty)."""

    requestor: DimseRequestor
    patient_id_issuer: str = ""
    accession_issuer: str = ""

    @property
    def ae_title(self) -> str:
        """What it is called by."""
        return self.requestor.called_ae

    async def describe(self, study: Uid) -> tuple[ImageDescription, ...]:
        """Every instance that it holds of the study; none if it does not know the study.

        Raises:
            PacsUnavailable: it does not answer.
            PacsAnswerUnreadable: it tells of something without its UIDs, of what was not asked,
                or of more than is taken.
        """
        told = await self.requestor.converse(lambda find: _list_instances(find, study))
        images: dict[Uid, ImageDescription] = {}
        for one in told:
            image = self._description(one)
            images.setdefault(image.instance, image)
        return tuple(images.values())

    def _description(self, told: Texts) -> ImageDescription:
        try:
            return describe(
                told,
                patient_issuer=self.patient_id_issuer,
                accession_issuer=self.accession_issuer,
            )
        except InvalidValue as error:
            raise PacsAnswerUnreadable(f"the PACS tells of an instance whose {error}") from None


class PacsDirectory:
    """The PACS of the centre, asked in the order of the settings."""

    def __init__(self, pacs: Sequence[Pacs], *, clock: Clock = system_clock) -> None:
        self._pacs = [(one, _Turnstile(clock)) for one in pacs]

    @property
    def requestors(self) -> dict[str, DimseRequestor]:
        """Whom to ask to move instances, by AE title."""
        return {pacs.ae_title: pacs.requestor for pacs, _ in self._pacs}

    async def describe(self, study: Uid, *, asked_after: int) -> PacsAnswered:
        """What all the PACS hold of the study; of an instance that several hold, the first tells.

        Raises:
            PacsUnavailable: at least one does not answer, or did not a moment ago: there may be
                more than the others tell.
            PacsAnswerUnreadable: at least one answers what cannot be understood.
        """
        held: dict[Uid, HeldByPacs] = {}
        for pacs, turnstile in self._pacs:
            try:
                with turnstile.passed():
                    images = await pacs.describe(study)
            except PacsUnavailable as error:
                told = f"{pacs.ae_title}: {error}"
                raise PacsUnavailable(told, retry_after_s=error.retry_after_s) from error
            for image in images:
                held.setdefault(image.instance, HeldByPacs(pacs=pacs.ae_title, image=image))
        return PacsAnswered(study=study, held=tuple(held.values()), asked_after=asked_after)


class _Turnstile:
    """Keeps a PACS that failed from holding up everybody, each for the length of its timeouts.

    It is not asked for a while, and then by one alone until it answers.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._failed_at_ms: int | None = None
        self._is_tried = False

    @contextmanager
    def passed(self) -> Iterator[None]:
        tries = self._failed_at_ms is not None
        if tries:
            self._ensure_free()
            self._is_tried = True
        try:
            yield
        except PacsUnavailable:
            self._failed_at_ms = self._clock()
            raise
        except PacsAnswerUnreadable:
            self._failed_at_ms = None
            raise
        else:
            self._failed_at_ms = None
        finally:
            if tries:
                self._is_tried = False

    def _ensure_free(self) -> None:
        since_ms = self._clock() - (self._failed_at_ms or 0)
        if 0 <= since_ms < HOLD_MS:  # a clock that was set back holds nobody
            left_s = (HOLD_MS - since_ms) / 1000
            raise PacsUnavailable("the PACS failed a moment ago", retry_after_s=left_s)
        if self._is_tried:
            raise PacsUnavailable("the PACS failed and is being tried", retry_after_s=1.0)


def _list_instances(find: Find, study: Uid) -> list[Texts]:
    """What is told of every instance of a study, by all three levels together."""
    asked = {"StudyInstanceUID": str(study)}
    studies = _ask(find, QueryLevel.STUDY, _STUDY_KEYS, asked, STUDIES_MAX)
    if not studies:
        return []
    of_study = _unite(studies)
    told: list[Texts] = []
    for series in _ask(find, QueryLevel.SERIES, _SERIES_KEYS, asked, SERIES_MAX):
        if "SeriesInstanceUID" not in series:
            raise PacsAnswerUnreadable("the PACS tells of a series without its UID")
        within = asked | {"SeriesInstanceUID": series["SeriesInstanceUID"]}
        room = INSTANCES_MAX - len(told)
        for image in _ask(find, QueryLevel.IMAGE, _IMAGE_KEYS, within, room):
            told.append({**of_study, **series, **image})
    return told


def _ask(
    find: Find, level: QueryLevel, keys: Sequence[str], asked: Mapping[str, str], answers_max: int
) -> list[Texts]:
    """Ask at one level; the unique keys of the levels above are given (PS3.4 §C.4.1.2.1)."""
    wanted: dict[str, str | Sequence[Dataset]] = {
        keyword: [] if keyword in _SEQUENCES else "" for keyword in keys
    }
    answers = find({**wanted, **asked}, level=level, answers_max=answers_max)
    try:
        # Each answer in its own character set: those of two levels may differ.
        read = [read_texts(answer) for answer in answers]
    except Exception:  # pydicom raises whatever its parts raise on bytes that are no data set
        raise PacsAnswerUnreadable("an answer of the PACS to C-FIND cannot be read") from None
    for answer in read:
        if any(answer.get(keyword, value) != value for keyword, value in asked.items()):
            raise PacsAnswerUnreadable("the PACS answers about what it was not asked")
    # Some answer more than they are asked, and what belongs to another level is told there.
    others = {*_STUDY_KEYS, *_SERIES_KEYS, *_IMAGE_KEYS} - {*keys}
    return [{key: value for key, value in one.items() if key not in others} for one in read]


def _unite(studies: Iterable[Texts]) -> Texts:
    """What is told of a study, whatever the order of the answers about it.

    Two patients, or two accessions, under one Study Instance UID are told as one id of several
    values: it is nobody's, so no report agrees with it and a person looks.
    """
    known = sorted(studies, key=lambda one: sorted(one.items()))
    whole = dict(known[0])
    for keys in _IDENTITIES:
        told = sorted({tuple(one.get(key, "") for key in keys) for one in known})
        if len(told) > 1:
            whole[keys[0]] = "\\".join(identity[0] for identity in told)
    return whole
