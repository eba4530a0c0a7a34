"""What the centre's DIMSE programs share: addresses, and a socket that does not wait."""

import socket
from collections.abc import Sequence
from dataclasses import dataclass
from queue import Queue
from typing import Any, Self

from pynetdicom import AE, evt
from pynetdicom.association import Association
from pynetdicom.dimse_primitives import N_EVENT_REPORT
from pynetdicom.events import Event, EventHandlerType
from pynetdicom.presentation import PresentationContext

# SOP classes, PS3.4 §A.4, §C.6.2.3, §R.3.
VERIFICATION = "1.2.840.10008.1.1"
STUDY_ROOT_FIND = "1.2.840.10008.5.1.4.1.2.2.1"
STUDY_ROOT_MOVE = "1.2.840.10008.5.1.4.1.2.2.2"
INSTANCE_AVAILABILITY = "1.2.840.10008.5.1.4.33"

SUCCESS = 0x0000
CONTEXTS_MAX = 128  # presentation contexts in one association, PS3.8 §9.3.2.2
CONNECT_TIMEOUT_S = 10.0
ANSWER_TIMEOUT_S = 60.0


@dataclass(frozen=True, slots=True)
class DicomAddress:
    """Where an application entity listens."""

    ae_title: str
    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `AE=HOST:PORT`.

        Raises:
            ValueError: the text has another form.
        """
        ae_title, equals, place = text.partition("=")
        host, colon, port = place.rpartition(":")
        if not (ae_title and equals and host and colon and port.isdecimal()):
            raise ValueError("expected AE=HOST:PORT")
        return cls(ae_title, host, int(port))


class Unanswered(Exception):
    """A peer could not be reached, refused the association, or broke it off."""


def send_at_once(event: Event) -> None:
    """Turn Nagle's algorithm off: it makes a small message wait 40 ms for the peer's silence."""
    transport = event.assoc.dul.socket
    if transport is not None and transport.socket is not None:
        transport.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


class _Answers(Queue[Any]):
    """Messages for the thread that waits for them; requests of the peer are kept apart.

    pynetdicom pauses an association's own thread while another sends a request, yet not always in
    time: it may look for requests once more, take the answer and throw it away. That look does not
    wait, and here finds event reports alone: no other request comes to who asked.
    """

    def __init__(self) -> None:
        super().__init__()
        self._reports: Queue[Any] = Queue()

    def put(self, item: Any, block: bool = True, timeout: float | None = None) -> None:
        _, message = item
        is_request = isinstance(message, N_EVENT_REPORT) and message.is_valid_request
        if is_request:
            self._reports.put(item)
        else:
            super().put(item, block, timeout)

    def get(self, block: bool = True, timeout: float | None = None) -> Any:
        return super().get(timeout=timeout) if block else self._reports.get(block=False)


def keep_answers(event: Event) -> None:
    """Let nobody but who asked take an answer off an association that we asked for."""
    event.assoc.dimse.msg_queue = _Answers()


SEND_AT_ONCE: list[EventHandlerType] = [(evt.EVT_CONN_OPEN, send_at_once)]
AS_REQUESTOR: list[EventHandlerType] = [*SEND_AT_ONCE, (evt.EVT_CONN_OPEN, keep_answers)]


def associate(
    calling_ae_title: str,
    peer: DicomAddress,
    contexts: list[PresentationContext],
    *,
    handlers: Sequence[EventHandlerType] = (),
) -> Association:
    """Open an association; the caller releases it.

    Args:
        handlers: of what the peer asks on it in turn.

    Raises:
        Unanswered: the peer is not there or does not want us.
        ValueError: more contexts than one association may propose.
    """
    if len(contexts) > CONTEXTS_MAX:
        raise ValueError(f"more than {CONTEXTS_MAX} presentation contexts")
    entity = AE(ae_title=calling_ae_title)
    entity.connection_timeout = CONNECT_TIMEOUT_S
    entity.acse_timeout = entity.network_timeout = CONNECT_TIMEOUT_S
    entity.dimse_timeout = ANSWER_TIMEOUT_S
    association = entity.associate(
        peer.host, peer.port, contexts, peer.ae_title, evt_handlers=[*AS_REQUESTOR, *handlers]
    )
    if not association.is_established:
        raise Unanswered(f"{peer.ae_title} does not take an association")
    return association
