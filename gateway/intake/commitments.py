"""Answers storage commitments (PS3.4 Annex J), and tells each result until its requestor has it.

A result is told on the association that asked, while that stays open; else by a worker of `app`,
on one that the gateway opens. What is asked is durable before it is acknowledged; what is held is
looked up anew for each attempt to tell. A requestor may be told twice, if its answer was lost.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Final, cast
from uuid import uuid4

from gateway.catalogue.holdings import ASKED_MAX, Holding, Holdings
from gateway.clock import Clock
from gateway.dimse.commands import NRequest
from gateway.dimse.event_reports import EventReport, report_anew
from gateway.dimse.requesting import Listener
from gateway.dimse.statuses import Refused, Status
from gateway.errors import StorageUnavailable, Unavailable
from gateway.intake.commitment import CommitmentRequest, build_report, read_commitment
from gateway.storage.database import Database, Transaction
from gateway.storage.objects import ObjectStore
from gateway.storage.queries import load_queries
from gateway.storage.records import decode, encode
from indexer.contract.identifiers import Uid

log = logging.getLogger(__name__)

WAITING_INSTANCES_MAX: Final = 1_000_000
"""Of all commitments that are not told yet."""
SAME_ASSOCIATION_MS: Final = 30_000
"""How long the association that asked has to be told and to answer."""
LEASE_MS: Final = 240_000
TELL_S_MAX: Final = 180.0
GIVEN_UP_MS: Final = 72 * 3_600_000
"""A requestor that was not to be reached for so long has asked again, or has kept its copy."""

Tell = Callable[[str, EventReport], Awaitable[int]]
"""Tells an AE title a report on a new association; gives the status it answers. Raises Unavailable
where it is not to be reached, or nobody knows where it listens."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Commitment:
    """A commitment that is to be told, under a lease."""

    commitment_id: str
    ae_title: str
    request: CommitmentRequest
    attempts: int
    asked_at_ms: int


