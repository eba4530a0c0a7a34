"""What a PACS keeps: files in a folder, and an index of them in memory.

Threads of several associations share one archive.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from uuid import uuid4

from pydicom import dcmread
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError

from simulators.imaging_centre.matching import matches

# The PACS answers what it holds of these, and nothing else (PS3.4 §C.6.2.1).
_UNIQUE_KEYS = {
    "STUDY": "StudyInstanceUID",
    "SERIES": "SeriesInstanceUID",
    "IMAGE": "SOPInstanceUID",
}
_KEYS = {
    "STUDY": frozenset(
        {
            "StudyInstanceUID",
            "PatientID",
            "IssuerOfPatientID",
            "IssuerOfPatientIDQualifiersSequence",
            "PatientName",
            "PatientBirthDate",
            "PatientSex",
            "OtherPatientIDsSequence",
            "AccessionNumber",
            "IssuerOfAccessionNumberSequence",
            "StudyDate",
            "StudyTime",
            "StudyDescription",
            "StudyID",
            "ReferringPhysicianName",
            "ModalitiesInStudy",
            "SOPClassesInStudy",
            "NumberOfStudyRelatedSeries",
            "NumberOfStudyRelatedInstances",
            "TimezoneOffsetFromUTC",
        }
    ),
    "SERIES": frozenset(
        {
            "StudyInstanceUID",
            "SeriesInstanceUID",
            "Modality",
            "SeriesNumber",
            "SeriesDescription",
            "SeriesDate",
            "SeriesTime",
            "BodyPartExamined",
            "Laterality",
            "NumberOfSeriesRelatedInstances",
            "TimezoneOffsetFromUTC",
        }
    ),
    "IMAGE": frozenset(
        {
            "StudyInstanceUID",
            "SeriesInstanceUID",
            "SOPInstanceUID",
            "SOPClassUID",
            "InstanceNumber",
            "NumberOfFrames",
            "ContentDate",
            "ContentTime",
            "Rows",
            "Columns",
            "TimezoneOffsetFromUTC",
        }
    ),
}


_LEVELS = tuple(_UNIQUE_KEYS)


class InvalidQuery(Exception):
    """The identifier is none of the Study Root model (PS3.4 §C.6.2)."""


@dataclass(frozen=True, slots=True)
class StoredInstance:
    """An instance in the archive, with the part of its data set that precedes the pixels."""

    path: Path
    header: Dataset

    @property
    def transfer_syntax(self) -> str:
        """UID of the syntax in which the file is kept."""
        return str(self.header.file_meta.TransferSyntaxUID)


class Archive:
    """Instances by their UID; one that comes again replaces the former."""

    def __init__(self, folder: Path) -> None:
        """Take the Part 10 files that lie in the folder, which is made if it is missing."""
        self._folder = folder
        self._lock = Lock()
        self._instances: dict[str, StoredInstance] = {}
        folder.mkdir(parents=True, exist_ok=True)
        for path in sorted(folder.iterdir()):
            try:
                self._add(path)
            except (InvalidDicomError, AttributeError):
                continue  # no Part 10 file, or one that names no study

    def store(self, part_10: bytes) -> StoredInstance:
        """Keep an instance.

        Raises:
            AttributeError: the data set lacks the UID of its study, its series or itself.
        """
        path = self._folder / f"{uuid4().hex}.dcm"
        path.write_bytes(part_10)
        try:
            return self._add(path)
        except AttributeError:
            path.unlink()
            raise

    def study(self, study_uid: str) -> list[StoredInstance]:
        """The study's instances, by series and in the order of their arrival."""
        with self._lock:
            held = [i for i in self._instances.values() if i.header.StudyInstanceUID == study_uid]
        return sorted(held, key=lambda instance: str(instance.header.SeriesInstanceUID))

    def remove(self, study_uid: str, uids: frozenset[str] | None = None) -> list[StoredInstance]:
        """Delete instances of the study, or all of it; what is gone now."""
        with self._lock:
            gone = [
                instance
                for uid, instance in self._instances.items()
                if instance.header.StudyInstanceUID == study_uid and (uids is None or uid in uids)
            ]
            for instance in gone:
                del self._instances[str(instance.header.SOPInstanceUID)]
        for instance in gone:
            instance.path.unlink()
        return gone

    def correct(self, study_uid: str, **values: str) -> None:
        """Write other values into every instance of the study, as a PACS does that merges patients.

        Args:
            values: by the keyword of their attribute.
        """
        for instance in self.study(study_uid):
            ds = dcmread(instance.path)
            for keyword, value in values.items():
                setattr(ds, keyword, value)
            path = self._folder / f"{uuid4().hex}.dcm"
            ds.save_as(path)
            self._add(path)

    def select(self, identifier: Dataset) -> list[StoredInstance]:
        """The instances that a retrieve names (PS3.4 §C.4.2.1.4.1).

        Raises:
            InvalidQuery: no level, or a unique key at or above the level is missing.
        """
        level = _level_of(identifier)
        keys = [_UNIQUE_KEYS[above] for above in _levels_to(level)]
        if any(not identifier.get(key) for key in keys):
            raise InvalidQuery("a unique key is missing")
        return [
            instance
            for instance in self._all()
            if all(matches(identifier[key], [instance.header.get(key, "")]) for key in keys)
        ]

    def find(self, identifier: Dataset) -> Iterator[Dataset]:
        """Answers to a query, with the attributes that it asks and the PACS holds at its level.

        Queries are hierarchical: below the study, the unique keys above the level are needed.

        Raises:
            InvalidQuery: no level, or a unique key above the level is missing or no single one.
        """
        level = _level_of(identifier)
        for above in _levels_to(level)[:-1]:
            key = identifier.get(_UNIQUE_KEYS[above])
            if not key or not isinstance(key, str):
                raise InvalidQuery(f"the {above.lower()}'s unique key is missing")
        groups: dict[str, list[StoredInstance]] = {}
        for instance in self._all():
            groups.setdefault(str(instance.header[_UNIQUE_KEYS[level]].value), []).append(instance)
        for group in groups.values():
            entity = _describe(level, group)
            if all(
                matches(key, _values(entity.get(key.tag)))
                for key in identifier
                if key.keyword in _KEYS[level]
            ):
                yield _answer(level, identifier, entity)

    def _all(self) -> list[StoredInstance]:
        with self._lock:
            return list(self._instances.values())

    def _add(self, path: Path) -> StoredInstance:
        instance = StoredInstance(path, dcmread(path, stop_before_pixels=True))
        header = instance.header
        names = (header.StudyInstanceUID, header.SeriesInstanceUID, header.SOPInstanceUID)
        if not all(names):
            raise AttributeError("a UID of the instance is empty")
        with self._lock:
            former = self._instances.pop(names[-1], None)
            self._instances[names[-1]] = instance
        if former is not None:
            former.path.unlink()
        return instance


