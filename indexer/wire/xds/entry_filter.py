"""Reads which entries of a patient a stored query asks for."""

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Final

from indexer.contract.document import DocumentEntry
from indexer.contract.errors import InvalidValue
from indexer.wire import hl7_values as values
from indexer.wire.entry_tests import CODES, EntryFilter, Test, has_code, refers
from indexer.wire.outcome import XdsError, xds_refusal
from indexer.wire.xds import vocabulary as names
from indexer.wire.xds.stored_query import ENTRY, StoredQuery

_REPEATED = frozenset({"EventCodeList", "ConfidentialityCode"})
"""Attributes of several values, whose slots are joined by AND."""
_TIMES: dict[str, Callable[[DocumentEntry], datetime | None]] = {
    "CreationTime": lambda entry: entry.created_at,
    "ServiceStartTime": lambda entry: entry.service_start,
    "ServiceStopTime": lambda entry: entry.service_stop,
}

PATTERNS_MAX: Final = 32
PATTERN_LENGTH_MAX: Final = 256
"""Characters; an author told in full has some seventy."""


def read_filter(query: StoredQuery) -> EntryFilter:
    """The filter of a query's parameters.

    Raises:
        InvalidValue: a parameter is malformed, or has more values than it may.
    """
    return EntryFilter(
        (*_codes(query), *_times(query), *_authors(query), *_types(query), *_references(query))
    )


def _codes(query: StoredQuery) -> list[Test]:
    tests: list[Test] = []
    for name, of in CODES.items():
        if name in _REPEATED:
            slots = query.every(ENTRY + name, _read_code)
        else:
            slots = [query.several(ENTRY + name, _read_code)] if query.told(ENTRY + name) else []
        tests.extend(has_code(of, slot) for slot in slots)
    return tests


def _read_code(text: str) -> tuple[str, str]:
    """`code^^scheme` (ITI TF-2 §3.18.4.1.2.3.5)."""
    code, between, scheme = text.partition("^^")
    if not between or not code or not scheme:
        raise InvalidValue("not a code with its scheme")
    return code, scheme


def _times(query: StoredQuery) -> list[Test]:
    tests: list[Test] = []
    for name, of in _TIMES.items():
        since = query.one(f"{ENTRY}{name}From", values.read_moment)
        until = query.one(f"{ENTRY}{name}To", values.read_moment)
        if since is not None or until is not None:
            tests.append(_within(of, since, until))
    return tests


def _within(
    of: Callable[[DocumentEntry], datetime | None], since: datetime | None, until: datetime | None
) -> Test:
    def test(entry: DocumentEntry) -> bool:
        moment = of(entry)
        if moment is None:  # what does not tell the time is not left out because of it
            return True
        return (since is None or since <= moment) and (until is None or moment < until)

    return test


def _authors(query: StoredQuery) -> list[Test]:
    name = f"{ENTRY}AuthorPerson"
    patterns = query.several(name, _read_pattern)
    if len(patterns) > PATTERNS_MAX:
        reason = f"{name} has more than {PATTERNS_MAX} values"
        raise xds_refusal(reason, XdsError.PARAMETER_NUMBER)
    if not patterns:
        return []
    likes = _Likes(patterns)

    def test(entry: DocumentEntry) -> bool:
        return any(likes.match(values.write_person(one.person)) for one in entry.every_author)

    return [test]


def _read_pattern(text: str) -> str:
    if len(text) > PATTERN_LENGTH_MAX:
        raise InvalidValue(f"longer than {PATTERN_LENGTH_MAX} characters")
    return text


class _Likes:
    """Patterns of SQL's LIKE: `%` is any text, `_` any character.

    All of them are followed at once, by a bit for each place in each, so that a text takes a step a
    character whatever the patterns are: they come from outside, and are tried on every name.
    """

    def __init__(self, patterns: Iterable[str]) -> None:
        self._first = self._last = self._stays = self._any = place = 0
        self._of: dict[str, int] = {}
        for pattern in patterns:
            self._first |= 1 << place
            for one in pattern:
                if one == "%":
                    self._stays |= 1 << place
                    continue
                if one == "_":
                    self._any |= 1 << place
                else:
                    self._of[one] = self._of.get(one, 0) | 1 << place
                place += 1
            self._last |= 1 << place
            place += 1

    def match(self, text: str) -> bool:
        """Whether one of them matches the whole text."""
        at = self._first
        for one in text:
            at = (at & (self._any | self._of.get(one, 0))) << 1 | at & self._stays
        return bool(at & self._last)


def _types(query: StoredQuery) -> list[Test]:
    types = query.several(f"{ENTRY}Type", str)
    if not types or names.STABLE_DOCUMENT in types:
        return []
    return [lambda entry: False]  # every document here is a stable one


def _references(query: StoredQuery) -> list[Test]:
    slots = query.every(f"{ENTRY}ReferenceIdList", values.read_reference)
    return [refers([one for one in slot if one is not None]) for slot in slots]
