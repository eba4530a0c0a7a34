"""Looks at studies that are due, and puts in the outbox what the index must hear of them.

`lifecycle` runs one publisher per gateway. What it decides is void if news came meanwhile, so it
never publishes less than is known.
"""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Final, Protocol

from gateway.catalogue.standings import Conclusion, DueStudy, Standing, Standings
from gateway.catalogue.studies import Studies
from gateway.clock import Clock
from gateway.errors import PacsAnswerUnreadable, PacsUnavailable, Unavailable
from gateway.model.decision import (
    AskPacs,
    Decision,
    PublicationPolicy,
    Publish,
    SetAside,
    SetAsideCode,
    Wait,
    WaitFor,
    Withhold,
)
from gateway.model.notification import PacsAnswered
from gateway.model.publishing import publishable
from gateway.model.study import StudySnapshot
from gateway.publication.backoff import retry_delay_s
from gateway.publication.outbox import Outbox, patient_key
from gateway.publication.worker import DueWorker
from gateway.storage.database import Database, Transaction
from indexer.contract.document import Submission
from indexer.contract.identifiers import Uid

log = logging.getLogger(__name__)

LEASE_MS: Final = 120_000
"""How long a look that died keeps its study from the next."""

STAYS: Final[dict[str, str]] = {
    WaitFor.REPORT: "",
    WaitFor.IDENTITY: "",
    WaitFor.IMAGES_NOT_FOUND: WaitFor.IMAGES_NOT_FOUND,
}
"""What a study that is published may lack and stay so, by its code as a published one."""

STANDS: Final = {"sent": "published", "waiting": "queued", "no_record": "no_record"}
"""Where a study stands whose latest revision says it all, by what became of that."""

UNDECIDED: Final = frozenset({WaitFor.PACS, WaitFor.SETTLING})
"""What is waited for tells nothing of the study yet."""

TOGETHER: Final = 8
"""Studies looked at side by side; each may wait for the PACS."""


class AsksPacs(Protocol):
    """Whoever can ask the PACS what it holds."""

    async def describe(self, study: Uid, *, asked_after: int) -> PacsAnswered:
        """What the PACS holds of the study now.

        Raises:
            PacsUnavailable: it does not answer.
            PacsAnswerUnreadable: it answers what cannot be understood.
        """


DescribeRevision = Callable[[Publish, int, int], Submission]
"""Builds the submission of a decision: the decision, its revision, and the time in ms."""


