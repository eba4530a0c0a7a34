"""What an index does for a gateway, whatever protocol is spoken."""

from typing import Protocol

from indexer.contract.access import Caller
from indexer.contract.document import DocumentEntry, DocumentQuery, Receipt, Submission
from indexer.contract.identifiers import Ins, Uid
from indexer.contract.record import RecordState


class Index(Protocol):
    """A national index of documents, as its clients see it."""

    def acting_for(self, caller: Caller) -> "Index":
        """The same index, to which each request then proves that this caller asks.

        Without somebody to vouch for them it proves nothing, which an index open to all takes.
        """

    async def record_state(self, patient: Ins) -> RecordState | None:
        """Whether the patient has a record; None where the index cannot be asked so.

        Raises:
            IndexUnavailable: it does not answer.
        """

    async def submit(self, submission: Submission) -> Receipt:
        """Have the index hold the document; a repeat of what it holds already gives its receipt.

        Raises:
            IndexUnavailable: it does not answer, or what became of the submission is unknown.
            SubmissionRejected: it refused, and would refuse again.
            NoRecord: the patient's record is absent or closed, or its holder refuses.
        """

    async def withdraw(self, entry_id: str) -> None:
        """Have the index show an entry to nobody any more; a repeat, or an unknown id, is success.

        Raises:
            IndexUnavailable: it does not answer, or what became of the request is unknown.
            SubmissionRejected: it refused, and would refuse again.
            NoRecord: the record is closed, or its holder refuses; in none there is no entry.
        """

    async def find(self, query: DocumentQuery) -> list[DocumentEntry]:
        """Entries that match, newest first.

        Raises:
            IndexUnavailable: it does not answer.
        """

    async def find_by_unique_id(self, unique_id: Uid) -> DocumentEntry | None:
        """The entry of the document with this unique id, if there is one.

        Its status may be any: a publisher must learn that what it sent was held, even if it has
        been replaced or withdrawn since.

        Raises:
            IndexUnavailable: it does not answer.
        """

    async def retrieve(self, entry: DocumentEntry) -> bytes:
        """The document of an entry that the index gave.

        Raises:
            IndexUnavailable: it does not answer.
            DocumentNotFound: it holds it no longer.
        """
