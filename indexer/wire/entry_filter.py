"""Which entries of a patient a stored query asks for: a plain decision on each."""

import fnmatch
import re
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from indexer.contract.document import Code, DocumentEntry, ReferenceId
from indexer.contract.errors import InvalidValue
from indexer.wire import ebrim_vocabulary as names
from indexer.wire import xds_values as values
from indexer.wire.elements import read_system
from indexer.wire.stored_query import ENTRY, StoredQuery

_CODES: dict[str, Callable[[DocumentEntry], tuple[Code, ...]]] = {
    "ClassCode": lambda entry: (entry.class_code,),
    "TypeCode": lambda entry: (entry.type_code,),
    "PracticeSettingCode": lambda entry: (entry.practice_setting,),
    "HealthcareFacilityTypeCode": lambda entry: (entry.facility,),
    "EventCodeList": lambda entry: entry.event_codes,
    "ConfidentialityCode": lambda entry: entry.confidentiality,
    "FormatCode": lambda entry: (entry.format_code,),
}
_REPEATED = frozenset({"EventCodeList", "ConfidentialityCode"})
"""Attributes of several values, whose slots are joined by AND."""
_TIMES: dict[str, Callable[[DocumentEntry], datetime | None]] = {
    "CreationTime": lambda entry: entry.created_at,
    "ServiceStartTime": lambda entry: entry.service_start,
    "ServiceStopTime": lambda entry: entry.service_stop,
}

_Test = Callable[[DocumentEntry], bool]


@dataclass(frozen=True, slots=True)
class EntryFilter:
    """All that an entry must meet, beside its patient and its status."""

    tests: tuple[_Test, ...]

    def matches(self, entry: DocumentEntry) -> bool:
        return all(test(entry) for test in self.tests)


def read_filter(query: StoredQuery) -> EntryFilter:
    """The filter of a query's parameters.

    Raises:
        InvalidValue: a parameter is malformed, or has more values than it may.
    """
    return EntryFilter(
        (*_codes(query), *_times(query), *_authors(query), *_types(query), *_references(query))
    )


def _codes(query: StoredQuery) -> list[_Test]:
    tests: list[_Test] = []
    for name, of in _CODES.items():
        if name in _REPEATED:
            slots = query.every(ENTRY + name, _read_code)
        else:
            slots = [query.several(ENTRY + name, _read_code)] if query.told(ENTRY + name) else []
        tests.extend(_has_one(of, set(slot)) for slot in slots)
    return tests


def _has_one(
    of: Callable[[DocumentEntry], tuple[Code, ...]], asked: Collection[tuple[str, str]]
) -> _Test:
    return lambda entry: any((one.code, one.scheme) in asked for one in of(entry))


def _read_code(text: str) -> tuple[str, str]:
    """`code^^scheme` (ITI TF-2 §3.18.4.1.2.3.5)."""
    code, between, scheme = text.partition("^^")
    if not between or not code or not scheme:
        raise InvalidValue("not a code with its scheme")
    return code, read_system(scheme)


def _times(query: StoredQuery) -> list[_Test]:
    tests: list[_Test] = []
    for name, of in _TIMES.items():
        since = query.one(f"{ENTRY}{name}From", values.read_moment)
        until = query.one(f"{ENTRY}{name}To", values.read_moment)
        if since is not None or until is not None:
            tests.append(_within(of, since, until))
    return tests


def _within(
    of: Callable[[DocumentEntry], datetime | None], since: datetime | None, until: datetime | None
) -> _Test:
    def test(entry: DocumentEntry) -> bool:
        moment = of(entry)
        if moment is None:  # what does not tell the time is not left out because of it
            return True
        return (since is None or since <= moment) and (until is None or moment < until)

    return test


def _authors(query: StoredQuery) -> list[_Test]:
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


def _types(query: StoredQuery) -> list[_Test]:
    types = query.several(f"{ENTRY}Type", str)
    if not types or names.STABLE_DOCUMENT in types:
        return []
    return [lambda entry: False]  # every document here is a stable one


def _references(query: StoredQuery) -> list[_Test]:
    slots = query.every(f"{ENTRY}ReferenceIdList", values.read_reference)
    return [_refers(set(slot)) for slot in slots]


def _refers(asked: Collection[ReferenceId | None]) -> _Test:
    return lambda entry: any(one in asked for one in entry.reference_ids)
