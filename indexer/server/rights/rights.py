"""Decides within a transaction: brings together who asks, the record, and the plain decision."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from gateway.storage.database import Transaction
from indexer.contract.access import Caller, CallerKind, Purpose
from indexer.contract.document import DocumentEntry, EntryStatus, Organisation, Person
from indexer.contract.document_set import REPLACING, DocumentSet
from indexer.contract.identifiers import Ins
from indexer.contract.record import RecordState
from indexer.server.acts import Act
from indexer.server.registry.judging import not_held, targets_held
from indexer.server.registry.registry import Registry
from indexer.server.registry.rows import held_entry
from indexer.server.rights.decision import OF_HELD, decide, is_of_structure
from indexer.server.rights.habilitations import Matrix
from indexer.server.rights.reasons import TOLD, Decision, Reason
from indexer.server.rights.record import Record
from indexer.server.rights.records import Records
from indexer.wire.outcome import Refusal, forbidden_refusal, no_record_refusal

_NO_RECORD = {
    Reason.ABSENT: RecordState.ABSENT,
    Reason.CLOSED: RecordState.CLOSED,
    Reason.HOLDER_REFUSES: RecordState.REFUSED,
}
_Target = tuple[DocumentEntry, str]
"""What a submission refers to, and the structure that submitted it."""
_WITHIN_AN_EMERGENCY = frozenset({Act.FIND, Act.READ})


@dataclass(slots=True)
class Sight:
    """What somebody may see, or do, of what one transaction finds."""

    tx: Transaction
    records: Records
    registry: Registry
    matrix: Matrix
    now_ms: int
    caller: Caller | None
    act: Act
    known: dict[Ins, Record] = field(default_factory=dict)

    @property
    def hides(self) -> bool:
        """Whether some documents of an open record may be hidden from who asks."""
        return self.caller is not None

    @property
    def shares_secrets(self) -> bool:
        """Whether what is done in secret connections is no secret to who asks."""
        return self.caller is None or self.caller.kind is not CallerKind.REPRESENTATIVE

    async def open(self, patient: Ins) -> bool:
        """Whether anything of a record can be seen at all, before a document is looked at.

        Raises:
            Refusal: who asks may not, whatever the record holds.
        """
        decision = self._decide(await self._record(patient))
        elsewhere = decision.reason is Reason.OTHER_PATIENT
        if elsewhere or not (decision.permitted or decision.hidden):
            raise refusal_of(decision)
        return decision.permitted

    async def opens(self, patient: Ins) -> bool:
        """The same of what was found by an id, which must not betray whose it is."""
        return self._decide(await self._record(patient)).permitted

    async def of(self, entries: Sequence[DocumentEntry]) -> list[DocumentEntry]:
        """Those that are not hidden.

        Raises:
            Refusal: one is seen, and yet not given.
        """
        shown = []
        submitters = await self._submitters(entries)
        for entry in entries:
            submitter = submitters.get(entry.entry_id, "")
            decision = self._decide(await self._record(entry.patient), entry, submitter)
            if decision.permitted:
                shown.append(entry)
            elif not decision.hidden:
                raise refusal_of(decision)
        return shown

    async def permit_change(self, before: DocumentEntry, after: DocumentEntry) -> None:
        """Make sure that an entry which is seen may become another.

        That it may be withdrawn is decided where it is seen, if that is what was asked for.

        Raises:
            Refusal: who asks may not change it so.
        """
        decided = [before]
        if self.act is Act.WITHDRAW:
            decided.append(replace(before, status=EntryStatus.WITHDRAWN))
        if self.caller is None or after in decided:
            return
        record = await self._record(before.patient)
        decision = decide(
            self.caller,
            Act.CHANGE,
            record,
            before,
            becomes=after,
            matrix=self.matrix,
            now_ms=self.now_ms,
        )
        if not decision.permitted:
            raise refusal_of(decision)

    async def _record(self, patient: Ins) -> Record:
        if patient not in self.known:
            number = self.caller.person.number if self.caller is not None else ""
            self.known[patient] = await self.records.one(self.tx, patient, number)
        return self.known[patient]

    async def _submitters(self, entries: Sequence[DocumentEntry]) -> Mapping[str, str]:
        """By entry_id; asked for those alone who see a document for the sake of who brought it."""
        if self.caller is None or not entries or not is_of_structure(self.caller):
            return {}
        return await self.registry.submitters(self.tx, entries)

    def _decide(
        self, record: Record, entry: DocumentEntry | None = None, submitter: str = ""
    ) -> Decision:
        if self.caller is None:
            return of_anybody(self.act, record)
        return decide(
            self.caller,
            self.act,
            record,
            entry,
            submitter=submitter,
            matrix=self.matrix,
            now_ms=self.now_ms,
        )


class Rights:
    """Who may do what, on the records of one index.

    Args:
        now_ms: tells the time at which a permission ends.
    """

    def __init__(
        self, records: Records, registry: Registry, matrix: Matrix, *, now_ms: Callable[[], int]
    ) -> None:
        self._records = records
        self._registry = registry
        self._matrix = matrix
        self._now_ms = now_ms

    async def sight(self, tx: Transaction, caller: Caller | None, act: Act) -> Sight:
        """What somebody sees within a transaction that reads, or changes, what records hold.

        An emergency is told to the holder by the same transaction, which therefore must write.

        Raises:
            Refusal: who asks may not, whatever their patient's record holds.
        """
        sight = Sight(tx, self._records, self._registry, self._matrix, self._now_ms(), caller, act)
        if caller is not None and await sight.open(caller.patient) and alerts(caller, act):
            await self._records.alert(tx, caller, now_ms=sight.now_ms)
        return sight

    def of_record(self, caller: Caller | None, act: Act, record: Record) -> Decision:
        """Whether an act is permitted before any document is looked at."""
        return self._decided(caller, act, record) if caller else of_anybody(act, record)

    async def refusals(
        self, tx: Transaction, batch: Sequence[tuple[Caller | None, DocumentSet]]
    ) -> Mapping[str, Refusal]:
        """Why submissions of a batch may not be taken, by set_id; a few statements for all."""
        asked = [(told.submission_set.patient, _number(caller)) for caller, told in batch]
        records = await self._records.find(tx, asked)
        targets = await self._targets(tx, batch)
        refused = {}
        for place, (caller, submitted) in zip(asked, batch, strict=True):
            decided = self._judged(caller, submitted, records[place], targets)
            if decided is not None:
                refused[submitted.submission_set.set_id] = decided
        return refused

    async def _targets(
        self, tx: Transaction, batch: Sequence[tuple[Caller | None, DocumentSet]]
    ) -> Mapping[str, _Target]:
        ids = {
            target.target
            for caller, submitted in batch
            if caller is not None
            for target in targets_held(submitted)
        }
        if not ids:
            return {}
        held = await self._registry.entries_by_id(tx, sorted(ids))
        entries = [held_entry(one.resource) for one in held]
        submitters = await self._registry.submitters(tx, entries)
        return {one.entry_id: (one, submitters.get(one.entry_id, "")) for one in entries}

    def _judged(
        self,
        caller: Caller | None,
        submitted: DocumentSet,
        record: Record,
        targets: Mapping[str, _Target],
    ) -> Refusal | None:
        if caller is None:
            decision = self.of_record(caller, Act.PUBLISH, record)
            return None if decision.permitted else refusal_of(decision)
        for entry in (None, *(one.entry for one in submitted.documents)):
            if not (decision := self._decided(caller, Act.PUBLISH, record, entry)).permitted:
                return refusal_of(decision)
        for one in targets_held(submitted):
            if one.target not in targets:
                continue  # that it is not held is told later, in the words of what is hidden
            target, submitter = targets[one.target]
            act = Act.REPLACE if one.relation in REPLACING else Act.FIND
            decision = self._decided(caller, act, record, target, submitter)
            if not decision.permitted:
                hidden = decision.hidden or target.patient != record.patient
                return not_held(one) if hidden else refusal_of(decision)
        return None

    def _decided(
        self,
        caller: Caller,
        act: Act,
        record: Record,
        entry: DocumentEntry | None = None,
        submitter: str = "",
    ) -> Decision:
        return decide(
            caller,
            act,
            record,
            entry,
            submitter=submitter,
            matrix=self._matrix,
            now_ms=self._now_ms(),
        )


def of_anybody(act: Act, record: Record) -> Decision:
    """What anybody may do where nobody is asked who they are: what the record's state lets."""
    if record.state is RecordState.ABSENT:
        return Decision(Reason.ABSENT, hidden=act in OF_HELD)
    if record.state is RecordState.CLOSED and act is not Act.WITHDRAW:
        return Decision(Reason.CLOSED, hidden=act in OF_HELD)
    if record.refuses_documents and act is Act.PUBLISH:
        return Decision(Reason.HOLDER_REFUSES)
    return Decision(Reason.OPEN_ACCESS)


def holder_of(patient: Ins) -> Caller:
    """A record's holder, where it is taken for granted that it is they who ask."""
    nobody, nowhere = Person(number=""), Organisation(number="")
    return Caller(kind=CallerKind.PATIENT, person=nobody, organisation=nowhere, patient=patient)


def alerts(caller: Caller, act: Act) -> bool:
    """Whether the holder is told of it at once."""
    professional = caller.kind in (CallerKind.PROFESSIONAL, CallerKind.SYSTEM)
    return professional and caller.purpose is not Purpose.NORMAL and act in _WITHIN_AN_EMERGENCY


def refusal_of(decision: Decision) -> Refusal:
    """A decision against it, as both protocols tell it."""
    state = _NO_RECORD.get(decision.reason)
    return no_record_refusal(state) if state else forbidden_refusal(TOLD[decision.reason])


def _number(caller: Caller | None) -> str:
    return caller.person.number if caller is not None else ""
