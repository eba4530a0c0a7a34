"""The search of a record's journal by form: FHIR's parameters of AuditEvent."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from indexer.contract.errors import InvalidValue
from indexer.contract.identifiers import Ins
from indexer.wire.fhir.search_controls import (
    AFTER,
    CONTROLS,
    PATIENT,
    once,
    read_count,
    read_parameter,
    read_patient,
    refuse_unknown,
)
from indexer.wire.fhir.search_values import Parameter, Parameters
from indexer.wire.outcome import IssueCode, Refusal

DATE: Final = "date"
_DIGITS_MAX: Final = 18  # of a number that a column can hold
_NEVER: Final = 10**_DIGITS_MAX


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalSearch:
    """A page of a record's journal, the latest lines first."""

    patient: Ins
    before: int = _NEVER
    """Position that is not reached any more."""
    since_ms: int = -_NEVER
    until_ms: int = _NEVER
    """Lines from the one moment to just before the other, in milliseconds since 1970."""
    lines_max: int


def read_journal_search(parameters: Parameters) -> JournalSearch:
    """The search that parameters ask for.

    Raises:
        Refusal: a parameter is unknown, malformed or absent.
    """
    told = [read_parameter(one) for one in parameters]
    for one in told:
        if one.name not in CONTROLS | {PATIENT, DATE}:
            raise refuse_unknown(one)
    patient, after, count = (once(told, name) for name in (PATIENT, AFTER, "_count"))
    if patient is None:
        raise Refusal(f"{PATIENT} is missing", code=IssueCode.REQUIRED)
    spans = [_span(one.plain()) for one in told if one.name == DATE]
    return JournalSearch(
        patient=read_patient(patient),
        before=after.parsed(after.value, _read_position) if after else _NEVER,
        since_ms=max((since for since, _ in spans), default=-_NEVER),
        until_ms=min((until for _, until in spans), default=_NEVER),
        lines_max=read_count(count),
    )


def _span(one: Parameter) -> tuple[int, int]:
    """From which moment and until which a date asks for."""
    [asked, *more] = one.dates()
    if more:
        raise one.refuse("must be one date", IssueCode.NOT_SUPPORTED)
    begin, end = _epoch_ms(asked.begin), _epoch_ms(asked.end)
    match asked.prefix:
        case "eq":
            return begin, end
        case "ge":
            return begin, _NEVER
        case "gt" | "sa":
            return end, _NEVER
        case "lt" | "eb":
            return -_NEVER, begin
        case "le":
            return -_NEVER, end
        case _:
            raise one.refuse("has a prefix that is none here", IssueCode.NOT_SUPPORTED)


def _epoch_ms(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)


def _read_position(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) <= _DIGITS_MAX):
        raise InvalidValue("no place in a journal")
    return int(text)
