"""Reads the Image Library of a MADO manifest (TID 1600), which describes series and instances.

Concepts are known by their code value alone: drafts used the scheme 99IHE where DICOM now has
codes, and both are written. Descriptors of an instance lie in its item, or before it as siblings.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from pydicom.dataset import Dataset

from gateway.manifest import concepts
from gateway.manifest.concepts import code_value, content_tree, read_code
from gateway.manifest.elements import first, items, text
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


def read_library(document: Dataset, schemes: dict[str, str]) -> Library:
    """The regions and series that the document's libraries describe."""
    libraries = [one for one in content_tree(document) if _is(one, concepts.LIBRARY)]
    described = [one for library in libraries for one in items(library, "ContentSequence")]
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


def _entry(group: Dataset, schemes: dict[str, str]) -> SeriesEntry:
    entry, pending = SeriesEntry(), InstanceWords()
    for item in items(group, "ContentSequence"):
        if reference := first(item, "ReferencedSOPSequence"):
            for nested in items(item, "ContentSequence"):
                _describe_instance(pending, nested, schemes)
            entry.instances[text(reference, "ReferencedSOPInstanceUID")] = pending
            pending = InstanceWords()
        elif not _describe_series(entry, item, schemes):
            _describe_instance(pending, item, schemes)
    return entry


def _describe_series(entry: SeriesEntry, item: Dataset, schemes: dict[str, str]) -> bool:
    """Keep what the item tells of the series; false if it tells nothing of one."""
    concept = code_value(item, "ConceptNameCodeSequence")
    if concept == concepts.MODALITY:
        entry.modality = code_string(code_value(item, "ConceptCodeSequence"))
    elif concept == concepts.SERIES_UID:
        entry.series = text(item, "UID")
    elif concept == concepts.SERIES_NUMBER:
        entry.number = _value(item)
    elif concept == concepts.TARGET_REGION:
        entry.region = entry.region or read_code(item, "ConceptCodeSequence", schemes)
    elif concept in concepts.SERIES_DESCRIPTION.values:
        entry.description = _value(item)
    elif concept in concepts.SERIES_DATE.values:
        entry.date = text(item, "Date")
    elif concept in concepts.SERIES_TIME.values:
        entry.time = text(item, "Time")
    else:
        return False
    return True


def _describe_instance(words: InstanceWords, item: Dataset, schemes: dict[str, str]) -> None:
    concept = code_value(item, "ConceptNameCodeSequence")
    if concept == concepts.INSTANCE_NUMBER:
        words.number = _value(item)
    elif concept == concepts.FRAMES:
        words.frames = _value(item)
    elif concept == concepts.DOCUMENT_TITLE:
        words.title = read_code(item, "ConceptCodeSequence", schemes)
    elif concept == concepts.KEY_OBJECT_DESCRIPTION:
        words.text = _value(item)


def _is(item: Dataset, concept: str) -> bool:
    return code_value(item, "ConceptNameCodeSequence") == concept


def _value(item: Dataset) -> str:
    """The value of a TEXT or NUM item: drafts write one where the standard has the other."""
    return text(item, "TextValue") or next(_numbers(item), "")


def _numbers(item: Dataset) -> Iterator[str]:
    return (text(one, "NumericValue") for one in items(item, "MeasuredValueSequence"))
