"""What the value of a search key asks for (PS3.4 §C.2.2.2), by the value representation of its
attribute: one value, a list, wildcards, a range, words of a name, or that there is no value.

A date or time that is told in part stands for all of it: 1025 is any instant of that minute.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date
from typing import Final

from gateway.dicomweb.attributes import Attribute
from gateway.dicomweb.names import asked_words, fold
from gateway.errors import InvalidRequest
from indexer.contract.errors import InvalidValue
from indexer.contract.identifiers import Uid

UIDS_MAX: Final = 1000
"""Unique ids in one list."""
VALUES_MAX: Final = 100
"""Values in any other list."""
TEXT_LENGTH_MAX: Final = 256
"""Characters of one value; the longest VR that is matched holds 64, and a name 64 a group."""
WILDCARDS_MAX: Final = 8
"""Asterisks in one value; each more makes a comparison longer by a factor."""

_EMPTY: Final = '""'  # PS3.4 §C.2.2.2.7
_DATE: Final = re.compile(r"(\d{4})\.?(\d{2})\.?(\d{2})", re.ASCII)  # dots: ACR-NEMA (PS3.5 §6.2)
_TIME: Final = re.compile(
    r"([01]\d|2[0-3])(?::?([0-5]\d)(?::?([0-5]\d|60)(\.\d{1,6})?)?)?", re.ASCII
)
_NUMBER: Final = re.compile(r"[+-]?\d{1,12}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Exactly:
    """The value is this one."""

    text: str


@dataclass(frozen=True, slots=True)
class Pattern:
    """The value has this form: `*` stands for any characters, `?` for one."""

    text: str

    @property
    def start(self) -> str:
        """What the value begins with."""
        return re.split(r"[*?]", self.text, maxsplit=1)[0]


@dataclass(frozen=True, slots=True)
class Range:
    """The value lies between these, both included; an empty end is open. Of digits alone, so that
    texts are compared."""

    low: str
    high: str
    is_span: bool = True
    """It was written as a range, not as a single value."""

    @property
    def below(self) -> str:
        """What all values of the range are less than: what `high` begins is within it."""
        return f"{self.high}:" if self.high else ""


@dataclass(frozen=True, slots=True)
class Number:
    """The value is this number, however it is written (PS3.4 §C.2.2.2.1.5)."""

    value: int


@dataclass(frozen=True, slots=True)
class Words:
    """Words of the name begin with those of one way for each part (see `names.asked_words`)."""

    parts: tuple[tuple[tuple[str, ...], ...], ...]


@dataclass(frozen=True, slots=True)
class Empty:
    """There is no value."""


Condition = Exactly | Pattern | Range | Number | Words | Empty


@dataclass(frozen=True, slots=True, kw_only=True)
class Manner:
    """How the values of a search are to be read (PS3.18 §8.3.4)."""

    fuzzy: bool = False
    empty: bool = False
    multiple: bool = False


def read_value(attribute: Attribute, value: str, manner: Manner) -> tuple[Condition, ...]:
    """What is asked of an attribute, one of which must hold; none if anything will do.

    Raises:
        InvalidRequest: the value is none of the attribute's VR. The value is not quoted.
    """
    asked = tuple(
        condition
        for one in _listed(attribute, value, manner)
        if (condition := _read_one(attribute, one, manner)) is not None
    )
    return () if any(condition == Pattern("*") for condition in asked) else asked


def normal_date(text: str) -> str:
    """The eight digits of a date; empty if it is none."""
    parts = _DATE.fullmatch(text.strip())
    if parts is None:
        return ""
    try:
        date(*(int(part) for part in parts.groups()))
    except ValueError:
        return ""
    return "".join(parts.groups())


def normal_time(text: str) -> str:
    """The digits of a time to the second, and what of a fraction is no padding; empty if it is
    none. Seconds that are not told count as the first."""
    return _padded(_time_digits(text.strip()))


def normal_number(text: str) -> int | None:
    """The value of a whole number; None if it is none, or longer than an IS (PS3.5 §6.2)."""
    return int(text) if _NUMBER.fullmatch(text.strip()) else None


def _listed(attribute: Attribute, value: str, manner: Manner) -> list[str]:
    """The values of a list: of unique ids always, of others where the client says so."""
    value = value.strip()
    if not value:
        return []
    is_list = attribute.vr == "UI" or manner.multiple
    if not is_list and "\\" in value:
        raise InvalidRequest(f"{attribute.path} is a list, without multiplevaluematching")
    # A comma may stand in a text, but not in these.
    commas = attribute.vr in ("UI", "IS", "DA", "TM", "CS")
    parted = re.split(r"[\\,]" if commas else r"\\", value) if is_list else [value]
    values_max = UIDS_MAX if attribute.vr == "UI" else VALUES_MAX
    if len(parted) > values_max:
        raise InvalidRequest(f"{attribute.path} lists more than {values_max} values")
    return [one.strip() for one in parted]


def _read_one(attribute: Attribute, value: str, manner: Manner) -> Condition | None:
    if manner.empty and value == _EMPTY:
        return Empty()
    if len(value) > TEXT_LENGTH_MAX:
        raise InvalidRequest(f"{attribute.path} is longer than {TEXT_LENGTH_MAX} characters")
    if attribute.vr == "PN":
        return _words(value) if manner.fuzzy else _text(attribute, fold(value))
    return _READERS.get(attribute.vr, _text)(attribute, value)


def _text(attribute: Attribute, value: str) -> Condition:
    if not value or "\0" in value:
        raise InvalidRequest(f"{attribute.path} has an empty value in it")
    if "*" not in value and "?" not in value:
        return Exactly(value.rstrip("^ ") if attribute.vr == "PN" else value)
    pattern = re.sub(r"\*+", "*", value)
    if pattern.count("*") > WILDCARDS_MAX:
        raise InvalidRequest(f"{attribute.path} has more than {WILDCARDS_MAX} asterisks")
    return Pattern(pattern)


def _words(value: str) -> Condition:
    asked = asked_words(value)
    return Words(asked) if asked else Pattern("*")


def _uid(attribute: Attribute, value: str) -> Condition:
    try:
        return Exactly(Uid(value))
    except InvalidValue as error:
        raise InvalidRequest(f"{attribute.path} is {error}") from None


def _number(attribute: Attribute, value: str) -> Condition:
    number = normal_number(value)
    if number is None:
        raise InvalidRequest(f"{attribute.path} is not a whole number")
    return Number(number)


def _date_range(attribute: Attribute, value: str) -> Condition:
    return _range(attribute, value, normal_date)


def _time_range(attribute: Attribute, value: str) -> Condition:
    found = _range(attribute, value, _time_digits)
    return Range(_padded(found.low), found.high, is_span=found.is_span)


def _range(attribute: Attribute, value: str, digits: Callable[[str], str]) -> Range:
    ends = [end.strip() for end in value.split("-")]
    read = [digits(end) for end in ends]
    told = [end for end in ends if end]
    if len(ends) > 2 or not told or len([one for one in read if one]) != len(told):
        raise InvalidRequest(f"{attribute.path} is neither a {_KINDS[attribute.vr]} nor a range")
    return Range(read[0], read[-1], is_span=len(ends) > 1)


def ensure_forward(name: str, asked: Iterable[Condition]) -> None:
    """Refuse a range that ends before it begins.

    Raises:
        InvalidRequest: one does.
    """
    for one in asked:
        if isinstance(one, Range) and one.high and one.low >= one.below:
            raise InvalidRequest(f"{name} ends before it begins")


def _time_digits(text: str) -> str:
    """As far as they are told."""
    parts = _TIME.fullmatch(text)
    if parts is None:
        return ""
    hour, minute, second, fraction = (part or "" for part in parts.groups())
    return f"{hour}{minute}{second}{fraction.rstrip('0').rstrip('.')}"


def _padded(digits: str) -> str:
    return digits.ljust(6, "0") if digits else ""


_KINDS: Final = {"DA": "date", "TM": "time"}
_READERS: Final[dict[str, Callable[[Attribute, str], Condition]]] = {
    "UI": _uid,
    "IS": _number,
    "DA": _date_range,
    "TM": _time_range,
}
