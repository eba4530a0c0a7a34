"""Compares published studies with what the PACS hold, at night.

A PACS that is corrected by hand tells nobody. `lifecycle` runs one sweep per gateway: it asks for
one published study after the other, the one longest unchecked first, and where patient, accession
number, instances or anything else that was told differs, the study is announced as a notification
would. Those that were withdrawn because the PACS had lost their images go with them, for a PACS
that finds them again tells nobody, either. What waits asks by itself, and what is set aside leaves
the list by a message or a person alone. A study that is as it was leaves no trace but the time of
its check, so the next start, or the next night, goes on where the last one ended.

A study that is gone is believed to be so only if the PACS tells of another.

It is gentle: one study at a time, so many a second and a night, as background work, and it rests
while the gateway has news to look at or a PACS does not answer.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Final

from gateway.catalogue.checks import Checks
from gateway.catalogue.studies import Studies
from gateway.clock import Clock
from gateway.errors import PacsAnswerUnreadable, PacsBusy, PacsUnavailable
from gateway.model.notification import HeldByPacs, StudyAnnounced
from gateway.publication.night import Night
from gateway.publication.publisher import AsksPacs
from gateway.storage.database import Database, Transaction
from indexer.contract.identifiers import Uid

log = logging.getLogger(__name__)

REST_S_MAX: Final = 600.0
"""A clock that was set is noticed within this."""

PAUSE_S: Final = 30.0
"""After a PACS did not answer."""

YIELD_S: Final = 1.0
DUE_MAX: Final = 4
"""Studies that may wait to be looked at while the sweep goes on."""

FAILURES_MAX: Final = 20
"""Studies for which no PACS answered, after which the night is over."""


class Sweep:
    """Checks published studies in the hours of the night.

    Args:
        studies_max: studies checked in one night.
        studies_per_s: studies checked in a second.
        on_news: called once an announcement is durable.
    """

    def __init__(
        self,
        database: Database,
        studies: Studies,
        checks: Checks,
        *,
        pacs: AsksPacs,
        night: Night,
        studies_max: int,
        studies_per_s: float,
        clock: Clock,
        on_news: Callable[[], None],
    ) -> None:
        self._database = database
        self._studies = studies
        self._checks = checks
        self._pacs = pacs
        self._night = night
        self._studies_max = studies_max
        self._rest_s = 1 / studies_per_s
        self._clock = clock
        self._on_news = on_news
        self._begins_ms = 0
        self._checked = 0
        self._differed = 0
        self._failed: set[Uid] = set()
        self._is_over = False

    async def run(self) -> None:
        """Sweep until cancelled."""
        while True:
            try:
                rest_s = await self.step()
            except Exception:
                log.exception("sweep_failed")
                rest_s = REST_S_MAX
            await asyncio.sleep(rest_s)

    async def step(self) -> float:
        """Check the next study, if it is time; how many seconds to rest then."""
        now_ms = self._clock()
        begins_ms, ends_ms = self._night.window(now_ms)
        if now_ms < begins_ms:
            return min((begins_ms - now_ms) / 1000, REST_S_MAX)
        if begins_ms != self._begins_ms:
            await self._begin(begins_ms)
        if self._is_over:
            return min((ends_ms - now_ms) / 1000, REST_S_MAX)
        due = await self._database.read(lambda tx: self._checks.count_due(tx, now_ms=now_ms))
        if due > DUE_MAX:
            return YIELD_S
        study = await self._next()
        if study is None:
            self._end()
            return 0.0
        return await self._check(study)

    async def _begin(self, begins_ms: int) -> None:
        # Of a night that began before the gateway did, so much is done already.
        self._checked = await self._database.read(
            lambda tx: self._checks.count_checked(tx, since_ms=begins_ms)
        )
        self._begins_ms, self._differed, self._is_over = begins_ms, 0, False
        self._failed.clear()

    async def _next(self) -> Uid | None:
        if self._checked >= self._studies_max or len(self._failed) >= FAILURES_MAX:
            return None
        listed = await self._database.read(
            lambda tx: self._checks.unchecked(tx, before_ms=self._begins_ms, count_max=FAILURES_MAX)
        )
        return next((study for study in listed if study not in self._failed), None)

    def _end(self) -> None:
        self._is_over = True
        told = {"checked": self._checked, "differed": self._differed, "failed": len(self._failed)}
        log.info("sweep_ended", extra=told)

    async def _check(self, study: Uid) -> float:
        try:
            answer = await self._pacs.describe(study, asked_after=0)
            if not answer.held and await self._is_all_gone(study):
                log.error("sweep_doubts_pacs")
                self._end()
                return 0.0
        except PacsBusy:
            return PAUSE_S
        except PacsUnavailable as error:
            self._failed.add(study)
            log.warning("pacs_not_asked", extra={"looks": 0, "reason": str(error)})
            return max(error.retry_after_s or 0.0, PAUSE_S)
        except PacsAnswerUnreadable as error:
            # What is published was understood once. To take it for changed would set it aside.
            log.warning("sweep_answer_unreadable", extra={"reason": str(error)})
            held = None
        else:
            held = frozenset(answer.held)
        differs = await self._database.write(lambda tx: self._compare(tx, study, held))
        self._checked += 1
        if differs:
            self._differed += 1
            self._on_news()
        return self._rest_s

    async def _is_all_gone(self, study: Uid) -> bool:
        """Whether the PACS that told of a study, and tells of it no longer, tells of nothing.

        Then it has lost its database, or lets us see nothing, and will mend: to believe it would
        withdraw all that is out.
        """
        witness = await self._database.read(lambda tx: self._checks.witness(tx, study))
        if witness is None:
            return False
        return not (await self._pacs.describe(witness, asked_after=0)).held

    async def _compare(
        self, tx: Transaction, study: Uid, held: frozenset[HeldByPacs] | None
    ) -> bool:
        now_ms = self._clock()
        await self._checks.mark(tx, study, now_ms=now_ms)
        if held is None or held == await self._checks.told(tx, study):
            return False
        announced = StudyAnnounced(study=study, by="sweep")
        await self._studies.study_announced(tx, announced, now_ms=now_ms)
        return True
