"""The query of a search (PS3.18 §10.6.1.2): what may be asked, and what is made of it.

Matched are unique ids, patient id and accession number, each as a whole; what else is asked for
is passed over, and the client is told so. Every attribute that we hold is in every answer, so
`includefield` changes nothing.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from pydicom.datadict import tag_for_keyword

from gateway.errors import InvalidRequest
from indexer.contract.errors import InvalidValue
from indexer.contract.identifiers import Uid

LIMIT_DEFAULT: Final = 100
"""Results of a search that names no limit."""
LIMIT_MAX: Final = 1000
OFFSET_MAX: Final = 10**9
UIDS_MAX: Final = 1000
"""Unique ids in one list."""
TEXT_LENGTH_MAX: Final = 64  # characters of an LO, PS3.5 §6.2
PARAMETERS_MAX: Final = 100

_CONTROLS: Final = frozenset({"accept", "charset", "includefield"})
_NOT_SUPPORTED: Final = frozenset({"fuzzymatching", "emptyvaluematching", "multiplevaluematching"})
_SINGLE: Final = ("PatientID", "AccessionNumber")
_LISTS: Final = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")


class SearchLevel(StrEnum):
    """What the results of a search are (PS3.18 §10.6.1)."""

    STUDIES = "studies"
    SERIES = "series"
    INSTANCES = "instances"


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchQuery:
    """What to look for; None matches all."""

    level: SearchLevel
    studies: tuple[Uid, ...] | None = None
    series: tuple[Uid, ...] | None = None
    instances: tuple[Uid, ...] | None = None
    patient_id: str | None = None
    accession: str | None = None
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
    keys: dict[str, str] = {}
    passed_over: list[str] = []
    for count, (name, value) in enumerate(parameters):
        if count >= PARAMETERS_MAX:
            raise InvalidRequest(f"a search has at most {PARAMETERS_MAX} parameters")
        known = _BY_NAME.get(name)
        if known is not None:
            if known in keys:
                raise InvalidRequest(f"{known} is given twice")
            keys[known] = value
        elif name in _NOT_SUPPORTED and value != "false":
            passed_over.append(_LITERAL.format(name))
        elif name not in _CONTROLS | _NOT_SUPPORTED and _UNKNOWN not in passed_over:
            passed_over.append(_UNKNOWN)
    return SearchQuery(
        level=level,
        studies=_within(study, _uids(keys, "StudyInstanceUID")),
        series=_within(series, _uids(keys, "SeriesInstanceUID")),
        instances=_uids(keys, "SOPInstanceUID"),
        patient_id=_text(keys, "PatientID"),
        accession=_text(keys, "AccessionNumber"),
        limit=min(_count(keys, "limit", LIMIT_DEFAULT, most=OFFSET_MAX), LIMIT_MAX),
        offset=_count(keys, "offset", 0, most=OFFSET_MAX),
        warnings=tuple(passed_over),
    )


# Texts of the standard (PS3.18 §8.3.4). The name of an unknown parameter is the
# caller's own text and may name a patient, so it is not given back.
_LITERAL: Final = "The {} parameter is not supported. Only literal matching has been performed."
_UNKNOWN: Final = "At least one parameter is not supported and has been ignored."


def _names() -> dict[str, str]:
    """A keyword or its tag in hexadecimal leads to the keyword (PS3.18 §8.3.4.1)."""
    names = {name: name for name in ("limit", "offset")}
    for keyword in (*_SINGLE, *_LISTS):
        tag = f"{tag_for_keyword(keyword):08X}"
        names |= {keyword: keyword, tag: keyword, tag.lower(): keyword}
    return names


_BY_NAME: Final = _names()


def _uids(keys: dict[str, str], keyword: str) -> tuple[Uid, ...] | None:
    """A list parted by commas, or by backslashes as in C-FIND (PS3.4 §C.2.2.2.2)."""
    if not (text := keys.get(keyword, "")):
        return None
    parts = text.replace("\\", ",").split(",")
    if len(parts) > UIDS_MAX:
        raise InvalidRequest(f"{keyword} lists more than {UIDS_MAX} unique ids")
    try:
        return tuple(Uid(part.strip()) for part in parts)
    except InvalidValue as error:
        raise InvalidRequest(f"{keyword} is {error}") from None


def _within(named: Uid | None, asked: tuple[Uid, ...] | None) -> tuple[Uid, ...] | None:
    """What the address names, if the query does not exclude it."""
    if named is None:
        return asked
    return (named,) if asked is None or named in asked else ()


def _text(keys: dict[str, str], keyword: str) -> str | None:
    text = keys.get(keyword, "").strip()
    if not text:
        return None
    if len(text) > TEXT_LENGTH_MAX:
        raise InvalidRequest(f"{keyword} is longer than {TEXT_LENGTH_MAX} characters")
    if set(text) & set("*?\\"):
        raise InvalidRequest(f"{keyword} is matched as a whole: no wildcards, no lists")
    return text


def _count(keys: dict[str, str], name: str, default: int, *, most: int) -> int:
    text = keys.get(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdigit()) or len(text) > len(str(most)):
        raise InvalidRequest(f"{name} is not a number from 0 to {most}")
    return int(text)
