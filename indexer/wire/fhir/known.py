"""Knows again what was read lately, where many resources name the same few.

A centre names the same people, structures and codes in each of its documents.
"""

from collections.abc import Callable
from functools import wraps
from typing import Final, Protocol, TypeVar

import orjson

from indexer.wire.outcome import Json


class Told(Protocol):
    """What is read: a JSON object."""

    fields: Json


E = TypeVar("E", bound=Told)
T = TypeVar("T")

KEPT_MAX: Final = 1024
"""Values of one reader; a country has more, and the oldest goes."""
JSON_BYTES_MAX: Final = 1024
"""Of what is known again; nobody who tells more is kept in memory for it."""


def knowing_again(read: Callable[[E], T]) -> Callable[[E], T]:
    """The same reader of immutable values, which reads equal JSON once.

    What is refused is read again, for a refusal tells where it stands.
    """
    kept: dict[bytes, T] = {}

    @wraps(read)
    def reading(element: E) -> T:
        try:
            told = orjson.dumps(element.fields)
        except TypeError:  # it is nested too deep, or came from XML and holds what JSON has not
            return read(element)
        found = kept.get(told)
        if found is not None:
            return found
        found = read(element)
        if len(told) <= JSON_BYTES_MAX:
            if len(kept) >= KEPT_MAX:
                del kept[next(iter(kept))]
            kept[told] = found
        return found

    return reading
