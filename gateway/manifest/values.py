"""Values as a data set may hold them (PS3.5 §6.2), made from texts of any origin.

PACS, modalities and reports send texts that are too long or hold what DICOM forbids. A description
is cut, for a part of it still helps; an identifier is left out, for a part of it names another
thing.

The standard counts characters. Validators and databases count bytes, so a value that is written in
UTF-8 keeps to the limit in bytes, too.
"""

import re
import unicodedata
from datetime import datetime
from functools import lru_cache

SHORT_LENGTH_MAX = 16  # of SH
LONG_LENGTH_MAX = 64  # of LO and of each group of a PN
_UNWRITABLE = frozenset({"Cc", "Cs", "Zl", "Zp"})  # controls, halves of a pair, line separators

_CODE = re.compile(r"[A-Z0-9_ ]{1,16}", re.ASCII)
_INTEGER = re.compile(r"[+-]?[0-9]{1,11}", re.ASCII)
_DATE = re.compile(r"[0-9]{8}", re.ASCII)
_TIME = re.compile(
    r"([01][0-9]|2[0-3])(?:([0-5][0-9])(?:([0-5][0-9]|60)(\.[0-9]{1,6})?)?)?", re.ASCII
)
_INTEGER_MAX = 2**31 - 1


def clean(text: str) -> str:
    """The text on one line, without the characters that no data set can hold.

    It is composed (NFC): decomposed accents would not fit Latin-1.
    """
    if text.isascii() and text.isprintable():  # nearly all texts, and by far the fastest answer
        return text.strip()
    composed = unicodedata.normalize("NFC", text)
    kept = (" " if unicodedata.category(one) in _UNWRITABLE else one for one in composed)
    return "".join(kept).strip()


def long_string(text: str, encoding: str) -> str:
    """A description as LO: at most 64 long; a backslash would part it into two values."""
    return _cut(clean(text.replace("\\", "/")), LONG_LENGTH_MAX, encoding)


def identifier(text: str, encoding: str, *, length_max: int) -> str:
    """The identifier whole, or empty where the VR cannot hold it whole."""
    told = whole(text)
    return told if _length(told, encoding) <= length_max else ""


def whole(text: str) -> str:
    """The identifier, or empty where no document can hold it whole."""
    told = text.strip()
    return told if "\\" not in told and clean(told) == told else ""


def component(text: str) -> str:
    """One component of a person name, without what would part it from its neighbours."""
    return clean(re.sub(r"[\\^=]", " ", text))


def person_name(text: str, encoding: str) -> str:
    """A person name as PN: at most three groups, of five components, 64 long each."""
    named = (
        "^".join(component(one) for one in group.split("^")[:5]) for group in text.split("=")[:3]
    )
    groups = (_cut(group.rstrip("^"), LONG_LENGTH_MAX, encoding) for group in named)
    return "=".join(groups).rstrip("=")


def two_names(text: str) -> str:
    """The family and given name of a person name, or empty where it has neither."""
    family, _, rest = text.partition("=")[0].partition("^")
    return f"{component(family)}^{component(rest.partition('^')[0])}".rstrip("^")


def institution(name: str, number: str, encoding: str) -> str:
    """A structure as LO in the way of HL7's XON: name first, number tenth.

    The name gives way where both do not fit: consumers look for the number.
    """
    end = f"^^^^^^^^^{identifier(number, encoding, length_max=LONG_LENGTH_MAX - 9)}"
    return _cut(component(name), LONG_LENGTH_MAX - _length(end, encoding), encoding) + end


def code_string(text: str) -> str:
    """A CS, or empty where the text is none."""
    told = text.strip()
    return told if _CODE.fullmatch(told) else ""


def integer_string(text: str) -> str:
    """An IS, or empty where the text is none or does not fit 32 bits."""
    told = text.strip()
    held = _INTEGER.fullmatch(told) is not None and abs(int(told)) <= _INTEGER_MAX
    return told if held else ""


@lru_cache(maxsize=2048)  # a manifest counts the instances of each series
def number(text: str) -> str:
    """An IS in its shortest form, or empty where the text is none."""
    told = integer_string(text)
    return str(int(told)) if told else ""


def date(text: str) -> str:
    """A DA, or empty where the text is no day of the calendar.

    Full stops, which ACR-NEMA wrote between the parts, are taken out.
    """
    told = text.strip().replace(".", "")
    if not _DATE.fullmatch(told):
        return ""
    try:
        datetime(int(told[:4]), int(told[4:6]), int(told[6:]))  # noqa: DTZ001 - a day has no zone
    except ValueError:
        return ""
    return told


def time(text: str) -> str:
    """A TM, or empty where the text is no time of day; colons are taken out as in `date`."""
    told = text.strip().replace(":", "")
    return told if _TIME.fullmatch(told) else ""


def wall_clock(date_text: str, time_text: str) -> datetime | None:
    """The moment that a DA and a TM name, without a zone; noon where the time is unknown."""
    day = date(date_text)
    if not day:
        return None
    found = _TIME.fullmatch(time(time_text))
    hours, minutes, seconds = (
        (int(part or 0) for part in found.group(1, 2, 3)) if found else (12, 0, 0)
    )
    return datetime(  # noqa: DTZ001 - the caller knows the zone
        int(day[:4]), int(day[4:6]), int(day[6:]), hours, minutes, min(seconds, 59)
    )


def sex(text: str) -> str:
    """M, F or O; empty where the report does not tell (PS3.3 §C.7.1.1)."""
    told = text.strip().upper()
    return told if told in ("M", "F", "O") else ""


def _cut(text: str, length_max: int, encoding: str) -> str:
    """The beginning of the text; an accent is not parted from its letter."""
    end = min(len(text), length_max)
    while end > 0 and (_length(text[:end], encoding) > length_max or _parts_accent(text, end)):
        end -= 1
    return text[:end].rstrip()


def _parts_accent(text: str, end: int) -> bool:
    return end < len(text) and unicodedata.combining(text[end]) > 0


def _length(text: str, encoding: str) -> int:
    """Bytes of the text, or its characters where it does not fit the encoding."""
    return len(text.encode(encoding, "replace"))
