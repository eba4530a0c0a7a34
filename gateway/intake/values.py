"""Values that messages and the CDA in them both hold, in the one form that the gateway keeps.

What a sender may repeat or spell out at will has its bounds here.
"""

import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta, timezone
from typing import Final, TypeVar
from zoneinfo import ZoneInfo

from gateway.errors import InvalidRequest
from indexer.contract.errors import InvalidValue
from indexer.contract.identifiers import (
    INS_NIA,
    INS_NIR,
    INS_NIR_DEMO,
    INS_NIR_TEST,
    Ins,
    Oid,
)

T = TypeVar("T")

INS_OIDS: Final = frozenset({INS_NIR, INS_NIA, INS_NIR_TEST, INS_NIR_DEMO})
"""Authorities of an INS: real ones by number, and those of tests and demonstrations."""

VALUE_LENGTH_MAX = 1024  # characters of one name, code or identifier

ENTRIES_MAX = 256
"""Studies, accessions, orders, or codes of one study: a report has a handful of each."""

_FLAG = re.compile(r"[A-Z0-9_.-]{1,64}", re.ASCII)
_TIME = re.compile(
    r"(\d{4})(?:(\d\d)(?:(\d\d)(?:(\d\d)(?:(\d\d)(?:(\d\d)(?:\.\d{1,9})?)?)?)?)?)?"
    r"(?:([+-])(\d\d)(\d\d))?",
    re.ASCII,
)
_YEARS = range(1850, 2200)
_BIRTH_DATE = re.compile(r"(\d{4}(?:\d\d(?:\d\d)?)?)(?:\d*(?:\.\d+)?(?:[+-]\d{4})?)", re.ASCII)


def ins_or_none(value: str, oid: str) -> Ins | None:
    """The INS, or None where the number is malformed or its authority is not named."""
    try:
        return Ins(value=value, oid=Oid(oid))
    except InvalidValue:
        return None


def oid_or_empty(text: str) -> str:
    """The text if it is an OID: an authority by any other name cannot be compared."""
    try:
        return Oid(text)
    except InvalidValue:
        return ""


def birth_date(value: str) -> str:
    """The date of a time stamp: a whole one as YYYYMMDD, else as much of it as is known.

    Raises:
        ValueError: it is no date.
    """
    if not value:
        return ""
    found = _BIRTH_DATE.fullmatch(value)
    if not found:
        raise ValueError("no date")
    known = found[1]
    datetime(int(known[:4]), int(known[4:6] or 1), int(known[6:] or 1))  # noqa: DTZ001, a date
    return known


def point_in_time(value: str, time_zone: ZoneInfo, *, certain: bool = False) -> datetime:
    """The point in time of a time stamp, in UTC; a part left out counts as its start.

    Args:
        time_zone: holds where the value names no offset.
        certain: refuse a time that clocks show twice, when summer ends; else the first is meant.

    Raises:
        ValueError: it is no date or time.
    """
    found = _TIME.fullmatch(value)
    if not found or int(found[1]) not in _YEARS:
        raise ValueError("no date or time")
    year, month, day, hour, minute, second = (
        int(part) if part else default
        for part, default in zip(found.groups()[:6], (0, 1, 1, 0, 0, 0), strict=True)
    )
    zone = _offset(found[7], found[8], found[9]) if found[7] else time_zone
    shown = datetime(year, month, day, hour, minute, second, tzinfo=zone)
    if certain and shown.utcoffset() != shown.replace(fold=1).utcoffset():
        raise ValueError("the clock shows it twice")
    return shown.astimezone(UTC)


def _offset(sign: str, hours: str, minutes: str) -> timezone:
    east = timedelta(hours=int(hours), minutes=int(minutes))
    return timezone(east if sign == "+" else -east)


def sex_letter(code: str) -> str:
    """M or F, U for any other word about it, empty where there is none."""
    return code.upper() if code.upper() in ("M", "F", "") else "U"


def person_name(family: str, given: str) -> str:
    """A name as DICOM writes it (PS3.5 §6.2.1): its delimiters inside a part become blanks."""
    parts = [re.sub(r"[\\^=]", " ", part).strip() for part in (family, given)]
    return "^".join(parts).rstrip("^")


def distinct(found: Iterable[T], name: str) -> list[T]:
    """Each once, in their order.

    Raises:
        InvalidRequest: there are too many.
    """
    several = list(dict.fromkeys(found))
    if len(several) > ENTRIES_MAX:
        raise InvalidRequest(f"there are more than {ENTRIES_MAX} different {name}")
    return several


def flag_name(code: str) -> str:
    """The code of a visibility that is not known here, as an operator may read it.

    Raises:
        InvalidRequest: it is no code, so it could be anything.
    """
    if not _FLAG.fullmatch(code):
        raise InvalidRequest("the code of a visibility flag is malformed")
    return code
