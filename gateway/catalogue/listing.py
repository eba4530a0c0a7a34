"""Lists the instances of a study by C-FIND, at the levels that a PACS supports (PS3.4 §C.4.1).

A study is asked for level by level, which every PACS must support (§C.4.1.2.1). Some refuse the
levels below the study, or answer nothing there, and yet list every instance of a study at once (a
relational query, §C.4.1.3.2.1); so they are then asked for that.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from pydicom import Dataset

from gateway.catalogue.header import read_texts, text
from gateway.dimse.scu import Find, QueryLevel
from gateway.errors import PacsAnswerUnreadable, PacsRefused
from indexer.contract.identifiers import Uid

STUDIES_MAX: Final = 16
"""Answers about one study; a second that names somebody else already needs a person."""

SERIES_MAX: Final = 10_000

INSTANCES_MAX: Final = 100_000
"""Instances of one study that an answer may list."""

_REFUSALS: Final = frozenset({0x0122, 0xA900})
"""SOP class not supported; the identifier does not match it (PS3.4 §C.4.1.1.4)."""

_UNABLE_TO_PROCESS: Final = 0xC000
"""Of this class some PACS answer a level that they do not support, and others a passing failure."""

_COUNT: Final = "NumberOfStudyRelatedInstances"

_STUDY_KEYS: Final = (
    "PatientID", "PatientName", "PatientBirthDate", "PatientSex", "AccessionNumber", "StudyDate",
    "StudyTime", "StudyDescription", "StudyID", "ReferringPhysicianName",
    "OtherPatientIDsSequence", _COUNT,
)  # fmt: skip
_SERIES_KEYS: Final = (
    "SeriesInstanceUID", "Modality", "SeriesNumber", "SeriesDescription", "BodyPartExamined",
    "PerformedProcedureStepStartDate", "PerformedProcedureStepStartTime",
    "RequestAttributesSequence",
)  # fmt: skip
_IMAGE_KEYS: Final = (
    "SOPInstanceUID", "SOPClassUID", "InstanceNumber", "NumberOfFrames", "Rows", "Columns",
    "BitsAllocated", "ConceptNameCodeSequence",
)  # fmt: skip
_SEQUENCES: Final = frozenset(
    {"ConceptNameCodeSequence", "OtherPatientIDsSequence", "RequestAttributesSequence"}
)

_IDENTITIES: Final = (  # what a report is compared with; some PACS tell the issuers unasked
    ("PatientID", "IssuerOfPatientIDQualifiersSequence", "PatientBirthDate", "PatientSex"),
    ("AccessionNumber", "IssuerOfAccessionNumberSequence"),
)

Texts = Mapping[str, str]
"""What an answer tells, by DICOM keyword."""


def list_instances(find: Find, study: Uid) -> list[Texts]:
    """What is told of every instance of a study, by all levels together; none if it is not there.

    Raises:
        PacsUnavailable: the PACS breaks off, is silent, or refuses what it may answer later.
        PacsAnswerUnreadable: it answers what cannot be understood, or what it was not asked, or it
            lists no instances although it holds some.
    """
    asked = {"StudyInstanceUID": str(study)}
    answers = find(_wanted(_STUDY_KEYS, asked), level=QueryLevel.STUDY, answers_max=STUDIES_MAX)
    studies = _read(answers, _STUDY_KEYS, asked)
    if not studies:
        return []
    of_study = _unite(studies)
    images = _list_images(find, asked)
    if not images and any(_counted(answer) for answer in answers):
        raise PacsAnswerUnreadable("the PACS has instances of the study and lists none of them")
    return [{**of_study, **image} for image in images]


def _list_images(find: Find, asked: Mapping[str, str]) -> list[Texts]:
    """Series by series, or else all at once."""
    series: list[Texts] = []
    refused = False
    try:
        series = _ask(find, QueryLevel.SERIES, _SERIES_KEYS, asked, SERIES_MAX)
        if images := _within(find, asked, series):
            return images
    except PacsRefused as error:
        if not _may_mean_the_level(error):
            raise
        refused = True
    try:
        return _at_once(find, asked, series)
    except PacsRefused as error:
        if not refused:  # it answered before that there is nothing
            return []
        if error.status not in _REFUSALS:  # it may pass
            raise
        raise PacsAnswerUnreadable(
            "the PACS does not list instances: it refuses C-FIND below the level of the study "
            f"with status {error.status:04X}"
        ) from error


def _within(find: Find, asked: Mapping[str, str], listed: Iterable[Texts]) -> list[Texts]:
    told: list[Texts] = []
    for series in listed:
        if "SeriesInstanceUID" not in series:
            raise PacsAnswerUnreadable("the PACS tells of a series without its UID")
        within = {**asked, "SeriesInstanceUID": series["SeriesInstanceUID"]}
        room = INSTANCES_MAX - len(told)
        for image in _ask(find, QueryLevel.IMAGE, _IMAGE_KEYS, within, room):
            told.append({**series, **image})
    return told


def _at_once(find: Find, asked: Mapping[str, str], listed: Iterable[Texts]) -> list[Texts]:
    """All instances of the study by one query, with what is known of their series."""
    known = {series["SeriesInstanceUID"]: series for series in listed}
    keys = (*_SERIES_KEYS, *_IMAGE_KEYS)
    images = _ask(find, QueryLevel.IMAGE, keys, asked, INSTANCES_MAX)
    if any("SeriesInstanceUID" not in image for image in images):
        raise PacsAnswerUnreadable("the PACS tells of an instance without its series")
    return [{**known.get(image["SeriesInstanceUID"], {}), **image} for image in images]


def _may_mean_the_level(error: PacsRefused) -> bool:
    return error.status in _REFUSALS or error.status & 0xF000 == _UNABLE_TO_PROCESS


def _counted(answer: Dataset) -> bool:
    """Whether the PACS says that it holds instances of the study (PS3.4 §C.3.4)."""
    try:
        return text(answer, _COUNT).strip() not in ("", "0")
    except Exception:  # pydicom raises whatever its parts raise on bytes that are no data set
        return False


def _ask(
    find: Find, level: QueryLevel, keys: Sequence[str], asked: Mapping[str, str], answers_max: int
) -> list[Texts]:
    """Ask at one level; the unique keys of the levels above are given (PS3.4 §C.4.1.2.1)."""
    answers = find(_wanted(keys, asked), level=level, answers_max=answers_max)
    return _read(answers, keys, asked)


def _wanted(keys: Sequence[str], asked: Mapping[str, str]) -> dict[str, str | Sequence[Dataset]]:
    return {**{key: [] if key in _SEQUENCES else "" for key in keys}, **asked}


def _read(answers: Sequence[Dataset], keys: Sequence[str], asked: Mapping[str, str]) -> list[Texts]:
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
