"""Reads what a data set says of its pixels, whatever else is wrong with it.

A value that cannot be read counts as absent: a picture with the window of its own range is better
than none.
"""

from collections.abc import Sequence

from pydicom import Dataset

UNREADABLE = (ValueError, TypeError, OverflowError, KeyError, AttributeError, NotImplementedError)
"""What pydicom raises for values that are not what their representation says."""


def numbers(ds: Dataset, keyword: str) -> list[float]:
    """The numbers of an attribute; [] if it is absent, empty or none."""
    try:
        value = ds.get(keyword)
        if value is None or value == "":
            return []
        values = list(value) if isinstance(value, Sequence) else [value]
        return [float(one) for one in values]
    except UNREADABLE:
        return []


def number(ds: Dataset, keyword: str) -> float | None:
    """The first number of an attribute, if any."""
    found = numbers(ds, keyword)
    return found[0] if found else None


def whole(ds: Dataset, keyword: str, otherwise: int) -> int:
    """The first number of an attribute as a whole one."""
    found = number(ds, keyword)
    return otherwise if found is None or found != found // 1 else int(found)


def text(ds: Dataset, keyword: str) -> str:
    """The first text of an attribute; "" if there is none."""
    try:
        value = ds.get(keyword)
        if isinstance(value, Sequence) and not isinstance(value, str):
            value = value[0] if value else None
        return "" if value is None else str(value).strip()
    except UNREADABLE:
        return ""


def items(ds: Dataset, keyword: str) -> Sequence[Dataset]:
    """The items of a sequence; [] if it is absent or none."""
    try:
        value = ds.get(keyword)
        return value if isinstance(value, Sequence) and not isinstance(value, str | bytes) else []
    except UNREADABLE:
        return []


def item(ds: Dataset, keyword: str) -> Dataset | None:
    """The first item of a sequence, if any."""
    found = items(ds, keyword)
    return found[0] if found and isinstance(found[0], Dataset) else None


def of_frame(ds: Dataset, frame: int, keyword: str) -> Dataset | None:
    """The item of a functional group that holds for a frame (PS3.3 §C.7.6.16).

    Args:
        frame: counted from 0.
        keyword: of the group's sequence.
    """
    per_frame = items(ds, "PerFrameFunctionalGroupsSequence")
    own = item(per_frame[frame], keyword) if frame < len(per_frame) else None
    if own is not None:
        return own
    shared = item(ds, "SharedFunctionalGroupsSequence")
    return None if shared is None else item(shared, keyword)
