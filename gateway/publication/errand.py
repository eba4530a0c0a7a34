"""Carries one submission to the index: sends it, takes an entry back, or asks what became of it.

Sends at least once: the index knows a repeat by its document unique id (ITI-41, ITI-65).
"""

from dataclasses import replace
from typing import Final

from gateway.clock import Clock
from gateway.publication.outbox import Claim, Outbox
from gateway.storage.database import Database
from indexer.contract.document import DocumentQuery, EntryStatus, Submission
from indexer.contract.errors import IndexUnavailable, NoRecord, SubmissionRejected
from indexer.contract.index import Index
from indexer.contract.record import RecordState

ARRIVAL_MS: Final = 60_000
"""A request that nobody waits for any longer has reached the index by then, or never will."""


class Errand:
    """What one claim has the gateway do.

    Args:
        index: as somebody who may act on the patient's record.
    """

    def __init__(
        self, database: Database, outbox: Outbox, index: Index, claim: Claim, *, clock: Clock
    ) -> None:
        self._database = database
        self._outbox = outbox
        self._index = index
        self._claim = claim
        self._clock = clock

    async def run(self) -> str | None:
        """What the index calls the entry that it holds, or that it took back; None if there is none
        and none must be.

        Raises:
            IndexUnavailable: what became of it is not known yet.
            NoRecord: no record takes it.
            SubmissionRejected: the index refused, and would refuse again.
            UnreadableRecord: another version of the program wrote it.
        """
        if self._claim.withdraws:
            return await self._withdraw()
        if self._claim.lacked_record:
            await self._expect_record()
        return await self._submit()

    async def _expect_record(self) -> None:
        """Ask whether there is one by now, where the index can be asked: a manifest is larger."""
        state = await self._index.record_state(self._claim.patient)
        if state not in (None, RecordState.OPEN):
            raise NoRecord(state)

    async def _withdraw(self) -> str | None:
        """What the index called the entry that it took back; None if there was none.

        Those that it had replaced go with it: whoever asks for them by their status is given them.
        """
        current = await self._out()
        if current is None:
            return None
        known = await self._database.read(lambda tx: self._outbox.entries(tx, self._claim))
        # The current entry goes first; of what is named twice, once.
        first, *others = dict.fromkeys((*known, *await self._replaced_before())) or [current]
        await self._index.withdraw(first)
        try:
            for entry_id in others:
                await self._index.withdraw(entry_id)
        except IndexUnavailable as error:
            raise error.after_sending() from error
        return current

    async def _replaced_before(self) -> list[str]:
        """What the index calls those that were replaced before their pointer was taken over.

        Only the index knows them. Another centre's on the same study are none of ours: their
        patient's local id is of another authority.
        """
        adopted = await self._database.read(lambda tx: self._outbox.adopted_in(tx, self._claim))
        if adopted is None:
            return []
        query = DocumentQuery(
            patient=adopted.patient,
            statuses=frozenset({EntryStatus.DEPRECATED}),
            type_code=adopted.type_code,
            study=self._claim.study,
        )
        centre = adopted.local_patient.authority
        found = await self._index.find(query)
        return [one.entry_id for one in found if one.local_patient.authority == centre]

    async def _submit(self) -> str | None:
        """What the index calls the entry; None if it must not be sent and the index has it not."""
        submission = self._claim.submission()
        if self._claim.is_stopping:
            return await self._stopped(submission)
        submission = replace(submission, replaces=await self._out())
        try:
            return (await self._index.submit(submission)).entry_id
        except (SubmissionRejected, NoRecord):
            # An earlier attempt may have been held and its answer lost. A refusal of the repeat,
            # for whatever reason, must not make us forget that entry.
            held = await self._held(submission) if self._claim.sent_at_ms is not None else None
            if held is None:
                raise
            return held

    async def _out(self) -> str | None:
        """What the index calls the entry that is out; None if there is none."""
        if self._claim.replaces != "":
            return self._claim.replaces
        found = await self._database.read(lambda tx: self._outbox.adopted(tx, self._claim.study))
        if found is None:
            return None
        submission_id, adopted = found
        entry = await self._index.find_by_unique_id(adopted.entry.unique_id)
        if entry is None or entry.status is not EntryStatus.APPROVED:
            return None
        named = entry.entry_id
        await self._database.write(lambda tx: self._outbox.name_entry(tx, submission_id, named))
        return named

    async def _stopped(self, submission: Submission) -> str | None:
        if self._claim.sent_at_ms is None:
            return None
        held = await self._held(submission)
        still_s = (self._claim.sent_at_ms + ARRIVAL_MS - self._clock()) / 1000
        if held is None and still_s > 0:
            raise IndexUnavailable("what was sent may still arrive", retry_after_s=still_s)
        return held

    async def _held(self, submission: Submission) -> str | None:
        entry = await self._index.find_by_unique_id(submission.entry.unique_id)
        same = entry is not None and entry.sha1 == submission.entry.sha1
        return entry.entry_id if same and entry is not None else None
