"""Dates and times of DICOM (PS3.5 §6.2) as FHIR writes them (FHIR 4.0.1 §2.24), and back."""

import re
from datetime import datetime
from typing import Final

from gateway.manifest import values

_MOMENT: Final = re.compile(
    r"(\d{4})-(\d{2})-(\d{2})(?:T(\d{2}):(\d{2}):(\d{2})(\.\d{1,6})?\d*(?:Z|[+-]\d{2}:\d{2}))?",
    re.ASCII,
)


def write_day(date: str) -> str:
    """A DA as a date; empty stays empty."""
    return f"{date[:4]}-{date[4:6]}-{date[6:]}" if date else ""


def write_moment(date: str, time: str, made_at: datetime | None) -> str:
    """A DA and a TM as a dateTime at the offset of `made_at`, without which only the day is told.

    FHIR asks for seconds: those that the TM leaves out are 00.
    """
    if not date or not time or made_at is None:
        return write_day(date)
    whole, dot, fraction = time.partition(".")
    padded = whole.ljust(6, "0")
    clock = f"{padded[:2]}:{padded[2:4]}:{padded[4:]}{dot}{fraction}"
    return f"{write_day(date)}T{clock}{made_at.isoformat()[-6:]}"


def write_instant(moment: datetime | None) -> str:
    """A moment with its offset; empty where there is none."""
    return "" if moment is None else moment.isoformat(timespec="seconds")


def read_moment(text: str) -> tuple[str, str]:
    """The DA and the TM of a date or a dateTime, as the clock on the wall had it; empty if none."""
    found = _MOMENT.fullmatch(text)
    if found is None:
        return "", ""
    year, month, day, hours, minutes, seconds, fraction = found.groups(default="")
    return values.date(f"{year}{month}{day}"), values.time(f"{hours}{minutes}{seconds}{fraction}")


def read_instant(text: str) -> datetime | None:
    """The moment of an instant or a dateTime with an offset, in whole seconds."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return None if moment.utcoffset() is None else moment.replace(microsecond=0)
