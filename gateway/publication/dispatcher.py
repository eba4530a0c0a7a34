"""Carries submissions from the outbox to the index.

`lifecycle` runs one dispatcher per gateway. It claims what is due, sends it, and writes down what
came of it. The claim is a lease, so a dispatcher that dies loses nothing.

Sends at least once: the index knows a repeat by its document unique id (ITI-41, ITI-65).
"""

import logging
from collections.abc import Callable
from typing import Final

from gateway.catalogue.standings import Standings
from gateway.clock import Clock
from gateway.model.decision import NoRecordCode, SetAsideCode
from gateway.model.event import Event
from gateway.publication.backoff import retry_delay_s
from gateway.publication.errand import Errand
from gateway.publication.outbox import Claim, Outbox
from gateway.publication.worker import DueWorker
from gateway.storage.database import Database, Transaction
from gateway.storage.records import UnreadableRecord
from indexer.contract.access import Caller
from indexer.contract.errors import IndexUnavailable, NoRecord, SubmissionRejected
from indexer.contract.identifiers import Ins
from indexer.contract.index import Index
from indexer.contract.record import RecordState

log = logging.getLogger(__name__)

LEASE_MS: Final = 120_000
"""Longer than the index client waits for an answer, so that nobody sends beside a slow one."""

TOGETHER: Final = 16
"""Submissions on the wire at once; those of one study still go one after the other."""


class Dispatcher:
    """Sends what is due, and tells the study what became of it.

    Args:
        caller_of: in whose name the gateway acts on a patient's record.
        record_retry_ms: after which a record that took nothing is tried again.
    """

    def __init__(
        self,
        database: Database,
        outbox: Outbox,
        standings: Standings,
        index: Index,
        *,
        caller_of: Callable[[Ins], Caller],
        record_retry_ms: int,
        clock: Clock,
        draw: Callable[[], float],
    ) -> None:
        self._database = database
        self._outbox = outbox
        self._standings = standings
        self._index = index
        self._caller_of = caller_of
        self._record_retry_ms = record_retry_ms
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
        """Carry out one submission, or ask what became of it, and write down what came of that."""
        try:
            errand = Errand(
                self._database,
                self._outbox,
                self._index.acting_for(self._caller_of(claim.patient)),
                claim,
                clock=self._clock,
            )
            held = await errand.run()
        except IndexUnavailable as error:
            await self._postpone(claim, error)
        except NoRecord as error:
            await self._lack_record(claim, error.state)
        except SubmissionRejected as error:
            await self._finish(claim, "set_aside", code=error.code)
        except UnreadableRecord:
            await self._finish(claim, "set_aside", code="unreadable")
        else:
            if held is None:
                await self._finish(claim, "dropped")
            else:
                await self._finish(claim, "sent", index_entry_id=held)

    async def _postpone(self, claim: Claim, error: IndexUnavailable) -> None:
        wait_s = retry_delay_s(claim.attempts, asked_s=error.retry_after_s, draw=self._draw())
        due_at_ms = self._clock() + int(wait_s * 1000)
        await self._database.write(
            lambda tx: self._outbox.postpone(
                tx, claim, due_at_ms=due_at_ms, never_sent=error.never_sent
            )
        )
        told = {"wait_s": round(wait_s, 1), "reason": str(error)}
        log.warning("submission_postponed", extra=_fields(claim) | told)

    async def _lack_record(self, claim: Claim, state: RecordState) -> None:
        """Wait for a record that takes it: no person can mend that, and no hurry helps."""
        code = _NO_RECORD[state]
        if claim.withdraws and code is NoRecordCode.REFUSED:
            # Others still read what must not stay out: somebody has to take it out there.
            await self._finish(claim, "set_aside", code=code)
            return

        async def work(tx: Transaction) -> bool:
            now_ms = self._clock()
            due_at_ms = now_ms + self._record_retry_ms
            if not await self._outbox.lack_record(tx, claim, code=code, due_at_ms=due_at_ms):
                # It is no longer to be sent, and this attempt at least is not in the index.
                await self._outbox.postpone(tx, claim, due_at_ms=now_ms, never_sent=True)
                return False
            revision = await self._outbox.last_to_wait(tx, claim)
            if revision is not None:
                await self._standings.mark(
                    tx,
                    claim.study,
                    revision=revision,
                    state="no_record",
                    code=code,
                    reason="it is tried again at the next revision, and from time to time",
                    now_ms=now_ms,
                )
            return True

        if await self._database.write(work):
            log.info("submission_without_record", extra=_fields(claim) | {"code": code})

    async def _finish(
        self, claim: Claim, state: str, *, index_entry_id: str = "", code: str = ""
    ) -> None:
        async def work(tx: Transaction) -> bool:
            now_ms = self._clock()
            if not await self._outbox.finish(
                tx, claim, state, now_ms=now_ms, index_entry_id=index_entry_id, code=code
            ):
                return False
            if not await self._tell_study(tx, claim, state, code, now_ms=now_ms):
                # The study stands elsewhere by now: what may follow this can at last be decided.
                await self._standings.make_due(tx, claim.study, now_ms=now_ms)
            return True

        if await self._database.write(work):
            log.info("submission_finished", extra=_fields(claim) | {"state": state, "code": code})

    async def _tell_study(
        self, tx: Transaction, claim: Claim, state: str, code: str, *, now_ms: int
    ) -> bool:
        """Tell the study what became of its revision; False if it does not stand there any more."""
        if claim.withdraws:
            return await self._tell_withdrawal(tx, claim, state, code, now_ms=now_ms)
        if state == "dropped":
            return False
        told = {"state": "published"}
        if state == "set_aside":
            reason = f"the pointer was refused ({code}): mend the cause, then send the report again"
            told = {"state": state, "code": SetAsideCode.SUBMISSION_REJECTED, "reason": reason}
        return await self._standings.mark(
            tx, claim.study, revision=claim.revision, now_ms=now_ms, **told
        )

    async def _tell_withdrawal(
        self, tx: Transaction, claim: Claim, state: str, code: str, *, now_ms: int
    ) -> bool:
        """The study stands where it stood, unless the index does not take its pointer back."""
        if state == "set_aside" and not await self._outbox.is_replaced_instead(tx, claim):
            # Nor is another patient's record to have it beside the one that keeps it.
            await self._outbox.stop(tx, claim.study, now_ms=now_ms)
            await self._standings.withdrawal_rejected(
                tx,
                claim.study,
                code=SetAsideCode.WITHDRAWAL_REJECTED,
                reason=f"the index did not take the pointer back ({code}): have it taken out of "
                "the patient's record by its operator, then try again",
                now_ms=now_ms,
            )
        elif state == "sent":
            await self._standings.history.note(tx, claim.study, Event.WITHDRAWN, now_ms=now_ms)
        return True


_NO_RECORD: Final = {
    RecordState.ABSENT: NoRecordCode.ABSENT,
    RecordState.CLOSED: NoRecordCode.CLOSED,
    RecordState.REFUSED: NoRecordCode.REFUSED,
}


def _fields(claim: Claim) -> dict[str, object]:
    return {"submission": claim.submission_id, "attempts": claim.attempts}
