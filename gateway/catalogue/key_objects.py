"""Reads what a key object document says of the images that it selects (PS3.16 TID 2010)."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from pydicom import Dataset

from indexer.contract.errors import InvalidValue
from indexer.contract.identifiers import Uid

SELECTED_MAX: Final = 1000
"""Instances that are kept of one document; radiologists select a handful."""
TEXT_LENGTH_MAX: Final = 1024
"""Characters that are kept of its description."""

_DESCRIPTION: Final = "113012"  # DCM, Key Object Description


@dataclass(frozen=True, slots=True, kw_only=True)
class Selected:
    """What one document says."""

    text: str = ""
    instances: tuple[Uid, ...] = ()


def read_selected(ds: Dataset) -> Selected:
    """The description and the instances of a document's content tree.

    Best effort: what cannot be read is passed over, for the document is only listed by it.
    """
    found = list(_items(ds, "ContentSequence"))
    texts = (_text(one, "TextValue") for one in found if _concept(one) == _DESCRIPTION)
    instances = (uid for one in found for uid in _referenced(one))
    return Selected(
        text=next(texts, "")[:TEXT_LENGTH_MAX],
        instances=tuple(dict.fromkeys(instances))[:SELECTED_MAX],
    )


def _referenced(item: Dataset) -> Iterator[Uid]:
    for one in _items(item, "ReferencedSOPSequence"):
        try:
            yield Uid(_text(one, "ReferencedSOPInstanceUID"))
        except InvalidValue:
            continue


def _concept(item: Dataset) -> str:
    return next((_text(one, "CodeValue") for one in _items(item, "ConceptNameCodeSequence")), "")


def _items(item: Dataset, keyword: str) -> Iterator[Dataset]:
    return (one for one in item.get(keyword) or () if isinstance(one, Dataset))


def _text(item: Dataset, keyword: str) -> str:
    value = item.get(keyword)
    return value.strip(" \0") if isinstance(value, str) else ""
