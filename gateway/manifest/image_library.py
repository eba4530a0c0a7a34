"""The Image Library of a MADO manifest (IHE RAD, TID 1600), which describes series and instances.

Concepts are known by their code value alone: drafts used the scheme 99IHE where DICOM now has
codes, and both are written. Descriptors of an instance lie in its item, or before it as siblings.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from pydicom.dataset import Dataset

from gateway.manifest.elements import first, items, text
from gateway.manifest.values import code_string

_LIBRARY, _GROUP = "111028", "126200"
_MODALITY, _SERIES_UID, _SERIES_NUMBER = "121139", "112002", "113607"
_SERIES_DESCRIPTION = frozenset({"131563", "MADOTEMP002"})
_INSTANCE_NUMBER, _FRAMES = "113609", "121140"


@dataclass(slots=True, kw_only=True)
class InstanceWords:
    """What the library tells of one instance; empty where it tells nothing."""

    number: str = ""
    frames: str = ""


@dataclass(slots=True, kw_only=True)
class SeriesEntry:
    """What the library tells of one series; empty where it tells nothing."""

    series: str = ""
    modality: str = ""
    number: str = ""
    description: str = ""
    instances: dict[str, InstanceWords] = field(default_factory=dict)


def read_library(document: Dataset) -> dict[str, SeriesEntry]:
    """The series that the library describes, by Series Instance UID; none where there is none."""
    libraries = (one for one in items(document, "ContentSequence") if _concept(one) == _LIBRARY)
    groups = (
        _entry(group)
        for library in libraries
        for group in items(library, "ContentSequence")
        if _concept(group) == _GROUP
    )
    return {entry.series: entry for entry in groups}


def _entry(group: Dataset) -> SeriesEntry:
    entry, pending = SeriesEntry(), InstanceWords()
    for item in items(group, "ContentSequence"):
        concept = _concept(item)
        if reference := first(item, "ReferencedSOPSequence"):
            for nested in items(item, "ContentSequence"):
                _describe_instance(pending, _concept(nested), nested)
            entry.instances[text(reference, "ReferencedSOPInstanceUID")] = pending
            pending = InstanceWords()
        elif concept == _MODALITY:
            entry.modality = code_string(_code(item, "ConceptCodeSequence"))
        elif concept == _SERIES_UID:
            entry.series = text(item, "UID")
        elif concept == _SERIES_NUMBER:
            entry.number = _value(item)
        elif concept in _SERIES_DESCRIPTION:
            entry.description = _value(item)
        else:
            _describe_instance(pending, concept, item)
    return entry


def _describe_instance(words: InstanceWords, concept: str, item: Dataset) -> None:
    if concept == _INSTANCE_NUMBER:
        words.number = _value(item)
    elif concept == _FRAMES:
        words.frames = _value(item)


def _concept(item: Dataset) -> str:
    return _code(item, "ConceptNameCodeSequence")


def _code(item: Dataset, keyword: str) -> str:
    found = first(item, keyword)
    return "" if found is None else text(found, "CodeValue") or text(found, "LongCodeValue")


def _value(item: Dataset) -> str:
    """The value of a TEXT or NUM item: drafts write one where the standard has the other."""
    return text(item, "TextValue") or next(_numbers(item), "")


def _numbers(item: Dataset) -> Iterator[str]:
    return (text(one, "NumericValue") for one in items(item, "MeasuredValueSequence"))