def _level_of(identifier: Dataset) -> str:
    level = str(identifier.get("QueryRetrieveLevel", ""))
    if level not in _LEVELS:
        raise InvalidQuery("no level of the Study Root model")
    return level


def _levels_to(level: str) -> tuple[str, ...]:
    return _LEVELS[: _LEVELS.index(level) + 1]


def _describe(level: str, group: list[StoredInstance]) -> Dataset:
    """What the PACS knows of a study, a series or an image: its first header, and its counts."""
    first = group[0].header
    entity = Dataset()
    entity.SpecificCharacterSet = first.get("SpecificCharacterSet", "")
    for keyword in _KEYS[level]:
        if keyword in first:
            entity[keyword] = first[keyword]
    if level == "STUDY":
        entity.ModalitiesInStudy = sorted({str(i.header.get("Modality", "")) for i in group})
        entity.SOPClassesInStudy = sorted({str(i.header.SOPClassUID) for i in group})
        entity.NumberOfStudyRelatedSeries = len({i.header.SeriesInstanceUID for i in group})
        entity.NumberOfStudyRelatedInstances = len(group)
    elif level == "SERIES":
        entity.NumberOfSeriesRelatedInstances = len(group)
    return entity


def _values(element: DataElement | None) -> list[object]:
    if element is None or element.is_empty:
        return [""]
    return list(element.value) if element.VM > 1 else [element.value]


def _answer(level: str, identifier: Dataset, entity: Dataset) -> Dataset:
    answer = Dataset()
    answer.SpecificCharacterSet = entity.SpecificCharacterSet
    answer.QueryRetrieveLevel = level
    for key in identifier:
        if key.keyword in _KEYS[level]:
            answer[key.tag] = entity.get(key.tag, DataElement(key.tag, key.VR, None))
    return answer
