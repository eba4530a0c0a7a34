"""Reads which entries of a patient a stored query asks for."""

import fnmatch
import re
from collections.abc import Callable
from datetime import datetime
from typing import Final

from indexer.contract.document import DocumentEntry
from indexer.contract.errors import InvalidValue
from indexer.wire import ebrim_vocabulary as names
from indexer.wire import xds_values as values
from indexer.wire.entry_tests import CODES, EntryFilter, Test, has_code, refers
from indexer.wire.stored_query import ENTRY, StoredQuery

_REPEATED = frozenset({"EventCodeList", "ConfidentialityCode"})
"""Attributes of several values, whose slots are joined by AND."""
_TIMES: dict[str, Callable[[DocumentEntry], datetime | None]] = {
    "CreationTime": lambda entry: entry.created_at,
    "ServiceStartTime": lambda entry: entry.service_start,
    "ServiceStopTime": lambda entry: entry.service_stop,
}


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
    patterns = query.several(f"{ENTRY}AuthorPerson", _read_pattern)
    if not patterns:
        return []

    def test(entry: DocumentEntry) -> bool:
        author = values.write_person(entry.author)
        return any(pattern.fullmatch(author) for pattern in patterns)

    return [test]


_LIKE: Final = {"%": "*", "_": "?", "*": "[*]", "?": "[?]", "[": "[[]"}


def _read_pattern(text: str) -> re.Pattern[str]:
    """What SQL's LIKE would match: `%` is any text, `_` any character.

    In the words of a shell, whose patterns Python matches without ever going back over a text.
    """
    return re.compile(fnmatch.translate("".join(_LIKE.get(one, one) for one in text)))


def _types(query: StoredQuery) -> list[Test]:
    types = query.several(f"{ENTRY}Type", str)
    if not types or names.STABLE_DOCUMENT in types:
        return []
    return [lambda entry: False]  # every document here is a stable one


def _references(query: StoredQuery) -> list[Test]:
    slots = query.every(f"{ENTRY}ReferenceIdList", values.read_reference)
    return [refers([one for one in slot if one is not None]) for slot in slots]
