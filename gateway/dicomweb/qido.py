"""The query of a search (PS3.18 §10.6.1.2): what is asked for, and what is answered of it."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import Final

from gateway.dicomweb.attributes import (
    ATTRIBUTES,
    Attribute,
    SearchLevel,
    attribute_named,
    tag_of,
    tags_of,
)
from gateway.dicomweb.charsets import ensure_utf_8
from gateway.dicomweb.matching import Condition, Exactly, Manner, Range, ensure_forward, read_value
from gateway.errors import InvalidRequest
from indexer.contract.identifiers import Uid

LIMIT_DEFAULT: Final = 100
"""Results of a search that names no limit."""
LIMIT_MAX: Final = 1000
OFFSET_MAX: Final = 10**9
PARAMETERS_MAX: Final = 100
FIELDS_MAX: Final = 1000
"""Attributes that `includefield` names, in all."""

_CHARSET: Final = "charset"
_CONTROLS: Final = frozenset({"accept", _CHARSET})
_MANNERS: Final = {
    "fuzzymatching": "fuzzy",
    "emptyvaluematching": "empty",
    "multiplevaluematching": "multiple",
}
_PAGE: Final = frozenset({"limit", "offset"})
_INCLUDE: Final = "includefield"
_ALL: Final = "all"

PARAMETERS: Final = (
    *(one.path for one in ATTRIBUTES if one.matched), *sorted(_PAGE), *_MANNERS, _INCLUDE,
    *sorted(_CONTROLS),
)  # fmt: skip
"""Names of what a search heeds, at every level; attributes go by their tags, too."""

# Texts of the standard (PS3.18 §8.3.4). The name of an unknown parameter is the
# caller's own text and may name a patient, so it is not given back.
_UNKNOWN: Final = "At least one parameter is not supported and has been ignored."
_UNKNOWN_FIELD: Final = "At least one field to be included is not supported and has been ignored."

_COMBINED: Final = (
    ("StudyDate", "StudyTime"),
    ("PerformedProcedureStepStartDate", "PerformedProcedureStepStartTime"),
)
"""A range of the one and a range of the other are one range of instants (PS3.4 §C.2.2.2.5)."""

_ALWAYS: Final = frozenset(
    tag_of(keyword).encode("ascii")
    for keyword in (
        "SpecificCharacterSet", "InstanceAvailability", "TimezoneOffsetFromUTC", "RetrieveURL",
        "StudyInstanceUID",
    )
)  # fmt: skip
"""Tags of what stands in answers at each level."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """What is asked of one attribute: that one of the conditions holds."""

    attribute: Attribute
    conditions: tuple[Condition, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchQuery:
    """What to look for, and what to tell of it."""

    level: SearchLevel
    keys: tuple[Key, ...] = ()
    """All of them must hold; those of one sequence in the same item."""
    tags: frozenset[bytes] = frozenset()
    """Of the attributes that are answered, eight hexadecimal digits each."""
    limit: int = LIMIT_DEFAULT
    offset: int = 0
    warnings: tuple[str, ...] = ()
    """What was passed over, as texts of a Warning header."""


def parse_query(
    level: SearchLevel,
    parameters: Iterable[tuple[str, str]],
    *,
    study: Uid | None = None,
    series: Uid | None = None,
) -> SearchQuery:
    """The query of a request.

    Args:
        level: what the address searches.
        parameters: names and values in their order, percent-decoded.
        study: of the address.
        series: of the address.

    Raises:
        InvalidRequest: a known parameter is given twice, or its value is none.
    """
    sorted_out = _SortedOut(parameters)
    controls = sorted_out.controls
    manner = Manner(**{field: _flag(controls, name) for name, field in _MANNERS.items()})
    keys = []
    for attribute, value in sorted_out.asked.values():
        asked = read_value(attribute, value, manner)
        if asked:
            keys.append(Key(attribute=attribute, conditions=asked))
    keys = _combined(keys)
    for key in keys:
        ensure_forward(key.attribute.path, key.conditions)
    named = {"StudyInstanceUID": study, "SeriesInstanceUID": series}
    keys += [_is(keyword, uid) for keyword, uid in named.items() if uid is not None]
    tags = _told(level, *_told_besides(level, study, series), everything=sorted_out.all)
    fields = [*sorted_out.included, *(attribute for attribute, _ in sorted_out.asked.values())]
    # Of a level below nothing is told (PS3.18 §10.6.3.3).
    asked_for = {one.top.encode("ascii") for one in fields if one.level in level.above}
    return SearchQuery(
        level=level,
        keys=tuple(keys),
        tags=tags | asked_for,
        limit=min(_count(controls, "limit", LIMIT_DEFAULT), LIMIT_MAX),
        offset=_count(controls, "offset", 0),
        warnings=tuple(sorted_out.warnings),
    )


class _SortedOut:
    """The parameters of a request by what they mean."""

    def __init__(self, parameters: Iterable[tuple[str, str]]) -> None:
        self.controls: dict[str, str] = {}
        self.asked: dict[str, tuple[Attribute, str]] = {}
        self.included: list[Attribute] = []
        self.all = False
        self.warnings: dict[str, None] = {}
        """In the order of the parameters, each once."""
        self._fields = 0
        for count, (name, value) in enumerate(parameters):
            if count >= PARAMETERS_MAX:
                raise InvalidRequest(f"a search has at most {PARAMETERS_MAX} parameters")
            self._take(name, value)

    def _take(self, name: str, value: str) -> None:
        attribute = attribute_named(name)
        if name == _INCLUDE:
            self._include(value)
        elif name in _PAGE or name in _MANNERS:
            if name in self.controls:
                raise InvalidRequest(f"{name} is given twice")
            self.controls[name] = value
        elif attribute is not None and (attribute.matched or not value.strip()):
            if attribute.path in self.asked:
                raise InvalidRequest(f"{attribute.path} is given twice")
            self.asked[attribute.path] = (attribute, value)
        elif name == _CHARSET:
            ensure_utf_8(value)
        elif name not in _CONTROLS:
            self.warnings[_UNKNOWN] = None

    def _include(self, value: str) -> None:
        for field in value.split(","):
            self._fields += 1
            if self._fields > FIELDS_MAX:
                raise InvalidRequest(f"more than {FIELDS_MAX} fields are to be included")
            attribute = attribute_named(field.strip())
            if field.strip() == _ALL:
                self.all = True
            elif attribute is not None:
                self.included.append(attribute)
            else:
                self.warnings[_UNKNOWN_FIELD] = None


def _combined(keys: list[Key]) -> list[Key]:
    by_keyword = {key.attribute.path: key for key in keys}
    for date, time in _COMBINED:
        of_date, of_time = by_keyword.get(date), by_keyword.get(time)
        if of_date is None or of_time is None:
            continue
        match (of_date.conditions, of_time.conditions):
            case ((Range(is_span=True) as days,), (Range(is_span=True) as times,)) if bool(
                days.low
            ) == bool(times.low) and bool(days.high) == bool(times.high):
                instants = Range(days.low + times.low, days.high + times.high)
                by_keyword[date] = Key(attribute=of_date.attribute, conditions=(instants,))
                del by_keyword[time]
    return list(by_keyword.values())


def _is(keyword: str, uid: Uid) -> Key:
    attribute = attribute_named(keyword)
    assert attribute is not None, "a keyword of the table"
    return Key(attribute=attribute, conditions=(Exactly(uid),))


def _told_besides(
    level: SearchLevel, study: Uid | None, series: Uid | None
) -> Iterable[SearchLevel]:
    """Levels above whose attributes are told, too, for the address does not name which they are of
    (PS3.18 §10.6.3.3)."""
    if study is None and level is not SearchLevel.STUDIES:
        yield SearchLevel.STUDIES
    if series is None and level is SearchLevel.INSTANCES:
        yield SearchLevel.SERIES


@cache
def _told(level: SearchLevel, *above: SearchLevel, everything: bool) -> frozenset[bytes]:
    """Tags of what is told of a result, and of levels above it, to who names no attribute."""
    tags = set(_ALWAYS)
    if level is SearchLevel.INSTANCES:
        tags.add(tag_of("SeriesInstanceUID").encode("ascii"))
    for one in (level, *above):
        tags |= tags_of(one, default_only=not everything)
    return frozenset(tags)


def _flag(controls: dict[str, str], name: str) -> bool:
    value = controls.get(name, "false")
    if value not in ("true", "false"):
        raise InvalidRequest(f"{name} is neither true nor false")
    return value == "true"


def _count(controls: dict[str, str], name: str, default: int) -> int:
    text = controls.get(name)
    if text is None:
        return default
    digits = text.isascii() and text.isdigit() and len(text) <= len(str(OFFSET_MAX))
    if not digits or int(text) > OFFSET_MAX:
        raise InvalidRequest(f"{name} is not a number from 0 to {OFFSET_MAX}")
    return int(text)
