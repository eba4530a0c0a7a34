"""Submissions on their way to the index: at least once, and of one study in order.

A revision waits until what became of the one before it is known, because the index must be told
which entry it replaces. One that was never sent is dropped by the next; one that was, is resolved
first, for it may be in the index although no answer came. One whose patient has no record that
takes it waits for that, and for nothing else. What may no longer be published is stopped: it is not
sent, but if it was, the index is asked whether it has it. What is out and must not stay so is
withdrawn, in the same order.
"""

from dataclasses import dataclass, replace
from typing import cast

from gateway.storage.database import Dialect, Row, Transaction
from gateway.storage.queries import load_queries
from gateway.storage.records import decode, encode
from indexer.contract.document import DocumentEntry, Submission
from indexer.contract.identifiers import Ins, Oid, Uid


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A submission that is this worker's to send, until its lease ends."""

    submission_id: str
    study: Uid
    patient: Ins
    """In whose record it is done."""
    revision: int
    attempts: int
    """Attempts made, this one included."""
    withdraws: bool
    """The entry that is out is to be taken back; there is nothing to send."""
    lacked_record: bool
    """The last attempt found no record that takes it."""
    is_stopping: bool
    """It must not be sent; what is wanted is whether the index has it."""
    sent_at_ms: int | None
    """When an earlier attempt may have reached the index; None if none can have."""
    replaces: str | None
    """What the index calls the entry that is out in the same patient's record: None if there is
    none, empty if another gateway published it and the index is yet to be asked."""
    content: bytes
    document: bytes

    def submission(self) -> Submission:
        """What to send.

        Raises:
            UnreadableRecord: another version of the program wrote it.
        """
        submission = decode(Submission, self.content)
        return replace(submission, document=self.document, replaces=self.replaces)


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
        key = patient_key(submission.entry.patient)
        for query in ("drop_unsent", "hasten"):
            await tx.fetch(self._sql[query], study=study, patient_key=key, now_ms=now_ms)
        await tx.fetch(
            self._sql["enqueue"],
            submission_id=submission_id,
            study=study,
            revision=revision,
            patient_key=key,
            content=encode(replace(submission, document=b"")),
            document=submission.document,
            now_ms=now_ms,
        )

    async def withdraw(
        self,
        tx: Transaction,
        submission_id: str,
        *,
        study: Uid,
        revision: int,
        patient_key: str,
        now_ms: int,
    ) -> None:
        """Have the entry taken back that is out, or may be, in this patient's record."""
        await self.stop(tx, study, now_ms=now_ms)
        await tx.fetch(
            self._sql["withdraw"],
            submission_id=submission_id,
            study=study,
            revision=revision,
            patient_key=patient_key,
            now_ms=now_ms,
        )

    async def adopt(
        self,
        tx: Transaction,
        submission_id: str,
        submission: Submission,
        *,
        study: Uid,
        revision: int,
        now_ms: int,
    ) -> None:
        """Take over what another gateway of the centre published: the next revision replaces it."""
        await tx.fetch(
            self._sql["adopt"],
            submission_id=submission_id,
            study=study,
            revision=revision,
            patient_key=patient_key(submission.entry.patient),
            content=encode(replace(submission, document=b"")),
            document=submission.document,
            now_ms=now_ms,
        )

    async def adopted(self, tx: Transaction, study: Uid) -> tuple[str, Submission] | None:
        """What was taken over of the study, with the id of its submission, until it has a name."""
        rows = await tx.fetch(self._sql["adopted"], study=study)
        if not rows:
            return None
        row = rows[0]
        return cast(str, row["submission_id"]), decode(Submission, cast(bytes, row["content"]))

    async def entries(self, tx: Transaction, claim: Claim) -> list[str]:
        """What the index holds that a withdrawal is to take back, the current entry first."""
        rows = await tx.fetch(
            self._sql["entries"], study=claim.study, submission_id=claim.submission_id
        )
        return [cast(str, row["index_entry_id"]) for row in rows]

    async def adopted_in(self, tx: Transaction, claim: Claim) -> DocumentEntry | None:
        """What was taken over of the study in the record that a withdrawal is about, named or not.

        Raises:
            UnreadableRecord: another version of the program wrote it.
        """
        rows = await tx.fetch(
            self._sql["adopted_in"], study=claim.study, submission_id=claim.submission_id
        )
        return decode(Submission, cast(bytes, rows[0]["content"])).entry if rows else None

    async def name_entry(self, tx: Transaction, submission_id: str, index_entry_id: str) -> None:
        """What the index calls an entry that was taken over."""
        await tx.fetch(
            self._sql["name_entry"], submission_id=submission_id, index_entry_id=index_entry_id
        )

    async def is_replaced_instead(self, tx: Transaction, claim: Claim) -> bool:
        """Whether what a withdrawal was to take back is to be replaced by now."""
        return bool(
            await tx.fetch(
                self._sql["replacement"], study=claim.study, submission_id=claim.submission_id
            )
        )

    async def stop(self, tx: Transaction, study: Uid, *, now_ms: int) -> None:
        """Hold back what waits to be sent of the study."""
        await tx.fetch(self._sql["stop"], study=study, now_ms=now_ms)

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

    async def release_claims(self, tx: Transaction) -> None:
        """End all leases: whoever held one is dead."""
        await tx.fetch(self._sql["release_claims"])

    async def next_due_at_ms(self, tx: Transaction) -> int | None:
        """When the next submission can be claimed, if any can."""
        [row] = await tx.fetch(self._sql["next_due"])
        return cast("int | None", row["due_at_ms"])

    async def finish(
        self,
        tx: Transaction,
        claim: Claim,
        state: str,
        *,
        now_ms: int,
        index_entry_id: str = "",
        code: str = "",
    ) -> bool:
        """Write down what became of it: sent, set_aside or dropped. False if the claim is void."""
        finished = await tx.fetch(
            self._sql["finish"],
            submission_id=claim.submission_id,
            attempts=claim.attempts,
            state=state,
            index_entry_id=index_entry_id,
            code=code,
            now_ms=now_ms,
        )
        if finished and state == "sent":
            await tx.fetch(
                self._sql["forget_documents"], study=claim.study, revision=claim.revision
            )
        return bool(finished)

    async def postpone(
        self, tx: Transaction, claim: Claim, *, due_at_ms: int, never_sent: bool
    ) -> None:
        """Try again later; without effect if the claim is void.

        Args:
            never_sent: nothing of this attempt can have reached the index.
        """
        await tx.fetch(
            self._sql["postpone"],
            submission_id=claim.submission_id,
            attempts=claim.attempts,
            due_at_ms=due_at_ms,
            never_sent=int(never_sent),
        )

    async def lack_record(
        self, tx: Transaction, claim: Claim, *, code: str, due_at_ms: int
    ) -> bool:
        """There is no record to do it in: it is tried again later. False if it is no longer to be
        sent, or if the claim is void.
        """
        waits = await tx.fetch(
            self._sql["lack_record"],
            submission_id=claim.submission_id,
            attempts=claim.attempts,
            code=code,
            due_at_ms=due_at_ms,
        )
        return bool(waits)

    async def last_to_wait(self, tx: Transaction, claim: Claim) -> int | None:
        """The last revision that goes into the record of a claim, which may have to wait behind
        it; None if none does.
        """
        rows = await tx.fetch(
            self._sql["last_to_wait"], study=claim.study, patient_key=patient_key(claim.patient)
        )
        return cast("int | None", rows[0]["revision"])

    async def latest_state(self, tx: Transaction, study: Uid) -> str | None:
        """What became of the study's latest revision so far; None if none is out or on its way."""
        rows = await tx.fetch(self._sql["latest"], study=study)
        if not rows or rows[0]["kind"] == "withdraw":
            return None
        return cast(str, rows[0]["state"])

    async def out_for(self, tx: Transaction, study: Uid) -> str | None:
        """Key of the patient in whose record the index has the study, or may have it; None if in
        nobody's, or if it is being withdrawn.
        """
        rows = await tx.fetch(self._sql["last_to_count"], study=study)
        if not rows or rows[0]["kind"] == "withdraw":
            return None
        return cast(str, rows[0]["patient_key"])

    async def page(self, tx: Transaction, *, count_max: int, offset: int) -> list[Row]:
        """Submissions, the latest first; for operators."""
        return await tx.fetch(self._sql["page"], count_max=count_max, offset=offset)

    async def count_by_state(self, tx: Transaction) -> dict[str, int]:
        """How many submissions stand where."""
        rows = await tx.fetch(self._sql["count_by_state"])
        return {cast(str, row["state"]): cast(int, row["submissions"]) for row in rows}


def patient_key(patient: Ins) -> str:
    """What tells one patient's record from another's."""
    return f"{patient.oid}|{patient.value}"


def _claim(row: Row) -> Claim:
    oid, _, value = cast(str, row["patient_key"]).partition("|")
    return Claim(
        submission_id=cast(str, row["submission_id"]),
        study=Uid(cast(str, row["study_uid"])),
        patient=Ins(value=value, oid=Oid(oid)),
        revision=cast(int, row["revision"]),
        attempts=cast(int, row["attempts"]),
        withdraws=row["kind"] == "withdraw",
        lacked_record=row["state"] == "no_record",
        is_stopping=row["state"] == "stopping",
        sent_at_ms=cast("int | None", row["sent_before_ms"]),
        replaces=cast("str | None", row["replaces"]),
        content=cast(bytes, row["content"]),
        document=cast(bytes, row["document"]),
    )
