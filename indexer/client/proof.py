"""What a client shows to an index of who asks, and signs of what is submitted."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import NAMESPACE_OID, uuid5

from indexer.client.assertion import Structure, build_assertion
from indexer.client.signature_document import sign_set
from indexer.contract.access import Caller, Software
from indexer.contract.document_set import DocumentSet
from indexer.contract.errors import IndexUnavailable, InvalidValue
from indexer.contract.identifiers import Uid
from indexer.wire.proof.signatures import read_signing_key


def read_structure(certificate: bytes, key: bytes, *, sha1: bool, software: Software) -> Structure:
    """Who vouches, by the PEM files of a certificate and its key.

    Raises:
        InvalidValue: they are none, or do not belong together.
    """
    return Structure(key=read_signing_key(certificate, key, sha1=sha1), software=software)


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """Who asks, and the structure that vouches for them; each may be missing, for an index that is
    open to everybody.

    Signing takes 0.6 ms with a key of 2048 bits, for each message; it is done beside the loop.
    """

    structure: Structure | None = None
    caller: Caller | None = None
    now: Callable[[], datetime] = _now

    async def assertion(self) -> bytes | None:
        """The assertion for one request; None where nobody asks, or nobody vouches.

        Raises:
            IndexUnavailable: the caller cannot be told.
        """
        caller, structure = self.caller, self.structure
        if caller is None or structure is None:
            return None
        try:
            return await asyncio.to_thread(build_assertion, caller, structure, now=self.now())
        except InvalidValue as error:
            raise IndexUnavailable(f"who asks cannot be told: {error}", never_sent=True) from error

    async def signed(self, submitted: DocumentSet) -> DocumentSet:
        """The submission with its signature document; as it is where nobody signs.

        A repeat has the same unique id again, so that it is known for one.
        """
        structure = self.structure
        if structure is None:
            return submitted
        named = uuid5(NAMESPACE_OID, f"{submitted.submission_set.unique_id}/signature")
        return await asyncio.to_thread(
            sign_set,
            submitted,
            structure.key,
            document_id=Uid(f"2.25.{named.int}"),
            now=self.now(),
        )


NOBODY = Proof()
"""What is shown to an index that is open to everybody."""
