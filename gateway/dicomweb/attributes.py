"""The attributes that a search knows: what each is matched by, and in which answers it stands.

From the required matching keys (PS3.18 §10.6.1.2.2) and the attributes of the answers (Tables
10.6.3-3 to 10.6.3-5), and from what viewers list beyond.
"""

from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import Final

from pydicom.datadict import dictionary_VR, tag_for_keyword


class SearchLevel(StrEnum):
    """What the results of a search are (PS3.18 §10.6.1)."""

    STUDIES = "studies"
    SERIES = "series"
    INSTANCES = "instances"

    @property
    def above(self) -> "tuple[SearchLevel, ...]":
        """This level and those above it, the highest first."""
        levels = tuple(SearchLevel)
        return levels[: levels.index(self) + 1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Attribute:
    """One attribute, or one of the items of a sequence."""

    keyword: str
    level: SearchLevel
    within: str = ""
    """Keyword of the sequence whose items hold it."""
    matched: bool = True
    default: bool = False
    """It stands in every answer, not only where it is asked for."""
    empty: bool = False
    """It stands there even where it has no value."""

    @property
    def tag(self) -> str:
        """Eight hexadecimal digits in upper case."""
        return tag_of(self.keyword)

    @property
    def vr(self) -> str:
        return dictionary_VR(self.keyword)

    @property
    def path(self) -> str:
        """Keywords from the data set's top, parted by dots."""
        return f"{self.within}.{self.keyword}" if self.within else self.keyword

    @property
    def top(self) -> str:
        """Tag of the attribute itself, or of the sequence that holds it."""
        return tag_of(self.within or self.keyword)


@cache
def tag_of(keyword: str) -> str:
    """The tag of a keyword of the dictionary."""
    return f"{tag_for_keyword(keyword):08X}"


def _told(level: SearchLevel, keywords: str, *, matched: bool = True) -> list[Attribute]:
    """In every answer, empty where it is not known."""
    return [
        Attribute(keyword=one, level=level, matched=matched, default=True, empty=True)
        for one in keywords.split()
    ]


def _known(level: SearchLevel, keywords: str, *, matched: bool = True) -> list[Attribute]:
    """In every answer where it is known."""
    return [
        Attribute(keyword=one, level=level, matched=matched, default=True)
        for one in keywords.split()
    ]


def _more(level: SearchLevel, keywords: str, *, matched: bool = False) -> list[Attribute]:
    """In answers to who asks for it."""
    return [Attribute(keyword=one, level=level, matched=matched) for one in keywords.split()]


def _items(level: SearchLevel, sequence: str, keywords: str) -> list[Attribute]:
    return [Attribute(keyword=one, level=level, within=sequence) for one in keywords.split()]


_STUDY, _SERIES, _INSTANCE = SearchLevel

ATTRIBUTES: Final = (
    *_told(
        _STUDY,
        "StudyDate StudyTime AccessionNumber ModalitiesInStudy ReferringPhysicianName"
        " PatientName PatientID PatientBirthDate PatientSex StudyInstanceUID StudyID",
    ),
    *_told(_STUDY, "NumberOfStudyRelatedSeries NumberOfStudyRelatedInstances", matched=False),
    *_known(_STUDY, "StudyDescription"),
    *_known(
        _STUDY,
        "SpecificCharacterSet InstanceAvailability TimezoneOffsetFromUTC RetrieveURL",
        matched=False,
    ),
    *_more(_STUDY, "SOPClassesInStudy IssuerOfPatientID", matched=True),
    *_more(_STUDY, "OtherPatientIDsSequence"),
    *_items(_STUDY, "OtherPatientIDsSequence", "PatientID IssuerOfPatientID"),
    *_told(_SERIES, "Modality SeriesInstanceUID SeriesNumber"),
    *_told(_SERIES, "NumberOfSeriesRelatedInstances", matched=False),
    *_known(
        _SERIES,
        "SeriesDescription PerformedProcedureStepStartDate PerformedProcedureStepStartTime",
    ),
    *_known(_SERIES, "RequestAttributesSequence", matched=False),
    *_items(_SERIES, "RequestAttributesSequence", "ScheduledProcedureStepID RequestedProcedureID"),
    *_more(_SERIES, "BodyPartExamined InstitutionName StationName", matched=True),
    *_more(
        _SERIES,
        "SeriesDate SeriesTime Laterality Manufacturer ManufacturerModelName ProtocolName",
    ),
    *_told(_INSTANCE, "SOPClassUID SOPInstanceUID InstanceNumber"),
    *_known(_INSTANCE, "NumberOfFrames Rows Columns BitsAllocated", matched=False),
    *_more(_INSTANCE, "AvailableTransferSyntaxUID ContentDate ContentTime AcquisitionDateTime"),
)


def _names() -> dict[str, Attribute]:
    """Each way in which an attribute may be named: by keywords or by tags, parted by dots."""
    names: dict[str, Attribute] = {}
    for one in ATTRIBUTES:
        tags = ".".join(tag_of(step) for step in one.path.split("."))
        names |= {one.path: one, tags: one, tags.lower(): one}
    return names


_NAMES: Final = _names()


def attribute_named(name: str) -> Attribute | None:
    """The attribute of a keyword or of eight hexadecimal digits, or of a path of such."""
    return _NAMES.get(name)


@cache
def tags_of(level: SearchLevel, *, default_only: bool) -> frozenset[bytes]:
    """Tags of what the answers at one level hold of it."""
    return frozenset(
        one.top.encode("ascii")
        for one in ATTRIBUTES
        if one.level is level and not one.within and (one.default or not default_only)
    )