class Publisher:
    """Decides about studies and enqueues their pointers.

    Args:
        submission: builds a revision's manifest and index entry; run in a thread.
        submission_id: gives a fresh opaque id.
        on_enqueued: wakes the dispatcher.
    """

    def __init__(
        self,
        database: Database,
        studies: Studies,
        standings: Standings,
        outbox: Outbox,
        *,
        pacs: AsksPacs,
        policy: PublicationPolicy,
        submission: DescribeRevision,
        submission_id: Callable[[], str],
        clock: Clock,
        draw: Callable[[], float],
        on_enqueued: Callable[[], None],
    ) -> None:
        self._database = database
        self._studies = studies
        self._standings = standings
        self._outbox = outbox
        self._pacs = pacs
        self._policy = policy
        self._submission = submission
        self._submission_id = submission_id
        self._clock = clock
        self._draw = draw
        self._on_enqueued = on_enqueued
        self._in_hand: set[Uid] = set()
        self.worker = DueWorker(
            "publisher",
            claim=self.claim,
            handle=self.look,
            next_due_at_ms=lambda: database.read(standings.next_due_at_ms),
            clock=clock,
            together=TOGETHER,
        )

    async def claim(self, count_max: int) -> list[DueStudy]:
        """Studies that are this publisher's to look at now."""
        now_ms = self._clock()
        due = await self._database.write(
            lambda tx: self._standings.claim_due(
                tx, now_ms=now_ms, lease_ms=LEASE_MS, count_max=count_max
            )
        )
        # A PACS may take longer than the lease. A second look beside the first would be decided on
        # what the PACS told last, which need not be what it was asked last.
        return [one for one in due if one.study not in self._in_hand]

    async def look(self, due: DueStudy) -> None:
        """Decide about one study from what is known of it now, and write down what was decided."""
        self._in_hand.add(due.study)
        try:
            await self._look(due.study)
        except Unavailable:
            # The disk or the database. The study stays due and under its lease: to look again at
            # once would keep both busy for as long as they fail.
            raise
        except Exception:
            log.exception("look_failed")
            await self._database.write(lambda tx: self._fail(tx, due))
        finally:
            self._in_hand.discard(due.study)
        await self._database.write(lambda tx: self._standings.release(tx, due.study))

    async def _look(self, study: Uid) -> None:
        snapshot, standing, decision = await self._decide(study)
        if isinstance(decision, AskPacs):
            try:
                answer = await self._pacs.describe(study, asked_after=snapshot.news)
            except PacsUnavailable as error:
                reason = str(error)
                log.warning("pacs_not_asked", extra={"looks": standing.looks, "reason": reason})
                asked_s = error.retry_after_s
                decision = Wait(code=WaitFor.PACS, reason=reason, asked_s=asked_s)
            except PacsAnswerUnreadable as error:
                code = SetAsideCode.PACS_ANSWER_UNREADABLE
                decision = SetAside(code=code, reason=str(error))
            else:
                await self._database.write(
                    lambda tx: self._studies.pacs_answered(tx, answer, now_ms=self._clock())
                )
                snapshot, standing, decision = await self._decide(study)
        await self._carry_out(snapshot, standing, decision)

    async def _decide(self, study: Uid) -> tuple[StudySnapshot, Standing, Decision]:
        async def work(tx: Transaction) -> tuple[StudySnapshot | None, Standing | None]:
            return await self._studies.snapshot(tx, study), await self._standings.of(tx, study)

        snapshot, standing = await self._database.read(work)
        if snapshot is None or standing is None:
            raise LookupError("a study that was claimed is not in the catalogue")
        return snapshot, standing, publishable(snapshot, self._policy, now_ms=self._clock())

    async def _carry_out(
        self, snapshot: StudySnapshot, standing: Standing, decision: Decision
    ) -> None:
        match decision:
            case AskPacs():  # news came while the PACS was asked: the study is still due
                return
            case Publish():
                await self._publish(snapshot, standing, decision)
            case Wait():
                waiting = self._waiting(snapshot, standing, decision)
                await self._hold(waiting, withdraws=False)
            case SetAside():
                log.warning("study_set_aside", extra={"code": decision.code})
                told = {"code": decision.code, "reason": decision.reason}
                held = _conclusion(snapshot, standing, state="set_aside", **told)
                await self._hold(held, withdraws=decision.withdraws)
            case Withhold():
                told = {"code": decision.code, "reason": decision.reason}
                held = _conclusion(snapshot, standing, state="withheld", **told)
                await self._hold(held, withdraws=True)

    def _waiting(self, snapshot: StudySnapshot, standing: Standing, wait: Wait) -> Conclusion:
        """What waits for images asks the PACS again, ever more seldom, until it is given up."""
        now_ms = self._clock()
        due_at_ms, since_ms = wait.until_ms, snapshot.waiting_since_ms
        asks = wait.code is WaitFor.PACS or (wait.code is WaitFor.IMAGES and self._policy.has_pacs)
        if asks:
            delay_s = retry_delay_s(standing.looks + 1, asked_s=wait.asked_s, draw=self._draw())
            again_at_ms = now_ms + int(delay_s * 1000)
            due_at_ms = again_at_ms if due_at_ms is None else min(due_at_ms, again_at_ms)
        if wait.code is WaitFor.IMAGES and since_ms is None:
            since_ms = now_ms
        state, code, reason = "waiting", str(wait.code), wait.reason
        if standing.state == "set_aside" and wait.code in UNDECIDED:
            # Nobody has resolved anything: it stays on the list of whoever must look.
            state, code, reason = standing.state, standing.code, standing.reason
        waiting = _conclusion(snapshot, standing, state=state, code=code, reason=reason)
        return replace(waiting, due_at_ms=due_at_ms, waiting_since_ms=since_ms, ask_again=asks)

    async def _publish(
        self, snapshot: StudySnapshot, standing: Standing, decision: Publish
    ) -> None:
        fingerprint = await asyncio.to_thread(decision.content.fingerprint)
        before = _conclusion(snapshot, standing, state="queued")
        before = replace(before, left_out=decision.left_out)
        if fingerprint == standing.fingerprint and await self._database.write(
            lambda tx: self._stay(tx, before, standing)
        ):
            return
        number = standing.revision + 1
        submission = await asyncio.to_thread(self._submission, decision, number, self._clock())
        queued = replace(before, revision=number, fingerprint=fingerprint)
        if await self._database.write(lambda tx: self._enqueue(tx, queued, submission)):
            log.info("revision_enqueued", extra={"revision": number})
            self._on_enqueued()

    async def _stay(self, tx: Transaction, before: Conclusion, standing: Standing) -> bool:
        """The latest revision says it all; False if it did not go, so that it goes again."""
        latest = await self._outbox.latest_state(tx, before.study)
        if latest not in STANDS:
            return False
        stands = replace(before, state=STANDS[latest])
        if standing.state == "no_record" and latest != "sent":
            # It may itself not have been tried: what goes before it found none.
            stands = replace(
                stands, state=standing.state, code=standing.code, reason=standing.reason
            )
        await self._standings.conclude(tx, stands, now_ms=self._clock())
        return True

    async def _enqueue(self, tx: Transaction, queued: Conclusion, submission: Submission) -> bool:
        now_ms = self._clock()
        out_for = await self._outbox.out_for(tx, queued.study)
        moves = out_for is not None and out_for != patient_key(submission.entry.patient)
        if moves:
            # The index replaces within one patient's record only: it is taken out of the other's.
            queued = replace(queued, revision=queued.revision + 1)
        if not await self._standings.conclude(tx, queued, now_ms=now_ms):
            return False
        if moves and out_for is not None:
            await self._withdraw(tx, queued.study, queued.revision - 1, out_for)
        await self._outbox.enqueue(
            tx,
            self._submission_id(),
            submission,
            study=queued.study,
            revision=queued.revision,
            now_ms=now_ms,
        )
        return True

    async def _withdraw(self, tx: Transaction, study: Uid, revision: int, out_for: str) -> None:
        await self._outbox.withdraw(
            tx,
            self._submission_id(),
            study=study,
            revision=revision,
            patient_key=out_for,
            now_ms=self._clock(),
        )

    async def _hold(self, conclusion: Conclusion, *, withdraws: bool) -> None:
        """Nothing is to go now, nor what was decided before and has not gone yet.

        Args:
            withdraws: what is out already is to be taken back.
        """
        if await self._database.write(lambda tx: self._conclude(tx, conclusion, withdraws)):
            log.info("withdrawal_enqueued")
            self._on_enqueued()

    async def _conclude(self, tx: Transaction, conclusion: Conclusion, withdraws: bool) -> bool:
        """Write down what holds nothing out; True if something is to be withdrawn for it."""
        now_ms, study = self._clock(), conclusion.study
        lacks = STAYS.get(conclusion.code)
        if lacks is not None and await self._outbox.latest_state(tx, study) == "sent":
            # Published by another gateway, or by another rule: so it stays, and the sweep sees it.
            conclusion = replace(conclusion, state="published", code=lacks)
        # First, for what was never sent need not be taken back.
        out_for = await self._outbox.out_for(tx, study) if withdraws else None
        if withdraws:
            conclusion = replace(conclusion, fingerprint="")
        if out_for is not None:
            conclusion = replace(conclusion, revision=conclusion.revision + 1)
        if not await self._standings.conclude(tx, conclusion, now_ms=now_ms):
            return False
        if out_for is None:
            await self._outbox.stop(tx, study, now_ms=now_ms)
            return False
        await self._withdraw(tx, study, conclusion.revision, out_for)
        return True

    async def _fail(self, tx: Transaction, due: DueStudy) -> None:
        now_ms = self._clock()
        if await self._standings.fail(
            tx,
            due,
            code=SetAsideCode.CANNOT_BE_DESCRIBED,
            reason="the gateway could not describe the study; its log says where it failed",
            now_ms=now_ms,
        ):
            await self._outbox.stop(tx, due.study, now_ms=now_ms)


def _conclusion(
    snapshot: StudySnapshot, standing: Standing, *, state: str, code: str = "", reason: str = ""
) -> Conclusion:
    """A conclusion that is void if news came, or another revision, since the snapshot was read."""
    return Conclusion(
        study=snapshot.study,
        news=snapshot.news,
        known_revision=standing.revision,
        images=len(snapshot.standing_images),
        pushed_at_ms=None if code == WaitFor.SETTLING else snapshot.last_pushed_at_ms,
        pushed=len(snapshot.pushed),
        state=state,
        code=code,
        reason=reason,
        revision=standing.revision,
        fingerprint=standing.fingerprint,
    )
