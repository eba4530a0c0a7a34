"""Submissions on their way to the index: at least once, and of one study in order.

A revision waits until what became of the one before it is known, because the index must be told
which entry it replaces. One that was never sent is dropped by the next; one that was, is resolved
first, for it may be in the index although no answer came.
"""

from dataclasses import dataclass, replace
from typing import cast

from gateway.storage.database import Dialect, Row, Transaction
from gateway.storage.queries import load_queries
from gateway.storage.records import decode, encode
from indexer.contract.document import Submission
from indexer.contract.identifiers import Uid


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A submission that is this worker's to send, until its lease ends."""

    submission_id: str
    study: Uid
    revision: int
    attempts: int
    """Attempts made, this one included."""
    submission: Submission


class Outbox:
    """Repository of submissions."""

    def __init__(self, dialect: Dialect) -> None:
        self._sql = load_queries("gateway.publication", "outbox.sql", dialect)

    async def enqueue(
        self,
        tx: Transaction,
        submission_id: str,
        submission: Submission,
        *,
        study: Uid,
        revision: int,
        now_ms: int,
    ) -> None:
        """Add a revision to the transaction that decides on it: both are kept, or neither."""
        await tx.fetch(self._sql["drop_unsent"], study=study, now_ms=now_ms)
        await tx.fetch(
            self._sql["enqueue"],
            submission_id=submission_id,
            study=study,
            revision=revision,
            content=encode(replace(submission, document=b"")),
            document=submission.document,
            now_ms=now_ms,
        )

    async def claim_due(
        self, tx: Transaction, *, now_ms: int, lease_ms: int, count_max: int
    ) -> list[Claim]:
        """Submissions to send now, the longest due first; each names the entry it replaces."""
        rows = await tx.fetch(
            self._sql["claim_due"],
            now_ms=now_ms,
            lease_end_ms=now_ms + lease_ms,
            count_max=count_max,
        )
        return [_claim(row) for row in rows]

    async def release_claims(self, tx: Transaction, *, now_ms: int) -> None:
        """Make everything that waits due now: whoever held a lease is dead."""
        await tx.fetch(self._sql["release_claims"], now_ms=now_ms)

    async def next_due_at_ms(self, tx: Transaction) -> int | None:
        """When the next submission falls due, if any does."""
        [row] = await tx.fetch(self._sql["next_due"])
        return cast("int | None", row["due_at_ms"])

    async def mark_sent(
        self, tx: Transaction, claim: Claim, *, index_entry_id: str, now_ms: int
    ) -> bool:
        """The index holds it; False if the claim is void."""
        return bool(
            await tx.fetch(
                self._sql["mark_sent"],
                submission_id=claim.submission_id,
                attempts=claim.attempts,
                index_entry_id=index_entry_id,
                now_ms=now_ms,
            )
        )

    async def postpone(self, tx: Transaction, claim: Claim, *, due_at_ms: int) -> None:
        """Try again later; without effect if the claim is void."""
        await tx.fetch(
            self._sql["postpone"],
            submission_id=claim.submission_id,
            attempts=claim.attempts,
            due_at_ms=due_at_ms,
        )

    async def set_aside(self, tx: Transaction, claim: Claim, *, code: str, now_ms: int) -> bool:
        """The index refused it for good; False if the claim is void."""
        return bool(
            await tx.fetch(
                self._sql["set_aside"],
                submission_id=claim.submission_id,
                attempts=claim.attempts,
                code=code,
                now_ms=now_ms,
            )
        )

    async def latest_state(self, tx: Transaction, study: Uid) -> str | None:
        """What became of the study's latest revision so far; None if it has none."""
        rows = await tx.fetch(self._sql["latest"], study=study)
        return cast(str, rows[0]["state"]) if rows else None

    async def list(self, tx: Transaction, *, count_max: int, offset: int) -> list[Row]:
        """Submissions, the latest first; for operators."""
        return await tx.fetch(self._sql["list"], count_max=count_max, offset=offset)

    async def count_by_state(self, tx: Transaction) -> dict[str, int]:
        """How many submissions stand where."""
        rows = await tx.fetch(self._sql["count_by_state"])
        return {cast(str, row["state"]): cast(int, row["submissions"]) for row in rows}


def _claim(row: Row) -> Claim:
    submission = decode(Submission, cast(bytes, row["content"]))
    return Claim(
        submission_id=cast(str, row["submission_id"]),
        study=Uid(cast(str, row["study_uid"])),
        revision=cast(int, row["revision"]),
        attempts=cast(int, row["attempts"]),
        submission=replace(
            submission,
            document=cast(bytes, row["document"]),
            replaces=cast("str | None", row["replaces"]),
        ),
    )
