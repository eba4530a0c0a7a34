"""pynetdicom's end of an association that we asked for, with the limits that it lacks."""

import sys
from contextlib import suppress
from errno import EMSGSIZE
from queue import Empty, Queue
from socket import IPPROTO_TCP, SHUT_RDWR, TCP_NODELAY, socket
from ssl import SSLContext
from threading import Lock
from typing import Any

from pynetdicom import AE
from pynetdicom.association import Association
from pynetdicom.transport import AddressInformation, AssociationSocket

from gateway.errors import PacsUnavailable, PacsUnreachable

if sys.platform == "linux":
    from socket import TCP_QUICKACK

Message = tuple[int, Any] | tuple[None, None]  # a presentation context's id, and a primitive
END: Message = (None, None)

PDU_BYTES_MAX = 1024 * 1024  # that a PACS may send; it is told of 16 KiB
ASSOCIATION_BYTES_MAX = 256 * 1024 * 1024  # that it may send on one; an answer takes some hundred
ITEMS_MAX = 500_000
"""Items of all sequences in its answers: eight bytes each on the way, a kilobyte each in memory."""

_ITEM_TAGS = b"\xfe\xff\x00\xe0", b"\xff\xfe\xe0\x00"  # little and big endian, PS3.5 §7.5


class Connection(AssociationSocket):
    """pynetdicom's connection: it acknowledges at once, and reads nothing beyond its limits."""

    _bytes_left = ASSOCIATION_BYTES_MAX

    def recv(self, nr_bytes: int) -> bytearray:
        """Read so many bytes, or what comes before the end."""
        self._bytes_left -= nr_bytes
        if nr_bytes > PDU_BYTES_MAX or self._bytes_left < 0:
            raise OSError(EMSGSIZE, "the PACS sends too much")  # taken as a connection that closed
        if sys.platform == "linux":
            # A peer with Nagle's algorithm holds the second PDU of an answer until we acknowledge
            # the first, 40 ms later. The kernel forgets the wish, so it is told each time.
            assert self.socket is not None
            self.socket.setsockopt(IPPROTO_TCP, TCP_QUICKACK, 1)
        return super().recv(nr_bytes)


class RequestorAE(AE):
    """pynetdicom's application entity, on connections of ours."""

    def _create_socket(
        self,
        assoc: Association,
        address: AddressInformation,
        tls_args: tuple[SSLContext, str] | None,
    ) -> AssociationSocket:
        connection = Connection(assoc, address=address)
        connection.tls_args = tls_args
        return connection


class Messages(Queue[Message]):
    """What pynetdicom received, and then the end of the association, for whoever asks.

    pynetdicom puts the end in once, and one of its threads may take it from under the thread that
    waits for an answer, which would then wait out its time.

    That thread also looks in without waiting, for requests, which a PACS has none of for us. It may
    do so while another waits for an answer, and would throw the answer away; so it finds nothing.

    Answers of too many items end the association, too, before they are decoded.
    """

    def get(self, block: bool = True, timeout: float | None = None) -> Message:
        """The next message, for who waits for it.

        Raises:
            Empty: in the time given, or at once where the caller does not wait.
        """
        if not block:
            raise Empty
        return super().get(timeout=timeout)

    def _init(self, maxsize: int) -> None:
        super()._init(maxsize)
        self._is_over = False
        self._items_left = ITEMS_MAX

    def _qsize(self) -> int:
        return super()._qsize() or self._is_over

    def _put(self, item: Message) -> None:
        _, message = item
        encoded = getattr(message, "Identifier", None)
        if encoded is not None:
            self._items_left -= sum(encoded.getvalue().count(tag) for tag in _ITEM_TAGS)
        if item == END or self._items_left < 0:
            self._is_over = True
        else:
            super()._put(item)

    def _get(self) -> Message:
        return super()._get() if super()._qsize() else END


class Call:
    """The association of one request, so that another thread can end it."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._is_cancelled = False
        self._association: Association | None = None
        self._socket: socket | None = None

    def opened(self, association: Association, *, stall_s: float) -> None:
        """Called by pynetdicom once the connection is open."""
        assert association.dul.socket is not None
        connection = association.dul.socket.socket
        assert connection is not None
        # Without it each request of ours waits for the peer's delayed acknowledgement, 40 ms.
        connection.setsockopt(IPPROTO_TCP, TCP_NODELAY, 1)
        connection.settimeout(stall_s)  # pynetdicom has none of its own within a PDU
        association.dimse.msg_queue = Messages()
        with self._lock:
            self._association, self._socket = association, connection
            if self._is_cancelled:
                self._cut()

    def why_not(self, association: Association) -> PacsUnavailable:
        """Why no association came about."""
        with self._lock:
            if self._socket is None:
                return PacsUnreachable("the PACS cannot be reached")
        answer = association.acceptor.primitive
        if association.is_rejected and answer is not None:
            return PacsUnavailable(f"the PACS rejects the association: {answer.reason_str}")
        return PacsUnavailable("the PACS does not accept an association for this service")

    def cancel(self) -> None:
        """End the association; the thread that waits on it aborts it."""
        with self._lock:
            self._is_cancelled = True
            if self._association is None:
                return
            self._association.dimse.msg_queue.put(END)
            if not self._association.is_established:
                self._cut()

    def close(self, association: Association) -> None:
        """Leave no connection and no thread, however the association ended."""
        with self._lock:
            self._cut()
            self._association, self._socket = None, None
        association.kill()

    def _cut(self) -> None:
        # pynetdicom takes a closed connection as the end in every state.
        if self._socket is not None:
            with suppress(OSError):
                self._socket.shutdown(SHUT_RDWR)
