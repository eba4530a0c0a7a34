"""pynetdicom's end of an association that we asked for, with the limits that it lacks."""

import sys
from errno import EMSGSIZE
from queue import Empty, Queue
from socket import IPPROTO_TCP
from ssl import SSLContext
from typing import Any

from pynetdicom import AE
from pynetdicom.association import Association
from pynetdicom.transport import AddressInformation, AssociationSocket

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
        return Connection(assoc, address=address)


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
