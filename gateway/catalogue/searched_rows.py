"""What is compared of studies and series: the columns of the rows that searches find.

Texts are as they are compared: names folded, dates and times as digits.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Final, cast

import orjson

from gateway.catalogue.members import write_members
from gateway.dicomweb.attributes import SearchLevel
from gateway.dicomweb.matching import normal_date, normal_number, normal_time
from gateway.dicomweb.names import group_keys, words_of
from gateway.storage.database import Param, Row
from indexer.contract.identifiers import Uid

TEXT_LENGTH_MAX: Final = 256
"""Characters of a text that are compared; an index takes no value of any length."""

PATIENT: Final = "patient"
PHYSICIAN: Final = "physician"
"""Whose names are searched by their words."""

_SEPARATOR: Final = "\\"

Texts = Mapping[str, str]
"""What is told of an instance, by DICOM keyword (see `members.texts_of`)."""


def series_row(study: Uid, texts: Texts) -> dict[str, Param]:
    """A series as it is told of by an instance; who it is made of is counted elsewhere."""
    of = _texts(texts)
    at, time = _instant(
        of("PerformedProcedureStepStartDate"), of("PerformedProcedureStepStartTime")
    )
    return {
        "study_uid": study,
        "series_uid": texts["SeriesInstanceUID"],
        "first_instance": texts["SOPInstanceUID"],
        "modality": of("Modality"),
        "series_number": normal_number(of("SeriesNumber")),
        "description": of("SeriesDescription"),
        "performed_at": at,
        "performed_time": time,
        "body_part": of("BodyPartExamined"),
        "institution": of("InstitutionName"),
        "station": of("StationName"),
        "told": write_members(SearchLevel.SERIES, texts),
    }


def study_row(study: Uid, texts: Texts) -> dict[str, Param]:
    """A study as it is told of by an instance."""
    of = _texts(texts)
    at, time = _instant(of("StudyDate"), of("StudyTime"))
    patient, patient_groups = group_keys(texts["PatientName"])
    physician, physician_groups = group_keys(texts["ReferringPhysicianName"])
    return {
        "study_uid": study,
        "studied_at": at,
        "studied_time": time,
        "patient_id": of("PatientID"),
        "patient_id_issuer": of("IssuerOfPatientID"),
        "patient_name": _plain(patient),
        "patient_groups": _plain(patient_groups),
        "patient_birth_date": normal_date(of("PatientBirthDate")),
        "patient_sex": of("PatientSex"),
        "accession": of("AccessionNumber"),
        "study_id": of("StudyID"),
        "description": of("StudyDescription"),
        "physician_name": _plain(physician),
        "physician_groups": _plain(physician_groups),
        "told": write_members(SearchLevel.STUDIES, {**texts, "StudyInstanceUID": study}),
    }


def _instant(date: str, time: str) -> tuple[str, str]:
    """The digits of a date and of its time, and of the time alone."""
    day, time_of_day = normal_date(date), normal_time(time)
    return (day + time_of_day if day else ""), time_of_day


def _texts(texts: Texts) -> Callable[[str], str]:
    return lambda keyword: _plain(texts.get(keyword, ""))


def _plain(text: str) -> str:
    """As it is compared; a character that a database cannot keep is left out."""
    return text.replace("\0", "").strip()[:TEXT_LENGTH_MAX]


def name_rows(study: Uid, texts: Texts) -> list[Row]:
    """The words of its names."""
    return [
        {"study_uid": study, "role": role, "word": word}
        for role, keyword in ((PATIENT, "PatientName"), (PHYSICIAN, "ReferringPhysicianName"))
        for word in sorted({_plain(one) for one in words_of(texts[keyword])})
    ]


def patient_id_rows(study: Uid, texts: Texts) -> list[Row]:
    """The other ids of its patient."""
    return [
        {
            "study_uid": study,
            "number": number,
            "patient_id": _plain(one.get("PatientID", "")),
            "issuer": _plain(one.get("IssuerOfPatientID", "")),
        }
        for number, one in enumerate(_items(texts, "OtherPatientIDsSequence"))
    ]


def request_rows(study: Uid, texts: Texts) -> list[Row]:
    """What was requested, and led to the series."""
    return [
        {
            "study_uid": study,
            "series_uid": texts["SeriesInstanceUID"],
            "number": number,
            "step_id": _plain(one.get("ScheduledProcedureStepID", "")),
            "procedure_id": _plain(one.get("RequestedProcedureID", "")),
        }
        for number, one in enumerate(_items(texts, "RequestAttributesSequence"))
    ]


def join_values(values: Iterable[str]) -> str:
    """Each value once, between backslashes, which no value holds."""
    told = sorted({one for value in values for one in value.split("\\") if one})
    return _SEPARATOR.join(["", *told, ""]) if told else ""


def part_values(text: Param) -> list[str]:
    """The values of a column that holds several."""
    return [one for one in cast(str, text).split(_SEPARATOR) if one]


def _items(texts: Texts, sequence: str) -> list[dict[str, str]]:
    told: list[dict[str, str]] = orjson.loads(texts.get(sequence) or b"[]")
    return told
