"""Carries submissions from the outbox to the index.

`lifecycle` runs one dispatcher per gateway. It claims what is due, sends it, and writes down what
came of it. The claim is a lease, so a dispatcher that dies loses nothing.

Sends at least once: the index knows a repeat by its document unique id (ITI-41, ITI-65).
"""

import logging
from collections.abc import Callable
from typing import Final

from gateway.catalogue.studies import Studies
from gateway.clock import Clock
from gateway.publication.backoff import retry_delay_s
from gateway.publication.outbox import Claim, Outbox
from gateway.publication.worker import DueWorker
from gateway.storage.database import Database, Transaction
from indexer.contract.errors import IndexUnavailable, SubmissionRejected
from indexer.contract.index import Index

log = logging.getLogger(__name__)

LEASE_MS: Final = 120_000
"""Longer than the index client waits for an answer, so that nobody sends beside a slow one."""

TOGETHER: Final = 16
"""Submissions on the wire at once; those of one study still go one after the other."""


class Dispatcher:
    """Sends what is due, and tells the study what became of it."""

    def __init__(
        self,
        database: Database,
        outbox: Outbox,
        studies: Studies,
        index: Index,
        *,
        clock: Clock,
        draw: Callable[[], float],
    ) -> None:
        self._database = database
        self._outbox = outbox
        self._studies = studies
        self._index = index
        self._clock = clock
        self._draw = draw
        self.worker = DueWorker(
            "dispatcher",
            claim=self.claim,
            handle=self.send,
            next_due_at_ms=lambda: database.read(outbox.next_due_at_ms),
            clock=clock,
            together=TOGETHER,
        )

    async def claim(self, count_max: int) -> list[Claim]:
        """Submissions that are this dispatcher's to send now."""
        now_ms = self._clock()
        return await self._database.write(
            lambda tx: self._outbox.claim_due(
                tx, now_ms=now_ms, lease_ms=LEASE_MS, count_max=count_max
            )
        )

    async def send(self, claim: Claim) -> None:
        """Send one submission and write down what came of it."""
        fields = {"submission": claim.submission_id, "attempts": claim.attempts}
        try:
            receipt = await self._index.submit(claim.submission)
        except IndexUnavailable as error:
            wait_s = retry_delay_s(claim.attempts, asked_s=error.retry_after_s, draw=self._draw())
            due_at_ms = self._clock() + int(wait_s * 1000)
            await self._database.write(
                lambda tx: self._outbox.postpone(tx, claim, due_at_ms=due_at_ms)
            )
            log.warning("submission_postponed", extra=fields | {"wait_s": round(wait_s, 1)})
        except SubmissionRejected as error:
            code = error.code
            await self._database.write(lambda tx: self._set_aside(tx, claim, code))
            log.error("submission_set_aside", extra=fields | {"code": code})
        else:
            entry_id = receipt.entry_id
            await self._database.write(lambda tx: self._mark_sent(tx, claim, entry_id))
            log.info("submission_sent", extra=fields)

    async def _mark_sent(self, tx: Transaction, claim: Claim, entry_id: str) -> None:
        now_ms = self._clock()
        if await self._outbox.mark_sent(tx, claim, index_entry_id=entry_id, now_ms=now_ms):
            await self._studies.mark(
                tx,
                claim.study,
                state="published",
                revision=claim.revision,
                from_state="queued",
                now_ms=now_ms,
            )

    async def _set_aside(self, tx: Transaction, claim: Claim, code: str) -> None:
        now_ms = self._clock()
        if await self._outbox.set_aside(tx, claim, code=code, now_ms=now_ms):
            await self._studies.mark(
                tx,
                claim.study,
                state="set_aside",
                code="submission_rejected",
                reason=f"the index refused the pointer ({code}): "
                "mend the cause, then send the report again",
                revision=claim.revision,
                from_state="queued",
                now_ms=now_ms,
            )
