"""Values of search parameters (R4 §3.1.1.4): tokens, dates with prefixes, texts.

A value may be several, parted by commas, of which one must hold; a parameter that is told twice
must hold twice.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, TypeVar

from indexer.contract.errors import InvalidValue
from indexer.wire.outcome import IssueCode, Refusal

T = TypeVar("T")

VALUES_MAX: Final = 64

Parameters = Sequence[tuple[str, str]]

_DATE: Final = re.compile(
    r"(?P<prefix>[a-z]{2})?(?P<year>[0-9]{4})(?:-(?P<month>[0-9]{2})(?:-(?P<day>[0-9]{2})"
    r"(?:T(?P<hour>[0-9]{2}):(?P<minute>[0-9]{2})(?::(?P<second>[0-9]{2})(?P<fraction>\.[0-9]+)?)?"
    r"(?P<zone>Z|[+-][0-9]{2}:[0-9]{2})?)?)?)?",
    re.ASCII,
)
_PREFIXES: Final = frozenset({"eq", "ne", "gt", "lt", "ge", "le", "sa", "eb"})


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter as it was told, its name apart from its modifier."""

    name: str
    modifier: str
    value: str

    def refuse(self, what: str, code: IssueCode) -> Refusal:
        """The refusal of it; its value is not told, for it may name a patient."""
        return Refusal(f"{self.name} {what}", code=code)

    def plain(self) -> "Parameter":
        """The same, if it has no modifier."""
        if self.modifier:
            raise self.refuse(f"has no modifier {self.modifier} here", IssueCode.NOT_SUPPORTED)
        return self

    def values(self) -> list[str]:
        """Its alternatives, still escaped."""
        found = _split(self.value, ",")
        if len(found) > VALUES_MAX:
            raise self.refuse(f"has more than {VALUES_MAX} values", IssueCode.TOO_LONG)
        return found

    def parsed(self, text: str, parse: Callable[[str], T]) -> T:
        """What a text of it is."""
        try:
            return parse(text)
        except InvalidValue as error:
            raise self.refuse(f"is refused: {error}", IssueCode.VALUE) from error

    def tokens(self) -> "list[Token]":
        """Its alternatives as tokens (R4 §3.1.1.4.10)."""
        return [self.parsed(one, _read_token) for one in self.values()]

    def dates(self) -> "list[DateRange]":
        """Its alternatives as dates (R4 §3.1.1.4.7)."""
        return [self.parsed(one, read_date_range) for one in self.values()]

    def texts(self) -> list[str]:
        """Its alternatives as texts (R4 §3.1.1.4.8)."""
        found = [unescape(one) for one in self.values()]
        if not all(found):
            raise self.refuse("is empty", IssueCode.VALUE)
        return found


@dataclass(frozen=True, slots=True)
class Token:
    """A code or an identifier within its system; None is any."""

    system: str | None
    code: str | None


@dataclass(frozen=True, slots=True)
class DateRange:
    """A date as far as it is told, up to just before its end, and how it is compared."""

    prefix: str
    begin: datetime
    end: datetime

    def meets(self, since: datetime | None, until: datetime | None) -> bool:
        """Whether a time from `since` to `until` is one asked for; None is without a bound."""
        within = (
            since is not None and until is not None and self.begin <= since and until < self.end
        )
        match self.prefix:
            case "eq":
                return within
            case "ne":
                return not within
            case "sa":
                return since is not None and since >= self.end
            case "gt":
                return until is None or until >= self.end
            case "ge":
                return until is None or until >= self.begin
            case "lt":
                return since is None or since < self.begin
            case "le":
                return since is None or since < self.end
            case _:  # eb
                return until is not None and until < self.begin


def read_date_range(text: str) -> DateRange:
    """A date of any precision with its prefix; without a zone it is in UTC, as XDS's are.

    Raises:
        InvalidValue: it is none.
    """
    found = _DATE.fullmatch(text)
    if found is None:
        raise InvalidValue("not a date")
    prefix = found["prefix"] or "eq"
    if prefix not in _PREFIXES:
        raise InvalidValue("a prefix that is none here")
    zone = (found["zone"] or "Z").replace("Z", "+00:00")
    fraction = (found["fraction"] or "")[:7]
    written = (
        f"{found['year']}-{found['month'] or '01'}-{found['day'] or '01'}"
        f"T{found['hour'] or '00'}:{found['minute'] or '00'}:{found['second'] or '00'}"
        f"{fraction.ljust(7, '0') if fraction else ''}{zone}"
    )
    try:
        begin = datetime.fromisoformat(written).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise InvalidValue("no such date") from error
    return DateRange(prefix, begin, _end(begin, found))


def _end(begin: datetime, told: re.Match[str]) -> datetime:
    """The first moment that is no longer within the date."""
    try:
        if told["month"] is None:
            return begin.replace(year=begin.year + 1)
        if told["day"] is None:
            return (begin + timedelta(days=31)).replace(day=1)
        return begin + _precision(told)
    except (ValueError, OverflowError):
        return datetime.max.replace(tzinfo=UTC)


def _precision(told: re.Match[str]) -> timedelta:
    if told["hour"] is None:
        return timedelta(days=1)
    if told["second"] is None:
        return timedelta(minutes=1)
    digits = len((told["fraction"] or ".")[1:7])
    return timedelta(microseconds=10 ** (6 - digits))


def _read_token(text: str) -> Token:
    *system, code = _split(text, "|")
    if len(system) > 1 or not (code or system):
        raise InvalidValue("no token")
    if not system:
        return Token(None, unescape(code))
    if not code and not system[0]:
        raise InvalidValue("no token")
    return Token(unescape(system[0]), unescape(code) if code else None)


def _split(text: str, separator: str) -> list[str]:
    """The pieces between separators that are not escaped."""
    pieces, begin = [], 0
    escaped = False
    for place, character in enumerate(text):
        if escaped:
            escaped = False
        elif character == "\\":
            escaped = True
        elif character == separator:
            pieces.append(text[begin:place])
            begin = place + 1
    return [*pieces, text[begin:]]


def escape(text: str) -> str:
    """A text as it stands in a value (R4 §3.1.1.4.1)."""
    return re.sub(r"([\\$,|])", r"\\\1", text)


def unescape(text: str) -> str:
    """The inverse of `escape`."""
    return re.sub(r"\\([\\$,|])", r"\1", text)
