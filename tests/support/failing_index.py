"""An index in memory that keeps the contract's rules, and fails when it is told to."""

from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from enum import StrEnum
from typing import TypeVar
from uuid import NAMESPACE_OID, uuid5

from indexer.contract.access import Caller
from indexer.contract.document import (
    DocumentEntry,
    DocumentQuery,
    EntryStatus,
    Receipt,
    Submission,
)
from indexer.contract.errors import IndexUnavailable, NoRecord, SubmissionRejected
from indexer.contract.identifiers import Ins, Uid
from indexer.contract.record import RecordState

T = TypeVar("T")


class Fault(StrEnum):
    """What becomes of one submission or withdrawal, other than being done and answered."""

    UNREACHABLE = "unreachable"
    ANSWER_LOST = "answer_lost"
    DELAYED = "delayed"
    """It arrives only after its sender has given up."""
    REFUSED = "refused"
    NO_RECORD = "no_record"
    """A submission finds no record; a withdrawal is done, for there is nothing to take back."""


class IndexInMemory:
    """Holds each unique id once; in each patient's record one entry of a study is current, and only
    it can be replaced.
    """

    def __init__(self) -> None:
        self.held: list[Submission] = []
        self.withdrawn: list[str] = []
        self.faults: deque[Fault | None] = deque()
        self.current: dict[Ins, str] = {}
        self.on_the_wire: list[Callable[[], object]] = []
        self.records: dict[Ins, RecordState] = {}
        """Those that take nothing."""
        self.tells_of_records = False
        self.tested = 0
        self.refused = 0
        """Submissions that found no record."""

    def acting_for(self, caller: Caller) -> "IndexInMemory":
        return self

    async def record_state(self, patient: Ins) -> RecordState | None:
        self.tested += 1
        return self.records.get(patient, RecordState.OPEN) if self.tells_of_records else None

    async def submit(self, submission: Submission) -> Receipt:
        if self.faults and self.faults[0] is Fault.NO_RECORD:
            self.faults.popleft()
            raise NoRecord(RecordState.ABSENT)
        state = self.records.get(submission.entry.patient)
        if state is not None:
            self.refused += 1
            raise NoRecord(state)
        return self._carry(lambda: self._hold(submission))

    async def withdraw(self, entry_id: str) -> None:
        state = self._record_of(entry_id)
        if state is not None:
            raise NoRecord(state)
        self._carry(lambda: self._withdraw(entry_id))

    def _record_of(self, entry_id: str) -> RecordState | None:
        patients = [
            one.entry.patient for one in self.held if _entry_id(one.entry.unique_id) == entry_id
        ]
        return next((self.records.get(one) for one in patients), None)

    def _carry(self, request: Callable[[], T]) -> T:
        fault = self.faults.popleft() if self.faults else None
        if fault is Fault.UNREACHABLE:
            raise IndexUnavailable("told to be unreachable", never_sent=True)
        if fault is Fault.DELAYED:
            self.on_the_wire.append(request)
            raise IndexUnavailable("told not to answer yet")
        if fault is Fault.REFUSED:
            raise SubmissionRejected("told to refuse", code="told")
        answer = request()
        if fault is Fault.ANSWER_LOST:
            raise IndexUnavailable("told to lose the answer")
        return answer

    def arrive(self) -> None:
        """What was delayed arrives; what it may not do is refused, to nobody's ears."""
        while self.on_the_wire:
            with suppress(SubmissionRejected):
                self.on_the_wire.pop(0)()

    def _hold(self, submission: Submission) -> Receipt:
        entry_id = _entry_id(submission.entry.unique_id)
        if submission.entry.unique_id not in self.unique_ids:
            if submission.replaces in self.withdrawn:
                raise SubmissionRejected("what it replaces is withdrawn", code="deleted")
            if submission.replaces != self.current.get(submission.entry.patient):
                raise SubmissionRejected("what it replaces is not current", code="not-current")
            self.held.append(submission)
            self.current[submission.entry.patient] = entry_id
        return Receipt(entry_id=entry_id)

    def _withdraw(self, entry_id: str) -> None:
        known = entry_id in map(_entry_id, self.unique_ids)
        if known and entry_id not in self.withdrawn:
            self.withdrawn.append(entry_id)
        self.current = {one: held for one, held in self.current.items() if held != entry_id}

    def is_withdrawn(self, submission: Submission) -> bool:
        return _entry_id(submission.entry.unique_id) in self.withdrawn

    def is_current(self, submission: Submission) -> bool:
        return _entry_id(submission.entry.unique_id) in self.current.values()

    @property
    def unique_ids(self) -> list[Uid]:
        return [submission.entry.unique_id for submission in self.held]

    async def find(self, query: DocumentQuery) -> list[DocumentEntry]:
        return [
            entry
            for entry in map(self._entry, reversed(self.held))
            if entry.patient == query.patient
            and entry.status in query.statuses
            and (query.type_code is None or query.type_code.code == entry.type_code.code)
            and query.study in (None, *(one.value for one in entry.reference_ids))
        ]

    async def find_by_unique_id(self, unique_id: Uid) -> DocumentEntry | None:
        for submission in self.held:
            if submission.entry.unique_id == unique_id:
                return self._entry(submission)
        return None

    def _entry(self, submission: Submission) -> DocumentEntry:
        entry_id = _entry_id(submission.entry.unique_id)
        return replace(submission.entry, entry_id=entry_id, status=self._status(entry_id))

    def _status(self, entry_id: str) -> EntryStatus:
        if entry_id in self.withdrawn:
            return EntryStatus.WITHDRAWN
        is_current = entry_id in self.current.values()
        return EntryStatus.APPROVED if is_current else EntryStatus.DEPRECATED

    async def retrieve(self, entry: DocumentEntry) -> bytes:
        raise AssertionError("publication does not retrieve")


def _entry_id(unique_id: Uid) -> str:
    return str(uuid5(NAMESPACE_OID, unique_id))
