"""The keys of a search as conditions of SQL: which column each attribute is compared with, and how.

A level's rows are compared where a query joins them; what is asked of a level below must hold for
something within.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Final

import orjson

from gateway.catalogue.searched_rows import PATIENT, PHYSICIAN
from gateway.dicomweb.attributes import SearchLevel
from gateway.dicomweb.matching import Condition, Empty, Exactly, Number, Pattern, Range, Words
from gateway.dicomweb.names import GROUPS
from gateway.dicomweb.qido import Key
from gateway.storage.database import Dialect, Param

_COLUMNS: Final = {
    "StudyInstanceUID": "study.study_uid",
    "StudyDate": "study.studied_at",
    "StudyTime": "study.studied_time",
    "AccessionNumber": "study.accession",
    "PatientID": "study.patient_id",
    "IssuerOfPatientID": "study.patient_id_issuer",
    "PatientBirthDate": "study.patient_birth_date",
    "PatientSex": "study.patient_sex",
    "StudyID": "study.study_id",
    "StudyDescription": "study.description",
    "SeriesInstanceUID": "series.series_uid",
    "Modality": "series.modality",
    "SeriesNumber": "series.series_number",
    "SeriesDescription": "series.description",
    "PerformedProcedureStepStartDate": "series.performed_at",
    "PerformedProcedureStepStartTime": "series.performed_time",
    "BodyPartExamined": "series.body_part",
    "InstitutionName": "series.institution",
    "StationName": "series.station",
    "SOPClassUID": "image.sop_class",
    "SOPInstanceUID": "image.instance_uid",
    "InstanceNumber": "image.instance_number",
    "OtherPatientIDsSequence.PatientID": "item.patient_id",
    "OtherPatientIDsSequence.IssuerOfPatientID": "item.issuer",
    "RequestAttributesSequence.ScheduledProcedureStepID": "item.step_id",
    "RequestAttributesSequence.RequestedProcedureID": "item.procedure_id",
}
_NAMES: Final = {
    "PatientName": ("patient", PATIENT),
    "ReferringPhysicianName": ("physician", PHYSICIAN),
}
_LISTS: Final = {"ModalitiesInStudy": "modalities", "SOPClassesInStudy": "sop_classes"}
_ITEMS: Final = {
    "OtherPatientIDsSequence": ("searched_patient_ids", "study"),
    "RequestAttributesSequence": ("searched_requests", "series"),
}
_KEYS: Final = {"study": ("study_uid",), "series": ("study_uid", "series_uid")}
_BEYOND: Final = "\U0010ffff"
"""Greater than any character."""

_WITHIN_STUDY: Final = (
    "study.study_uid IN (SELECT series.study_uid FROM searched_series AS series WHERE {})"
)
_WITHIN_STUDY_AND_SERIES: Final = """study.study_uid IN (
    SELECT image.study_uid FROM instances AS image JOIN searched_series AS series
           ON series.study_uid = image.study_uid AND series.series_uid = image.series_uid
    WHERE image.gone = 0 AND image.rejected = '' AND {})"""
_WITHIN_SERIES: Final = """(series.study_uid, series.series_uid) IN (
    SELECT image.study_uid, image.series_uid FROM instances AS image
    WHERE image.gone = 0 AND image.rejected = '' AND {})"""


class Conditions:
    """The conditions of one query, with their parameters."""

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        self.params: dict[str, Param] = {}

    def of(self, level: SearchLevel, keys: Iterable[Key]) -> str:
        """What must hold for a row of the level; `true` if anything will do."""
        by_level: dict[SearchLevel, list[str]] = defaultdict(list)
        by_sequence: dict[str, list[Key]] = defaultdict(list)
        for key in keys:
            if key.attribute.within:
                by_sequence[key.attribute.within].append(key)
            else:
                by_level[key.attribute.level].append(self._any_of(key))
        for sequence, items in by_sequence.items():
            by_level[items[0].attribute.level].append(self._an_item(sequence, items))
        holding = [one for each in level.above for one in by_level[each]]
        holding += self._within(level, by_level)
        return "\n  AND ".join(holding) or "true"

    def _within(
        self, level: SearchLevel, by_level: Mapping[SearchLevel, list[str]]
    ) -> Iterable[str]:
        of_series = by_level.get(SearchLevel.SERIES, [])
        of_instances = by_level.get(SearchLevel.INSTANCES, [])
        if level is SearchLevel.STUDIES and of_instances:
            yield _WITHIN_STUDY_AND_SERIES.format(" AND ".join([*of_series, *of_instances]))
        elif level is SearchLevel.STUDIES and of_series:
            yield _WITHIN_STUDY.format(" AND ".join(of_series))
        elif level is SearchLevel.SERIES and of_instances:
            yield _WITHIN_SERIES.format(" AND ".join(of_instances))

    def _an_item(self, sequence: str, keys: list[Key]) -> str:
        """One item of the sequence holds all of what is asked of it (PS3.4 §C.2.2.2.6)."""
        table, owner = _ITEMS[sequence]
        ours = ", ".join(f"{owner}.{one}" for one in _KEYS[owner])
        theirs = ", ".join(f"item.{one}" for one in _KEYS[owner])
        holding = " AND ".join(self._any_of(key) for key in keys)
        found = f"({ours}) IN (SELECT {theirs} FROM {table} AS item WHERE {holding})"
        if all(Empty() in key.conditions for key in keys):
            return f"({found} OR ({ours}) NOT IN (SELECT {theirs} FROM {table} AS item))"
        return found

    def _any_of(self, key: Key) -> str:
        path = key.attribute.path
        if all(isinstance(one, Exactly) for one in key.conditions) and path in _COLUMNS:
            return self._one_of(_COLUMNS[path], key.conditions)
        ways = [self._holds(path, one) for one in key.conditions]
        return ways[0] if len(ways) == 1 else f"({' OR '.join(ways)})"

    def _one_of(self, column: str, asked: Iterable[Condition]) -> str:
        texts = [one.text for one in asked if isinstance(one, Exactly)]
        if len(texts) == 1:
            return f"{column} = {self._param(texts[0])}"
        listed = self._param(orjson.dumps(texts).decode())
        return f"{column} IN (SELECT value FROM json_each({listed}))"

    def _holds(self, path: str, asked: Condition) -> str:
        if path in _NAMES:
            return self._name_holds(*_NAMES[path], asked)
        if path in _LISTS:
            return self._list_holds(_LISTS[path], asked)
        return self._compared(_COLUMNS[path], asked)

    def _compared(self, column: str, asked: Condition) -> str:
        match asked:
            case Exactly(text):
                return f"{column} = {self._param(text)}"
            case Number(value):
                return f"{column} = {self._param(value)}"
            case Pattern():
                return self._has(column, asked)
            case Range():
                return self._lies_in(column, asked)
            case _:
                absent = "IS NULL" if column in _NUMBERS else "= ''"
                return f"{column} {absent}"

    def _has(self, column: str, pattern: Pattern) -> str:
        if self._dialect is Dialect.SQLITE:
            holds = f"{column} GLOB {self._param(_as_glob(pattern.text))}"
        else:
            holds = f"{column} LIKE {self._param(_as_like(pattern.text))} ESCAPE '!'"
        if pattern.start:  # by which an index leads to it
            holds += f" AND {self._begins(column, pattern.start)}"
        return f"({holds})"

    def _begins(self, column: str, start: str) -> str:
        low, beyond = self._param(start), self._param(start + _BEYOND)
        return f"{column} >= {low} AND {column} < {beyond}"

    def _lies_in(self, column: str, asked: Range) -> str:
        holding = [f"{column} >= {self._param(asked.low)}"] if asked.low else [f"{column} <> ''"]
        if asked.high:
            holding.append(f"{column} < {self._param(asked.below)}")
        return f"({' AND '.join(holding)})"

    def _list_holds(self, column: str, asked: Condition) -> str:
        listed = f"study.{column}"
        match asked:
            case Exactly(text):
                return self._has(listed, Pattern(f"*\\{text}\\*"))
            case Pattern():
                one = self._has("one.modality", asked)
                series = "SELECT 1 FROM searched_series AS one"
                return f"EXISTS ({series} WHERE one.study_uid = study.study_uid AND {one})"
            case _:
                return f"{listed} = ''"

    def _name_holds(self, whose: str, role: str, asked: Condition) -> str:
        alphabetic, others = f"study.{whose}_name", f"study.{whose}_groups"
        match asked:
            case Words(parts):
                return " AND ".join(self._has_words(role, ways) for ways in parts)
            case Exactly(text) | Pattern(text):
                first, *rest = text.split("=")[:GROUPS]
                holding = [self._group(alphabetic, first)] if first else []
                if any(rest):
                    groups = [group or "*" for group in (*rest, "")[: GROUPS - 1]]
                    holding.append(self._group(others, "=".join(groups)))
                return f"({' AND '.join(holding)})" if holding else "true"
            case _:
                return f"({alphabetic} = '' AND {others} = '')"

    def _group(self, column: str, text: str) -> str:
        is_pattern = "*" in text or "?" in text
        return self._compared(column, Pattern(text) if is_pattern else Exactly(text))

    def _has_words(self, role: str, ways: tuple[tuple[str, ...], ...]) -> str:
        found = [
            " AND ".join(
                "study.study_uid IN (SELECT named.study_uid FROM searched_names AS named"
                f" WHERE named.role = '{role}' AND {self._begins('named.word', word)})"
                for word in way
            )
            for way in ways
        ]
        return "(" + " OR ".join(f"({one})" for one in found) + ")"

    def _param(self, value: Param) -> str:
        name = f"key_{len(self.params)}"
        self.params[name] = value
        return f":{name}"


_NUMBERS: Final = frozenset({"series.series_number", "image.instance_number"})


def _as_glob(pattern: str) -> str:
    return pattern.replace("[", "[[]")


def _as_like(pattern: str) -> str:
    escaped = re.sub(r"[!%_]", r"!\g<0>", pattern)
    return escaped.replace("*", "%").replace("?", "_")
