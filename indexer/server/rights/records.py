"""The tables of records, permissions and alerts; every method is one step of a transaction."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, cast

import orjson

from gateway.storage.database import Dialect, Row, Transaction
from gateway.storage.queries import load_queries
from indexer.contract.access import Caller, Purpose
from indexer.contract.identifiers import Ins
from indexer.contract.record import RecordState
from indexer.server.columns import json_text, patient_key
from indexer.server.rights.record import STRANGER, Record, Standing
from indexer.wire.outcome import IssueCode, Refusal

PERMISSIONS_MAX: Final = 1000  # professionals whom one record lets in, or shuts out
ALERTS_SHOWN_MAX: Final = 500
HOUR_MS: Final = 3_600_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Permission:
    """What is known of one professional on one record. Times are milliseconds since 1970, UTC."""

    professional: str
    """National number."""
    declared_at_ms: int | None = None
    granted_at_ms: int | None = None
    granted_until_ms: int | None = None
    blocked_at_ms: int | None = None

    @property
    def standing(self) -> Standing:
        return Standing(
            declared=self.declared_at_ms is not None,
            granted=self.granted_at_ms is not None,
            granted_until_ms=self.granted_until_ms,
            blocked=self.blocked_at_ms is not None,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """Emergency accesses of one professional within one hour."""

    professional: str
    name: str
    structure: str
    purpose: Purpose
    reason: str
    first_at_ms: int
    last_at_ms: int
    times: int


class Records:
    """What is kept of records.

    Args:
        listed: a patient without a row has no record; else, an open one.
    """

    def __init__(self, dialect: Dialect, *, listed: bool) -> None:
        self._sql = load_queries("indexer.server.rights", "records.sql", dialect)
        self._unlisted = RecordState.ABSENT if listed else RecordState.OPEN

    async def find(
        self, tx: Transaction, asked: Iterable[tuple[Ins, str]]
    ) -> Mapping[tuple[Ins, str], Record]:
        """Records, each as it stands to a professional by number; two statements for all.

        A number that is empty is nobody's.
        """
        asked = list(asked)
        rows = await tx.fetch(
            self._sql["find_records"],
            patient_keys=json_text(sorted({patient_key(patient) for patient, _ in asked})),
        )
        by_key = {str(row["patient_key"]): row for row in rows}
        pairs = [
            {"patient_key": patient_key(patient), "professional": number}
            for patient, number in asked
            if number
        ]
        standings = {}
        if pairs:
            for row in await tx.fetch(self._sql["find_standings"], pairs=json_text(pairs)):
                found = _permission(row)
                standings[str(row["patient_key"]), found.professional] = found.standing
        return {
            (patient, number): self._record(
                patient,
                by_key.get(patient_key(patient)),
                standings.get((patient_key(patient), number), STRANGER),
            )
            for patient, number in asked
        }

    async def one(self, tx: Transaction, patient: Ins, professional: str = "") -> Record:
        """One record; see `find`."""
        return (await self.find(tx, [(patient, professional)]))[patient, professional]

    def _record(self, patient: Ins, row: Row | None, standing: Standing) -> Record:
        if row is None:
            return Record(patient=patient, state=self._unlisted, standing=standing)
        return Record(
            patient=patient,
            state=RecordState(str(row["state"])),
            refuses_documents=bool(row["refuses_documents"]),
            opposed=bool(row["opposed"]),
            excluded=frozenset(map(Purpose, orjson.loads(str(row["excluded"])))),
            masked_in_emergency=bool(row["masked_in_emergency"]),
            treating_doctor=str(row["treating_doctor"]),
            standing=standing,
        )

    async def put(self, tx: Transaction, record: Record, *, now_ms: int) -> None:
        """Keep a record as it is now, but for its standing to anybody."""
        await tx.fetch(
            self._sql["put_record"],
            patient_key=patient_key(record.patient),
            state=record.state,
            since_ms=now_ms,
            refuses_documents=int(record.refuses_documents),
            opposed=int(record.opposed),
            excluded=json_text(sorted(record.excluded)),
            masked_in_emergency=int(record.masked_in_emergency),
            treating_doctor=record.treating_doctor,
        )

    async def permissions(self, tx: Transaction, patient: Ins) -> list[Permission]:
        """Everybody whom a record lets in, or shuts out."""
        rows = await tx.fetch(self._sql["find_permissions"], patient_key=patient_key(patient))
        return [_permission(row) for row in rows]

    async def put_permission(self, tx: Transaction, patient: Ins, told: Permission) -> None:
        """Keep what is known of one professional; nothing known leaves no row.

        Raises:
            Refusal: the record knows of too many.
        """
        place = {"patient_key": patient_key(patient), "professional": told.professional}
        if told == Permission(professional=told.professional):
            await tx.fetch(self._sql["remove_permission"], **place)
            return
        known = {one.professional for one in await self.permissions(tx, patient)}
        if len(known | {told.professional}) > PERMISSIONS_MAX:
            reason = f"a record knows of {PERMISSIONS_MAX} professionals at most"
            raise Refusal(reason, code=IssueCode.TOO_LONG)
        await tx.fetch(
            self._sql["put_permission"],
            **place,
            declared_at_ms=told.declared_at_ms,
            granted_at_ms=told.granted_at_ms,
            granted_until_ms=told.granted_until_ms,
            blocked_at_ms=told.blocked_at_ms,
        )

    async def alert(self, tx: Transaction, caller: Caller, *, now_ms: int) -> None:
        """Have the holder know that a record was opened in an emergency."""
        person = caller.person
        who = {
            "name": f"{person.given} {person.family}".strip(),
            "structure": caller.organisation.name or caller.organisation.number,
            "reason": caller.reason,
        }
        await tx.fetch(
            self._sql["add_alert"],
            patient_key=patient_key(caller.patient),
            professional=person.number,
            purpose=caller.purpose,
            hour=now_ms // HOUR_MS,
            now_ms=now_ms,
            who=json_text(who),
        )

    async def alerts(self, tx: Transaction, patient: Ins) -> list[Alert]:
        """The last emergency accesses, the latest first."""
        rows = await tx.fetch(
            self._sql["find_alerts"], patient_key=patient_key(patient), limit=ALERTS_SHOWN_MAX
        )
        return [_alert(row) for row in rows]


def _permission(row: Row) -> Permission:
    times = ("declared_at_ms", "granted_at_ms", "granted_until_ms", "blocked_at_ms")
    return Permission(
        professional=str(row["professional"]),
        **{name: cast("int | None", row[name]) for name in times},
    )


def _alert(row: Row) -> Alert:
    return Alert(
        professional=str(row["professional"]),
        purpose=Purpose(str(row["purpose"])),
        first_at_ms=cast(int, row["first_at_ms"]),
        last_at_ms=cast(int, row["last_at_ms"]),
        times=cast(int, row["times"]),
        **orjson.loads(str(row["who"])),
    )
