"""Reads elements of a data set whose writer is not to be trusted: what is not there is empty."""

from pydicom import config
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue
from pydicom.sequence import Sequence

# Values that break their VR are read as they are; a warning would quote them in the log.
config.settings.reading_validation_mode = config.IGNORE


def text(item: Dataset, keyword: str) -> str:
    """The first value as text, without its padding."""
    value = item.get(keyword)
    if isinstance(value, MultiValue):
        value = value[0] if value else None
    if value is None or isinstance(value, bytes | Sequence):
        return ""
    return str(value).strip(" \0")


def texts(item: Dataset, keyword: str) -> list[str]:
    """Each value as text, without its padding."""
    value = item.get(keyword)
    several = value if isinstance(value, MultiValue) else [value]
    return [str(one).strip(" \0") for one in several if one not in (None, "")]


def items(item: Dataset, keyword: str) -> list[Dataset]:
    """The items of a sequence."""
    value = item.get(keyword)
    return list(value) if isinstance(value, Sequence) else []


def first(item: Dataset, keyword: str) -> Dataset | None:
    """The first item of a sequence, if it has one."""
    return next(iter(items(item, keyword)), None)
