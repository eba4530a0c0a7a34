"""One association: the state machine of PS3.8 §9.2 over a connection.

The states are places in the code. As acceptor: before `accept` (Sta2, Sta3), after it (Sta6), and
`_linger` (Sta13), where the peer is given its time to close. As requestor: `request` (Sta5), after
it (Sta6), and `release` (Sta7). An A-ABORT sent before the association is established names the
service user as its source (AA-1).
"""

import asyncio
from collections.abc import Iterator
from contextlib import suppress

from pynetdicom.pdu_primitives import A_ASSOCIATE

from gateway.dimse.connection import Connection
from gateway.dimse.limits import DimseLimits
from gateway.dimse.negotiation import Agreement, Context, agreed
from gateway.dimse.pdus import (
    HEADER,
    Fragment,
    PduKind,
    ProtocolError,
    decode_accept,
    decode_reject,
    encode_abort,
    encode_accept,
    encode_fragments,
    encode_reject,
    encode_release_answer,
    encode_release_request,
    encode_request,
    fragments,
    split_header,
)
from gateway.dimse.statuses import AbortReason, RejectReason


class AssociationEnded(Exception):
    """The peer released, aborted or left; there is nobody to answer."""


class AssociationRejected(AssociationEnded):
    """The peer does not associate; the message says why, in the words of PS3.8 §9.3.4."""


