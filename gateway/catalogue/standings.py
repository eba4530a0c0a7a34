"""Where studies stand: which are due, what was decided about each, and what became of it.

A study is due by its news, or at a time. Whoever looks at it has it alone, under a lease; what is
then decided names the news that was known, and is void if more has come since.
"""

from dataclasses import dataclass
from typing import cast

from gateway.catalogue.history import History
from gateway.clock import at
from gateway.model.act import ActKind
from gateway.model.event import Event
from gateway.storage.database import Dialect, Param, Row, Transaction
from gateway.storage.queries import load_queries
from indexer.contract.identifiers import Uid

_ACTS = frozenset(ActKind)


@dataclass(frozen=True, slots=True, kw_only=True)
class DueStudy:
    """A study that is this worker's to look at, until its lease ends."""

    study: Uid
    news: int
    """Number of its last news when it was claimed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Where a study stands, beside what is known of it."""

    state: str
    code: str
    reason: str
    revision: int
    fingerprint: str
    looks: int
    """Looks since the last news."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Conclusion:
    """What was decided about a study when its news had reached `news`."""

    study: Uid
    news: int
    known_revision: int
    state: str
    code: str = ""
    reason: str = ""
    due_at_ms: int | None = None
    revision: int
    fingerprint: str
    left_out: int = 0
    images: int | None = None
    """How many the study has now, for its history."""
    pushed_at_ms: int | None = None
    """When the last instance was pushed here, for its history; None while more is waited for."""
    pushed: int = 0
    """How many of its instances lie here."""
    waiting_since_ms: int | None = None
    ask_again: bool = False
    """Whether the PACS's answer is to be forgotten, so that the next look asks again."""


