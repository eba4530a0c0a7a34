"""What a client makes sure of whatever protocol is spoken, before it believes an index."""

import hashlib

from indexer.contract.document import DocumentEntry, Receipt, Submission
from indexer.contract.errors import IndexUnavailable, SubmissionRejected
from indexer.contract.index import Index


async def already_held(index: Index, submission: Submission, *, code: str) -> Receipt:
    """The receipt of a submission whose first answer was lost; the hash tells it.

    Args:
        code: by which the index told of a duplicate.

    Raises:
        IndexUnavailable: the index does not show what it tells of.
        SubmissionRejected: it holds another document by this unique id.
    """
    entry = submission.entry
    try:
        held = await index.find_by_unique_id(entry.unique_id)
    except IndexUnavailable as error:
        raise error.after_sending() from error
    if held is None:
        raise IndexUnavailable("the index tells of a duplicate that it does not show")
    if (held.sha1, held.size_bytes) != (entry.sha1, entry.size_bytes):
        raise SubmissionRejected("the index holds another document by this unique id", code=code)
    return Receipt(entry_id=held.entry_id)


def checked_document(content: bytes, entry: DocumentEntry) -> bytes:
    """The document itself.

    Raises:
        IndexUnavailable: it is not the one that its entry describes.
    """
    digest = hashlib.sha1(content, usedforsecurity=False).hexdigest()
    if (len(content), digest) != (entry.size_bytes, entry.sha1):
        raise IndexUnavailable("the index gave another document than its entry describes")
    return content
