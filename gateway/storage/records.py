"""Dataclasses as JSON records, for the columns that hold a whole value.

A record outlives the program that wrote it. Fields that an old record lacks take their defaults,
and fields that this program does not know are passed over, so it may be rolled back.
"""

from base64 import b64decode, b64encode
from collections.abc import Iterable
from datetime import datetime
from typing import Any, TypeVar

import orjson
from cattrs import Converter
from cattrs.preconf.orjson import make_converter

V = TypeVar("V")


class UnreadableRecord(ValueError):
    """A stored record is no value of its type. The message does not quote it: it names patients."""


def encode(value: object) -> bytes:
    """The record of a dataclass. Equal values give equal bytes, unless times differ in offset.

    Fields may be dataclasses, texts and their validating subclasses, numbers, bytes, StrEnums,
    aware datetimes, None, and tuples, frozensets and dicts of these.

    Raises:
        ValueError: a datetime has no offset.
    """
    return _dump(_converter.unstructure(value))


def decode(type_: type[V], data: bytes) -> V:
    """The value of a record that `encode` made, validated by its type's own constructors.

    Raises:
        UnreadableRecord: the record is none of `type_`.
    """
    try:
        return _converter.structure(orjson.loads(data), type_)
    except Exception:
        # Not chained: the cause quotes what it could not read.
        raise UnreadableRecord(f"not a record of {type_.__name__}") from None


def _make_converter() -> Converter:
    converter = make_converter(
        detailed_validation=False, unstruct_collection_overrides={frozenset: _unstructure_set}
    )
    converter.register_unstructure_hook(bytes, lambda value: b64encode(value).decode("ascii"))
    converter.register_structure_hook(bytes, lambda text, _: b64decode(text, validate=True))
    converter.register_unstructure_hook(datetime, _unstructure_time)
    converter.register_structure_hook(
        datetime, lambda text, _: _aware(datetime.fromisoformat(text))
    )
    for scalar in (str, int, float, bool):
        converter.register_structure_hook(scalar, _structure_scalar)
    return converter


def _structure_scalar(value: object, type_: type[Any]) -> Any:
    """Cattrs would call the type, which makes a name "None" of a null."""
    wanted = str if issubclass(type_, str) else (int, float) if type_ is float else type_
    if not isinstance(value, wanted):
        raise TypeError("a scalar of another type")
    return value if type(value) is type_ else type_(value)


def _unstructure_set(items: Iterable[Any]) -> list[Any]:
    return sorted(items, key=_dump)


def _unstructure_time(value: datetime) -> str:
    return _aware(value).isoformat()


def _aware(value: datetime) -> datetime:
    if value.tzinfo is None:
        raise ValueError("a time without an offset means another instant elsewhere")
    return value


def _dump(value: Any) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


_converter = _make_converter()