class UpperLayer:
    """Our end of one association. One task uses it."""

    def __init__(self, connection: Connection, limits: DimseLimits) -> None:
        self._connection = connection
        self._limits = limits
        self._contexts: dict[int, Context] = {}
        self._peer_pdu_bytes_max = 0
        self._is_established = False
        self._fragments: Iterator[Fragment] = iter(())

    async def read_request(self) -> bytes:
        """The association request (Sta2), without its header and not taken apart.

        Raises:
            ProtocolError: something else came.
            AssociationEnded: the peer left, or ARTIM expired: it is not told (AA-2).
        """
        try:
            async with asyncio.timeout(self._limits.handshake_s):
                kind, payload = await self._read_pdu()
        except TimeoutError as error:
            raise AssociationEnded from error
        if kind is PduKind.ABORT:
            raise AssociationEnded
        if kind is not PduKind.ASSOCIATE_RQ:
            raise ProtocolError(AbortReason.UNEXPECTED_PDU)
        return bytes(payload)

    async def accept(self, agreement: Agreement) -> None:
        """Send the A-ASSOCIATE-AC; the association is established."""
        self._contexts = agreement.contexts
        self._peer_pdu_bytes_max = agreement.peer_pdu_bytes_max
        self._is_established = True
        await self._write(encode_accept(agreement.answer))

    async def request(self, asked: A_ASSOCIATE) -> dict[int, Context]:
        """Ask for an association, as its requestor; the presentation contexts that were accepted.

        Raises:
            ProtocolError: something else than an answer came.
            AssociationRejected: the peer refused.
            AssociationEnded: it aborted or left.
            TimeoutError: it did not answer within `handshake_s`.
        """
        await self._write(encode_request(asked))
        async with asyncio.timeout(self._limits.handshake_s):
            kind, payload = await self._read_pdu()
        if kind is PduKind.ASSOCIATE_RJ:
            raise AssociationRejected(decode_reject(payload))
        if kind is PduKind.ABORT:
            raise AssociationEnded
        if kind is not PduKind.ASSOCIATE_AC:
            raise ProtocolError(AbortReason.UNEXPECTED_PDU)
        self._contexts, self._peer_pdu_bytes_max = agreed(asked, decode_accept(bytes(payload)))
        self._is_established = True
        return self._contexts

    async def release(self) -> None:
        """End the association in order, as its requestor: it closes once it is answered (AR-3)."""
        with suppress(AssociationEnded, TimeoutError, ProtocolError):
            await self._write(encode_release_request())
            async with asyncio.timeout(self._limits.artim_s):
                kind = PduKind.DATA
                while kind is PduKind.DATA:  # what was under way (Sta7)
                    kind, _ = await self._read_pdu()

    async def reject(self, reason: RejectReason) -> None:
        """Send an A-ASSOCIATE-RJ and let the peer close."""
        with suppress(AssociationEnded, TimeoutError):
            await self._write(encode_reject(reason))
            await self._linger()

    async def abort(self, reason: AbortReason) -> None:
        """Send an A-ABORT and let the peer close."""
        source = reason if self._is_established else AbortReason.SERVICE_USER
        with suppress(AssociationEnded, TimeoutError):
            await self._write(encode_abort(source))
            await self._linger()

    def abort_at_once(self, reason: AbortReason) -> None:
        """Send an A-ABORT without waiting for anything, for who is being cancelled."""
        self._connection.write_at_once(encode_abort(reason))

    async def next_fragment(self) -> tuple[Fragment, Context]:
        """The next fragment, with its presentation context.

        Raises:
            ProtocolError: the peer broke the protocol.
            AssociationEnded: it released (and was answered), aborted or left.
            TimeoutError: nothing came within `idle_s`, or a PDU stayed unfinished.
        """
        while True:
            for fragment in self._fragments:
                context = self._contexts.get(fragment.context_id)
                if context is None:
                    raise ProtocolError(AbortReason.INVALID_PARAMETER)
                return fragment, context
            if not self._connection.holds(HEADER.size):
                await self._wait(self._limits.idle_s)
            kind, payload = await self._read_pdu()
            match kind:
                case PduKind.DATA:
                    self._fragments = fragments(payload)
                case PduKind.RELEASE_RQ:
                    await self._write(encode_release_answer())
                    await self._linger()
                    raise AssociationEnded
                case PduKind.ABORT:
                    raise AssociationEnded
                case _:
                    raise ProtocolError(AbortReason.UNEXPECTED_PDU)

    async def is_silent(self, seconds: float) -> bool:
        """Whether the peer sends nothing in that time; what it sends is not lost."""
        try:
            await self._wait(seconds)
        except TimeoutError:
            return True
        return False

    async def send_command(self, encoded: bytes, *, context_id: int) -> None:
        """Send a command set.

        Raises:
            AssociationEnded: the peer left.
            TimeoutError: it does not take it within `write_s`.
        """
        await self._write(
            encode_fragments(
                encoded,
                context_id=context_id,
                is_command=True,
                pdu_bytes_max=self._peer_pdu_bytes_max,
            )
        )

    async def send_message(self, command: bytes, data_set: bytes, *, context_id: int) -> None:
        """Send a command set and the data set that follows it.

        Raises:
            AssociationEnded: the peer left.
            TimeoutError: it does not take them within `write_s`.
        """
        await self.send_command(command, context_id=context_id)
        await self._write(
            encode_fragments(
                data_set,
                context_id=context_id,
                is_command=False,
                pdu_bytes_max=self._peer_pdu_bytes_max,
            )
        )

    async def close(self) -> None:
        """Close the connection, whatever state it is in."""
        try:
            async with asyncio.timeout(self._limits.write_s):
                await self._connection.close()
        except TimeoutError:  # the peer takes nothing more
            self._connection.abort()

    async def _read_pdu(self) -> tuple[PduKind, memoryview]:
        within_s = min(self._limits.pdu_s, self._limits.idle_s)
        try:
            header = await self._connection.read(HEADER.size, within_s=within_s)
            kind, length = split_header(header, bytes_max=self._limits.pdu_bytes_max)
            return kind, await self._connection.read(length, within_s=within_s)
        except TimeoutError:  # an OSError too
            raise
        except OSError as error:
            raise AssociationEnded from error

    async def _wait(self, within_s: float) -> None:
        """Wait until the peer says something."""
        try:
            await self._connection.wait(within_s=within_s)
        except TimeoutError:  # an OSError too
            raise
        except OSError as error:
            raise AssociationEnded from error

    async def _write(self, encoded: bytes) -> None:
        try:
            if not self._connection.write(encoded):
                async with asyncio.timeout(self._limits.write_s):
                    await self._connection.drain()
        except TimeoutError:  # an OSError too
            raise
        except OSError as error:
            raise AssociationEnded from error

    async def _linger(self) -> None:
        # Closing while something of the peer's is unread would reset the connection, and our last
        # word with it.
        with suppress(TimeoutError):
            await self._connection.skip(within_s=self._limits.artim_s)
