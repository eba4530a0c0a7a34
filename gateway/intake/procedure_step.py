"""Reads what a modality says of the procedure step that it performs (PS3.4 Annex F, PS3.3 §C.4.14).

Pure: a request goes in, what matters of it comes out, or it is refused with a status.
"""

import re
from dataclasses import dataclass
from datetime import date
from typing import Final

from pydicom import Dataset

from gateway.catalogue.header import items, text, uid
from gateway.dimse.commands import NRequest
from gateway.dimse.statuses import Refused, Status
from gateway.errors import InvalidRequest
from indexer.contract.errors import InvalidValue
from indexer.contract.identifiers import Uid

IN_PROGRESS: Final = "IN PROGRESS"
FINAL: Final = frozenset({"COMPLETED", "DISCONTINUED"})

SCHEDULED_MAX: Final = 256
"""Scheduled steps that one performed step may fulfil; it has a handful."""

_STATUS: Final = "PerformedProcedureStepStatus"
_SCHEDULED: Final = "ScheduledStepAttributesSequence"
_SERIES: Final = "PerformedSeriesSequence"
_CREATED: Final = (
    "PerformedProcedureStepID",
    "PerformedStationAETitle",
    "PerformedProcedureStepStartDate",
    "PerformedProcedureStepStartTime",
    "Modality",
)
"""Of type 1 in an N-CREATE (PS3.4 Table F.7.2-1), beside the status and the scheduled steps."""
_ENDED: Final = ("PerformedProcedureStepEndDate", "PerformedProcedureStepEndTime", _SERIES)
"""What must have been told once a step is in a final state; of each series its UID and its Protocol
Name, which is of type 1 for SCU and SCP in every message (PS3.4 Table F.7.2-1)."""

_DATE = re.compile(r"(\d{4})\.?(\d\d)\.?(\d\d)", re.ASCII)
_TIME = re.compile(r"\d\d(:?\d\d(:?\d\d(\.\d{1,6})?)?)?", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class StepWord:
    """What one N-CREATE or N-SET says of a step."""

    status: str
    """Empty where an N-SET leaves it as it was."""
    studies: tuple[Uid, ...] = ()
    """Studies that the step belongs to; said by the N-CREATE alone."""
    told: frozenset[str]
    """Which of the attributes that a final state needs were told, by keyword."""


def read_created(request: NRequest) -> StepWord:
    """What an N-CREATE says.

    Raises:
        Refused: an attribute of type 1 is absent (0120), empty (0121) or bad (0106).
        InvalidRequest: the data set cannot be decoded.
    """
    ds = request.data_set()
    if _required(ds, _STATUS) != IN_PROGRESS:
        raise Refused("a step begins IN PROGRESS", Status.INVALID_ATTRIBUTE_VALUE)
    for keyword in _CREATED:
        _check(keyword, _required(ds, keyword))
    scheduled = _items(ds, _SCHEDULED)
    if not scheduled:
        raise _missing(ds, _SCHEDULED)
    if len(scheduled) > SCHEDULED_MAX:
        raise InvalidRequest(f"{_SCHEDULED} has over {SCHEDULED_MAX} items")
    studies = [_named(item, "StudyInstanceUID") for item in scheduled]
    return StepWord(
        status=IN_PROGRESS, studies=tuple(dict.fromkeys(studies)), told=_told_of_end(ds)
    )


def read_set(request: NRequest) -> StepWord:
    """What an N-SET says.

    Raises:
        Refused: a value is bad (0106), or a series does not say what it must (0120, 0121).
        InvalidRequest: the data set cannot be decoded.
    """
    ds = request.data_set()
    status = text(ds, _STATUS)
    if status not in FINAL | {IN_PROGRESS, ""}:
        raise Refused(f"{_STATUS} is none", Status.INVALID_ATTRIBUTE_VALUE)
    return StepWord(status=status, told=_told_of_end(ds))


def check_final(told: frozenset[str]) -> None:
    """A final state has told when the step ended, and at least one series (PS3.4 §F.7.2.1.1).

    Raises:
        Refused: it has not (0120).
    """
    for keyword in _ENDED:
        if keyword not in told:
            raise Refused(f"{keyword} is absent", Status.MISSING_ATTRIBUTE)


def _told_of_end(ds: Dataset) -> frozenset[str]:
    told = set()
    for keyword in _ENDED[:2]:
        if value := text(ds, keyword):
            _check(keyword, value)
            told.add(keyword)
    for series in _items(ds, _SERIES):
        _named(series, "SeriesInstanceUID")
        _required(series, "ProtocolName")
        told.add(_SERIES)
    return frozenset(told)


def _required(ds: Dataset, keyword: str) -> str:
    if value := text(ds, keyword):
        return value
    raise _missing(ds, keyword)


def _missing(ds: Dataset, keyword: str) -> Refused:
    if keyword in ds:
        return Refused(f"{keyword} is empty", Status.MISSING_ATTRIBUTE_VALUE)
    return Refused(f"{keyword} is absent", Status.MISSING_ATTRIBUTE)


def _items(ds: Dataset, keyword: str) -> list[Dataset]:
    try:
        return items(ds, keyword)
    except InvalidValue as error:
        raise Refused(str(error), Status.INVALID_ATTRIBUTE_VALUE) from None


def _named(ds: Dataset, keyword: str) -> Uid:
    _required(ds, keyword)
    try:
        return uid(ds, keyword)
    except InvalidValue as error:
        raise Refused(str(error), Status.INVALID_ATTRIBUTE_VALUE) from None


def _check(keyword: str, value: str) -> None:
    if keyword.endswith("Date"):
        is_good = _is_date(value)
    elif keyword.endswith("Time"):
        is_good = _TIME.fullmatch(value) is not None
    else:
        is_good = True
    if not is_good:
        raise Refused(f"{keyword} is none", Status.INVALID_ATTRIBUTE_VALUE)


def _is_date(value: str) -> bool:
    found = _DATE.fullmatch(value)
    try:
        return found is not None and bool(date(*map(int, found.groups())))
    except ValueError:
        return False
