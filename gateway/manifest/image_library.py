"""Reads the Image Library of a MADO manifest (TID 1600), which describes series and instances.

Concepts are known by their code value alone: drafts used the scheme 99IHE where DICOM now has
codes, and both are written. Descriptors of an instance lie in its item, or before it as siblings.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from gateway.manifest import concepts
from gateway.manifest.concepts import code_value, read_code
from gateway.manifest.data_set import DataSet
from gateway.manifest.model import Selection
from gateway.manifest.values import code_string
from indexer.contract.document import Code


@dataclass(slots=True, kw_only=True)
class InstanceWords:
    """What the library tells of one instance; empty where it tells nothing."""

    number: str = ""
    frames: str = ""
    title: Code | None = None
    text: str = ""

    @property
    def selection(self) -> Selection | None:
        """Of a key object document: other instances have no title and no text."""
        told = self.title is not None or self.text
        return Selection(title=self.title, text=self.text) if told else None


@dataclass(slots=True, kw_only=True)
class SeriesEntry:
    """What the library tells of one series; empty where it tells nothing."""

    series: str = ""
    modality: str = ""
    number: str = ""
    description: str = ""
    date: str = ""
    time: str = ""
    region: Code | None = None
    instances: dict[str, InstanceWords] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class Library:
    """What the libraries of a manifest tell; others than MADO's have none."""

    regions: tuple[Code, ...] = ()
    series: dict[str, SeriesEntry] = field(default_factory=dict)
    """By Series Instance UID."""


def read_library(tree: list[DataSet], schemes: dict[str, str]) -> Library:
    """The regions and series that the libraries in a content tree describe."""
    libraries = [one for one in tree if _is(one, concepts.LIBRARY)]
    described = [one for library in libraries for one in library.items("ContentSequence")]
    regions = (
        read_code(one, "ConceptCodeSequence", schemes)
        for one in described
        if _is(one, concepts.TARGET_REGION)
    )
    entries = [_entry(one, schemes) for one in described if _is(one, concepts.GROUP)]
    return Library(
        regions=tuple(one for one in regions if one is not None),
        series={one.series: one for one in entries},
    )


def _entry(group: DataSet, schemes: dict[str, str]) -> SeriesEntry:
    entry, pending = SeriesEntry(), InstanceWords()
    for item in group.items("ContentSequence"):
        if instance := item.first("ReferencedSOPSequence").text("ReferencedSOPInstanceUID"):
            for nested in item.items("ContentSequence"):
                _describe_instance(pending, nested, schemes)
            entry.instances[instance] = pending
            pending = InstanceWords()
        elif not _describe_series(entry, item, schemes):
            _describe_instance(pending, item, schemes)
    return entry


def _describe_series(entry: SeriesEntry, item: DataSet, schemes: dict[str, str]) -> bool:
    """Keep what the item tells of the series; false if it tells nothing of one."""
    concept = code_value(item, "ConceptNameCodeSequence")
    if concept == concepts.MODALITY:
        entry.modality = code_string(code_value(item, "ConceptCodeSequence"))
    elif concept == concepts.SERIES_UID:
        entry.series = item.text("UID")
    elif concept == concepts.SERIES_NUMBER:
        entry.number = _value(item)
    elif concept == concepts.TARGET_REGION:
        entry.region = entry.region or read_code(item, "ConceptCodeSequence", schemes)
    elif concept in concepts.SERIES_DESCRIPTION.values:
        entry.description = _value(item)
    elif concept in concepts.SERIES_DATE.values:
        entry.date = item.text("Date")
    elif concept in concepts.SERIES_TIME.values:
        entry.time = item.text("Time")
    else:
        return False
    return True


def _describe_instance(words: InstanceWords, item: DataSet, schemes: dict[str, str]) -> None:
    concept = code_value(item, "ConceptNameCodeSequence")
    if concept == concepts.INSTANCE_NUMBER:
        words.number = _value(item)
    elif concept == concepts.FRAMES:
        words.frames = _value(item)
    elif concept == concepts.DOCUMENT_TITLE:
        words.title = read_code(item, "ConceptCodeSequence", schemes)
    elif concept == concepts.KEY_OBJECT_DESCRIPTION:
        words.text = _value(item)


def _is(item: DataSet, concept: str) -> bool:
    return code_value(item, "ConceptNameCodeSequence") == concept


def _value(item: DataSet) -> str:
    """The value of a TEXT or NUM item: drafts write one where the standard has the other."""
    return item.text("TextValue") or next(_numbers(item), "")


def _numbers(item: DataSet) -> Iterator[str]:
    return (one.text("NumericValue") for one in item.items("MeasuredValueSequence"))
