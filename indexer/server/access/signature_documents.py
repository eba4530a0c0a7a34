"""Checks the document that signs a submission: that it signs all of it, and as it came.

A document whose formatCode is that of a signature is one. It may be of any structure that is
trusted: who sends a submission need not be who made it.
"""

from collections.abc import Callable, Sequence
from datetime import datetime

from indexer.contract.document_set import Document, DocumentSet, Relation
from indexer.contract.errors import InvalidValue
from indexer.server.access.checks import Checks
from indexer.server.access.trust import Trust
from indexer.wire.outcome import Refusal, XdsError, xds_refusal
from indexer.wire.proof.signature_document import FORMAT_CODE, SignedSet, check_signature
from indexer.wire.proof.signatures import certificates_in
from indexer.wire.xml import open_xml


class SignatureDocuments:
    """What an index asks of signatures.

    Args:
        required: whether every submission must be signed, as the DMP has it.
        sha1: whether a signature may be made with SHA-1.
        now: the time, aware.
    """

    def __init__(
        self,
        trust: Trust,
        checks: Checks,
        *,
        required: bool,
        sha1: bool,
        now: Callable[[], datetime],
    ) -> None:
        self._trust = trust
        self._checks = checks
        self._required = required
        self._sha1 = sha1
        self._now = now

    async def check(self, submitted: DocumentSet) -> None:
        """Refuse a submission whose signature does not hold.

        Raises:
            Refusal: it does not, or there is none where there must be.
            Unavailable: too many wait to be checked.
        """
        signatures = [one for one in submitted.documents if _is_signature(one)]
        if signatures:
            now = self._now()
            await self._checks.run(lambda: self._check(submitted, signatures, now))
        elif self._required:
            raise xds_refusal(
                "the submission has no signature document", XdsError.REPOSITORY_METADATA
            )

    def _check(self, submitted: DocumentSet, signatures: Sequence[Document], now: datetime) -> None:
        for one in signatures:
            try:
                signed = self._signed(one.content, now)
            except Refusal:
                raise
            except InvalidValue as error:
                reason = f"the signature document is refused: {error}"
                raise xds_refusal(reason, XdsError.INVALID_DOCUMENT) from None
            _expect_all(submitted, one, signed)

    def _signed(self, content: bytes, now: datetime) -> SignedSet:
        root = open_xml(content)
        certificates = certificates_in(root)
        self._trust.signer(certificates, at=now)
        return check_signature(root, certificates[0], sha1=self._sha1)


def _is_signature(document: Document) -> bool:
    return document.entry.format_code.code == FORMAT_CODE.code


def _expect_all(submitted: DocumentSet, signature: Document, signed: SignedSet) -> None:
    """Refuse a signature of more, of less or of something else than the submission."""
    told = submitted.submission_set
    targets = {
        one.target
        for one in submitted.associations
        if one.relation is Relation.SIGNS and one.source == signature.entry.entry_id
    }
    if targets != {told.set_id}:
        raise _unsigned("is not associated with its submission set")
    if signed.undigested - {told.unique_id}:
        raise _unsigned("names a document without its digest")
    others = {
        one.entry.unique_id: one.content for one in submitted.documents if not _is_signature(one)
    }
    if set(signed.documents) - {told.unique_id} != set(others):
        raise _unsigned("does not sign the documents of its submission set, and no others")
    for name, content in others.items():
        if not signed.documents[name].matches(content):
            raise _unsigned("has another digest of a document")


def _unsigned(reason: str) -> Refusal:
    return xds_refusal(f"the signature document {reason}", XdsError.REPOSITORY_METADATA)
