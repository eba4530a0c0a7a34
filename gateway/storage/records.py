"""Dataclasses as JSON records, for the columns that hold a whole value.

A record outlives the program that wrote it. Fields that an old record lacks take their defaults,
and fields that this program does not know are passed over, so it may be rolled back.
"""

from base64 import b64decode, b64encode
from datetime import datetime
from typing import TypeVar

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
    return orjson.dumps(_converter.unstructure(value), option=orjson.OPT_SORT_KEYS)


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
    converter = make_converter(detailed_validation=False)
    converter.register_unstructure_hook(bytes, lambda value: b64encode(value).decode("ascii"))
    converter.register_structure_hook(bytes, lambda text, _: b64decode(text, validate=True))
    converter.register_unstructure_hook(datetime, _unstructure_time)
    converter.register_structure_hook(datetime, lambda text, _: datetime.fromisoformat(text))
    return converter


def _unstructure_time(value: datetime) -> str:
    if value.tzinfo is None:
        raise ValueError("a time without an offset means another instant elsewhere")
    return value.isoformat()


_converter = _make_converter()
