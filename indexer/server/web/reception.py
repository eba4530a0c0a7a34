"""Takes a SOAP message as it comes, and asks who sends it before the rest of it is taken."""

import logging

from gateway.errors import Unavailable
from indexer.contract.access import Caller
from indexer.server.access.policy import AccessPolicy, Unproved
from indexer.server.web.http_errors import BUSY
from indexer.wire.soap.envelope import FaultCode, SoapFault
from indexer.wire.soap.head import PROOF_BYTES_MAX, find_assertion, head_of
from indexer.wire.soap.mtom import Package, PackageReader

log = logging.getLogger(__name__)


class Reception:
    """Takes one message.

    Args:
        policy: asked once, when the header has come, or cannot be in what has come; not at all
            where it takes no proof from there.
        known: who sends it, as far as is known without.
    """

    def __init__(self, policy: AccessPolicy, *, known: Caller | None) -> None:
        self._policy = policy
        self._reader: PackageReader | None = None
        self._size = 0
        self._is_asked = not policy.in_envelopes
        self._caller = known

    def begin(self, content_type: str) -> None:
        """Take a message of this type.

        Raises:
            SoapFault: it is none of a SOAP message.
        """
        self._reader = PackageReader(content_type)

    async def take(self, chunk: bytes) -> None:
        """Take the next bytes.

        Raises:
            SoapFault: it is no message, or who sends it is not let in.
        """
        assert self._reader is not None
        self._reader.feed(chunk)
        self._size += len(chunk)
        if not self._is_asked:
            head = head_of(self._reader.begun)
            if head is not None or self._size > PROOF_BYTES_MAX:
                await self.ask(head)

    async def end(self) -> tuple[Package, Caller | None]:
        """The message, which has ended, and who sends it.

        Raises:
            SoapFault: it was broken off, or who sends it is not let in.
        """
        assert self._reader is not None
        package = self._reader.close()
        if not self._is_asked:  # an envelope that came as base64, say
            await self.ask(head_of(package.root))
        return package, self._caller

    async def ask(self, head: bytes | None = None) -> None:
        """Ask who sends the message, unless it was asked already.

        Args:
            head: None where there is none that could tell.

        Raises:
            SoapFault: they are not let in.
        """
        if self._is_asked:
            return
        self._is_asked = True
        proof = None if head is None else find_assertion(head)
        try:
            self._caller = await self._policy.caller(proof, one_time=True)
        except Unproved as error:
            log.info("caller_refused", extra={"code": error.fault.value, "reason": error.reason})
            raise SoapFault(error.reason, subcode=error.fault) from None
        except Unavailable:
            raise SoapFault(BUSY, code=FaultCode.RECEIVER) from None
