"""Keeps what records let whom do: what their holders choose, and what professionals declare.

Each act is decided, done and told in the record's journal by one transaction.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from gateway.storage.database import Database, Transaction
from indexer.contract.access import Caller, CallerKind
from indexer.contract.identifiers import Ins
from indexer.contract.record import RecordState
from indexer.server.acts import Act
from indexer.server.columns import patient_key
from indexer.server.journal.deed import Deed
from indexer.server.journal.journal import Journal
from indexer.server.journal.scribe import Scribe
from indexer.server.rights.decision import is_of_structure
from indexer.server.rights.reasons import Decision, Reason
from indexer.server.rights.record import Record
from indexer.server.rights.records import Alert, Permission, Records
from indexer.server.rights.rights import Rights, refusal_of
from indexer.wire.dmp.declaration import Action, Declaration
from indexer.wire.dmp.existence import Authorisation, Existence
from indexer.wire.outcome import IssueCode, Refusal, forbidden_refusal, no_record_refusal
from indexer.wire.proof.vocabulary import PROFESSIONS

DOCTOR = "10"
"""Doctor, of TRE_G15."""
_UNDECLARED = {Reason.NOT_AUTHORISED, Reason.REASON_MISSING}
"""Reasons that who asks can do something about."""

Change = Callable[[Record], Record]
PermissionChange = Callable[[Permission, int], Permission]
"""What becomes of a permission at a time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A record as its holder sees it."""

    record: Record
    permissions: Sequence[Permission]


class RecordKeeper:
    """Keeps the records of one index.

    Args:
        now_ms: tells when something was granted, declared or changed.
    """

    def __init__(
        self,
        database: Database,
        records: Records,
        rights: Rights,
        *,
        journal: Journal,
        scribe: Scribe,
        now_ms: Callable[[], int],
    ) -> None:
        self._database = database
        self._records = records
        self._rights = rights
        self._journal = journal
        self._scribe = scribe
        self._now_ms = now_ms

    async def existence(self, caller: Caller | None, patient: Ins) -> Existence:
        """Whether there is a record, and whether who asks may open it (TD0.2).

        Raises:
            Refusal: what they showed is for another patient.
        """
        if caller is not None and caller.patient != patient:
            raise refusal_of(Decision(Reason.OTHER_PATIENT))
        number = caller.person.number if caller is not None else ""
        record = await self._database.read(lambda tx: self._records.one(tx, patient, number))
        key = patient_key(patient)
        await self._scribe.record(Deed(patient_key=key, act=Act.FIND, caller=caller, query="TD0.2"))
        return Existence(
            state=record.state,
            authorisation=self._authorisation(caller, record),
            treating_doctor=bool(number) and record.treating_doctor == number,
        )

    def _authorisation(self, caller: Caller | None, record: Record) -> Authorisation:
        """Of who is to find their own documents alone, and of nobody in particular, it is told
        whether they may publish."""
        publishes = caller is None or is_of_structure(caller)
        act = Act.PUBLISH if publishes else Act.FIND
        decision = self._rights.of_record(caller, act, record)
        if decision.permitted:
            return Authorisation.VALID
        undeclared = decision.reason in _UNDECLARED
        return Authorisation.NONE if undeclared else Authorisation.FORBIDDEN

    async def declare(self, caller: Caller | None, told: Declaration) -> bool:
        """Do what a professional declares on their patient's record (TD0.3).

        Returns:
            Whether it changed anything.

        Raises:
            Refusal: they may not.
        """
        if caller is None:
            raise forbidden_refusal("nobody says who they are, and of whose record")
        deed = Deed(patient_key=patient_key(caller.patient), act=Act.AUTHORISE, caller=caller)

        async def work(tx: Transaction) -> bool:
            record = await self._records.one(tx, caller.patient, caller.person.number)
            decision = self._rights.of_record(caller, Act.AUTHORISE, record)
            if not decision.permitted:
                raise refusal_of(decision)
            changed = await self._declare(tx, caller, record, told)
            await self._journal.add(tx, [deed])
            return changed

        try:
            return await self._database.write(work)
        except Refusal as error:
            await self._scribe.tell_refused([deed], error)
            raise

    async def _declare(
        self, tx: Transaction, caller: Caller, record: Record, told: Declaration
    ) -> bool:
        number, adds = caller.person.number, told.action is Action.ADD
        known = await self._permission(tx, caller.patient, number)
        permission, becomes = known, record
        if told.treating_doctor:
            if adds and not _is_doctor(caller):
                raise refusal_of(Decision(Reason.NOT_HABILITATED))
            mine = record.treating_doctor == number
            doctor = number if adds else "" if mine else record.treating_doctor
            becomes = replace(record, treating_doctor=doctor)
        if adds and known.declared_at_ms is None:
            permission = replace(known, declared_at_ms=self._now_ms())
        elif not adds and not told.treating_doctor:
            permission = replace(known, declared_at_ms=None)
        if permission != known:
            await self._records.put_permission(tx, caller.patient, permission)
        if becomes != record:
            await self._records.put(tx, becomes, now_ms=self._now_ms())
        return permission != known or becomes != record

    async def show(self, patient: Ins) -> Shown:
        """A record as its holder sees it."""

        async def work(tx: Transaction) -> Shown:
            return Shown(
                record=await self._records.one(tx, patient),
                permissions=await self._records.permissions(tx, patient),
            )

        return await self._database.read(work)

    async def alerts(self, patient: Ins) -> list[Alert]:
        """Who opened it in an emergency, the latest first."""
        return await self._database.read(lambda tx: self._records.alerts(tx, patient))

    async def open(self, patient: Ins) -> Shown:
        """Open a record, for the first time or again."""
        return await self._choose(patient, lambda record: replace(record, state=RecordState.OPEN))

    async def choose(self, patient: Ins, change: Change) -> Shown:
        """Keep what a holder chooses.

        Raises:
            Refusal: there is no record, or it is closed.
        """

        def changed(record: Record) -> Record:
            if record.state is not RecordState.OPEN:
                raise no_record_refusal(record.state)
            return change(record)

        return await self._choose(patient, changed)

    async def _choose(self, patient: Ins, change: Change) -> Shown:
        async def work(tx: Transaction) -> None:
            record = change(await self._records.one(tx, patient))
            await self._records.put(tx, record, now_ms=self._now_ms())
            await self._journal.add(tx, [_govern(patient)])

        await self._database.write(work)
        return await self.show(patient)

    async def permit(self, patient: Ins, professional: str, change: PermissionChange) -> Shown:
        """Change what a holder lets one professional do.

        Raises:
            Refusal: there is no record, it is closed, or the treating doctor would be shut out.
        """

        async def work(tx: Transaction) -> None:
            record = await self._records.one(tx, patient)
            if record.state is not RecordState.OPEN:
                raise no_record_refusal(record.state)
            known = await self._permission(tx, patient, professional)
            becomes = change(known, self._now_ms())
            if becomes.standing.blocked and professional == record.treating_doctor:
                reason = "the treating doctor cannot be blocked: name another, or none, first"
                raise Refusal(reason, code=IssueCode.BUSINESS_RULE)
            await self._records.put_permission(tx, patient, becomes)
            await self._journal.add(tx, [_govern(patient)])

        await self._database.write(work)
        return await self.show(patient)

    async def _permission(self, tx: Transaction, patient: Ins, number: str) -> Permission:
        known = await self._records.permissions(tx, patient)
        return next(
            (one for one in known if one.professional == number), Permission(professional=number)
        )


def _govern(patient: Ins) -> Deed:
    return Deed(patient_key=patient_key(patient), act=Act.GOVERN)


def _is_doctor(caller: Caller) -> bool:
    if caller.kind is not CallerKind.PROFESSIONAL or caller.role is None:
        return False
    return (caller.role.scheme, caller.role.code) == (PROFESSIONS, DOCTOR)