class Standings:
    """Repository of where studies stand."""

    def __init__(self, dialect: Dialect) -> None:
        self._sql = load_queries("gateway.catalogue", "standings.sql", dialect)
        self.history = History(dialect)

    async def of(self, tx: Transaction, study: Uid) -> Standing | None:
        """Where the study stands; None if nothing is known of it."""
        rows = await tx.fetch(self._sql["standing"], study=study)
        if not rows:
            return None
        row = rows[0]
        return Standing(
            state=cast(str, row["state"]),
            code=cast(str, row["code"]),
            reason=cast(str, row["reason"]),
            revision=cast(int, row["revision"]),
            fingerprint=cast(str, row["fingerprint"]),
            looks=cast(int, row["looks"]),
        )

    async def claim_due(
        self, tx: Transaction, *, now_ms: int, lease_ms: int, count_max: int
    ) -> list[DueStudy]:
        """Studies to look at now, the longest due first; nobody else gets them during the lease."""
        rows = await tx.fetch(
            self._sql["claim_due"],
            now_ms=now_ms,
            lease_end_ms=now_ms + lease_ms,
            count_max=count_max,
        )
        return [
            DueStudy(study=Uid(cast(str, row["study_uid"])), news=cast(int, row["news"]))
            for row in rows
        ]

    async def release(self, tx: Transaction, study: Uid) -> None:
        """The look is over: if the study is due, it may be claimed at once."""
        await tx.fetch(self._sql["release"], study=study)

    async def release_claims(self, tx: Transaction) -> None:
        """End all leases: whoever held one is dead."""
        await tx.fetch(self._sql["release_claims"])

    async def make_due(self, tx: Transaction, study: Uid, *, now_ms: int) -> None:
        """Have the study looked at now, although there is no news of it."""
        await tx.fetch(self._sql["make_due"], study=study, now_ms=now_ms)

    async def next_due_at_ms(self, tx: Transaction) -> int | None:
        """When the next study is to be looked at, if any is."""
        [row] = await tx.fetch(self._sql["next_due"])
        return cast("int | None", row["due_at_ms"])

    async def conclude(self, tx: Transaction, conclusion: Conclusion, *, now_ms: int) -> bool:
        """Write down what was decided; False if news came since, which makes it void."""
        before = await self.of(tx, conclusion.study)
        told: dict[str, Param] = {
            "study": conclusion.study,
            "news": conclusion.news,
            "known_revision": conclusion.known_revision,
            "state": conclusion.state,
            "code": conclusion.code,
            "reason": conclusion.reason,
            "due_at_ms": conclusion.due_at_ms,
            "revision": conclusion.revision,
            "fingerprint": conclusion.fingerprint,
            "left_out": conclusion.left_out,
            "waiting_since_ms": conclusion.waiting_since_ms,
            "ask_again": int(conclusion.ask_again),
        }
        if not await tx.fetch(self._sql["conclude"], now_ms=now_ms, **told):
            return False
        await self._note(tx, before, conclusion, now_ms=now_ms)
        return True

    async def _note(
        self, tx: Transaction, before: Standing | None, conclusion: Conclusion, *, now_ms: int
    ) -> None:
        """Tell the history of images that came, and of what changed, or what came of an act."""
        study, history = conclusion.study, self.history
        last, told_until = await history.last(tx, study)
        if conclusion.pushed_at_ms is not None:
            until = at(conclusion.pushed_at_ms).isoformat()
            if until != told_until:
                await history.note(
                    tx,
                    study,
                    Event.IMAGES_RECEIVED,
                    now_ms=now_ms,
                    until=until,
                    instances=conclusion.pushed,
                )
        stood = (before.state, before.code, before.revision) if before is not None else None
        answers_act = last in _ACTS and conclusion.due_at_ms is None
        if answers_act or stood != (conclusion.state, conclusion.code, conclusion.revision):
            await history.note(
                tx,
                study,
                Event(conclusion.state),
                code=conclusion.code,
                now_ms=now_ms,
                revision=conclusion.revision or None,
                images=conclusion.images,
            )

    async def fail(
        self, tx: Transaction, due: DueStudy, *, code: str, reason: str, now_ms: int
    ) -> bool:
        """Have a person look at a study that no look decides about; False if it has news since."""
        failed = await tx.fetch(
            self._sql["fail"],
            study=due.study,
            news=due.news,
            code=code,
            reason=reason,
            now_ms=now_ms,
        )
        if failed:
            await self.history.note(tx, due.study, Event.SET_ASIDE, code=code, now_ms=now_ms)
        return bool(failed)

    async def mark(
        self,
        tx: Transaction,
        study: Uid,
        *,
        revision: int,
        state: str,
        now_ms: int,
        code: str = "",
        reason: str = "",
    ) -> bool:
        """Tell what became of a queued revision; False if it is not queued, or not the latest."""
        marked = await tx.fetch(
            self._sql["mark"],
            study=study,
            revision=revision,
            state=state,
            code=code,
            reason=reason,
            now_ms=now_ms,
        )
        if marked:
            await self.history.note(
                tx, study, Event(state), code=code, now_ms=now_ms, revision=revision
            )
        return bool(marked)

    async def withdrawal_rejected(
        self, tx: Transaction, study: Uid, *, code: str, reason: str, now_ms: int
    ) -> None:
        """Have a person look at a study whose pointer the index does not take back."""
        await tx.fetch(
            self._sql["withdrawal_rejected"], study=study, code=code, reason=reason, now_ms=now_ms
        )
        await self.history.note(tx, study, Event.SET_ASIDE, code=code, now_ms=now_ms)

    async def page(
        self,
        tx: Transaction,
        *,
        state: str | None = None,
        study: Uid | None = None,
        count_max: int,
        offset: int,
    ) -> list[Row]:
        """Where studies stand, the latest change first; for operators."""
        return await tx.fetch(
            self._sql["page"], state=state, study=study, count_max=count_max, offset=offset
        )

    async def count_by_state(self, tx: Transaction) -> dict[str, int]:
        """How many studies stand where."""
        rows = await tx.fetch(self._sql["count_by_state"])
        return {cast(str, row["state"]): cast(int, row["studies"]) for row in rows}