class Commitments:
    """Takes requests for storage commitment, and tells what came of them.

    Args:
        tell: see `Tell`.
        delay_s: seconds before the next attempt, from the attempts made.
        on_due: called when a result has to be told on a new association.
    """

    def __init__(
        self,
        database: Database,
        objects: ObjectStore,
        *,
        tell: Tell,
        delay_s: Callable[[int], float],
        on_due: Callable[[], None],
        clock: Clock,
    ) -> None:
        self._database = database
        self._objects = objects
        self._tell = tell
        self._delay_s = delay_s
        self._on_due = on_due
        self._clock = clock
        self._holdings = Holdings(database.dialect)
        self._sql = load_queries("gateway.intake", "commitments.sql", database.dialect)

    async def ask(self, request: NRequest) -> "CommitmentResult":
        """Take a request; on return its result will be told.

        Raises:
            Refused: the request is bad (see `read_commitment`), or its transaction UID stands for
                another one that waits (0110).
            StorageUnavailable: it could not be made durable, or too much waits.
        """
        asked = await asyncio.to_thread(read_commitment, request)
        content = await asyncio.to_thread(encode, asked)
        key = await self._database.write(
            lambda tx: self._keep(tx, request.peer.calling_ae, asked, content)
        )
        log.info("commitment_asked", extra={"commitment": key, "instances": len(asked.references)})
        return CommitmentResult(self, key, asked)

    async def report(self, asked: CommitmentRequest) -> EventReport:
        """What there is to tell now."""
        held: dict[Uid, set[Uid]] = {}
        names = [one.instance for one in asked.references]
        for start in range(0, len(names), ASKED_MAX):
            for one in await self._held(names[start : start + ASKED_MAX]):
                held.setdefault(one.instance, set()).add(one.sop_class)
        return await asyncio.to_thread(build_report, asked, held)

    async def settle(self, commitment_id: str, status: int) -> None:
        """Its requestor has answered: on success there is nothing left to do."""
        if status == Status.SUCCESS:
            await self._database.write(
                lambda tx: tx.fetch(self._sql["forget"], commitment_id=commitment_id)
            )
            log.info("commitment_told", extra={"commitment": commitment_id})
        else:
            await self.postpone(commitment_id, seconds=0, reason=f"answered {status:04X}")

    async def postpone(self, commitment_id: str, *, seconds: float, reason: str) -> None:
        """Tell it on a new association, after so long."""
        due_at_ms = self._clock() + int(seconds * 1000)
        await self._database.write(
            lambda tx: tx.fetch(
                self._sql["postpone"], commitment_id=commitment_id, due_at_ms=due_at_ms
            )
        )
        fields = {"commitment": commitment_id, "wait_s": seconds, "reason": reason}
        log.info("commitment_postponed", extra=fields)
        self._on_due()

    async def claim(self, count_max: int) -> list[Commitment]:
        """Commitments whose result is to be told now, each under a lease."""
        now_ms = self._clock()
        rows = await self._database.write(
            lambda tx: tx.fetch(
                self._sql["claim_due"],
                now_ms=now_ms,
                lease_end_ms=now_ms + LEASE_MS,
                count_max=count_max,
            )
        )
        return [
            Commitment(
                commitment_id=cast(str, row["commitment_id"]),
                ae_title=cast(str, row["ae_title"]),
                request=await asyncio.to_thread(
                    decode, CommitmentRequest, cast(bytes, row["content"])
                ),
                attempts=cast(int, row["attempts"]),
                asked_at_ms=cast(int, row["asked_at_ms"]),
            )
            for row in rows
        ]

    async def next_due_at_ms(self) -> int | None:
        """When there will be something to claim."""
        [row] = await self._database.read(lambda tx: tx.fetch(self._sql["next_due"]))
        return cast(int | None, row["due_at_ms"])

    async def handle(self, claim: Commitment) -> None:
        """Tell a claimed commitment on a new association."""
        key = claim.commitment_id
        if self._clock() - claim.asked_at_ms > GIVEN_UP_MS:
            await self._database.write(lambda tx: tx.fetch(self._sql["forget"], commitment_id=key))
            log.error("commitment_given_up", extra={"commitment": key, "attempts": claim.attempts})
            return
        try:
            report = await self.report(claim.request)
            async with asyncio.timeout(TELL_S_MAX):
                status = await self._tell(claim.ae_title, report)
        except (Unavailable, TimeoutError) as error:
            why = str(error) or "the peer does not answer in time"
            await self.postpone(key, seconds=self._delay_s(claim.attempts), reason=why)
            return
        if status == Status.SUCCESS:
            await self.settle(key, status)
        else:
            delay_s = self._delay_s(claim.attempts)
            await self.postpone(key, seconds=delay_s, reason=f"answered {status:04X}")

    async def _keep(
        self, tx: Transaction, ae_title: str, asked: CommitmentRequest, content: bytes
    ) -> str:
        now_ms = self._clock()
        due_at_ms = now_ms + SAME_ASSOCIATION_MS
        known = await tx.fetch(self._sql["known"], ae_title=ae_title, transaction=asked.transaction)
        if known:
            if known[0]["content"] != content:
                raise Refused("the transaction UID is in use", Status.PROCESSING_FAILURE)
            key = cast(str, known[0]["commitment_id"])  # asked again: the answer was lost
            await tx.fetch(self._sql["postpone"], commitment_id=key, due_at_ms=due_at_ms)
            return key
        [waiting] = await tx.fetch(self._sql["waiting_instances"])
        if cast(int, waiting["instances"]) + len(asked.references) > WAITING_INSTANCES_MAX:
            raise StorageUnavailable("too many storage commitments wait to be told")
        key = uuid4().hex
        await tx.fetch(
            self._sql["ask"],
            commitment_id=key,
            ae_title=ae_title,
            transaction=asked.transaction,
            content=content,
            instances=len(asked.references),
            due_at_ms=due_at_ms,
            now_ms=now_ms,
        )
        return key

    async def _held(self, instances: list[Uid]) -> list[Holding]:
        rows = await self._database.read(lambda tx: self._holdings.held(tx, instances))
        # Nothing is promised that cannot be read.
        whole = await self._objects.whole({row.object_key: row.size_bytes for row in rows})
        return [row for row in rows if row.object_key in whole]


class CommitmentResult:
    """The result of one request, told on the association that asked (see `Result`)."""

    def __init__(
        self, commitments: Commitments, commitment_id: str, asked: CommitmentRequest
    ) -> None:
        self._commitments = commitments
        self._commitment_id = commitment_id
        self._asked = asked

    async def report(self) -> EventReport:
        """What there is to tell."""
        return await self._commitments.report(self._asked)

    async def told(self, status: int | None) -> None:
        """What the requestor answered."""
        if status is None:
            await self._commitments.postpone(
                self._commitment_id, seconds=0, reason="the association ended"
            )
        else:
            await self._commitments.settle(self._commitment_id, status)


def tell_peers(listening: Mapping[str, Listener], *, calling_ae: str) -> Tell:
    """Tells those of whom it is known where they listen, by AE title."""

    async def tell(ae_title: str, report: EventReport) -> int:
        if ae_title not in listening:
            raise Unavailable("nobody knows where who asked listens")
        to = listening[ae_title]
        return await report_anew(to, report, calling_ae=calling_ae, called_ae=ae_title)

    return tell
