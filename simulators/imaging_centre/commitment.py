"""Asks an archive to commit itself to instances (storage commitment, PS3.4 annex J).

The archive tells the outcome later, on the association of the request while that is open, else on
one that it opens itself: the asker listens for it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from queue import Empty, Queue
from ssl import SSLContext
from threading import Event as Flag
from typing import Final

from pydicom.dataset import Dataset
from pydicom.uid import generate_uid
from pynetdicom import AE, evt
from pynetdicom.events import Event, EventHandlerType
from pynetdicom.presentation import build_context
from pynetdicom.transport import ThreadedAssociationServer

from simulators.imaging_centre.dimse import (
    SEND_AT_ONCE,
    SUCCESS,
    DicomAddress,
    Unanswered,
    associate,
)
from simulators.imaging_centre.modality import MadeInstance

PUSH_MODEL: Final = "1.2.840.10008.1.20.1"
_WELL_KNOWN_INSTANCE = "1.2.840.10008.1.20.1.1"
_REQUEST = 1  # action type


@dataclass(frozen=True, slots=True, kw_only=True)
class Committed:
    """What the archive says that it keeps, and what it does not, with the reason for each."""

    transaction_uid: str
    kept: frozenset[str]
    failed: dict[str, int]
    """Failure Reason (PS3.3 §C.14.1.1) by SOP Instance UID."""
    event_type: int
    """1: all are kept; 2: some failed."""
    same_association: bool
    """Whether it came on the association of the request."""


class NotAsked(Exception):
    """The archive does not take the request."""

    def __init__(self, status: int | None) -> None:
        super().__init__("no status" if status is None else f"status {status:04X}")
        self.status = status


class CommitmentAsker:
    """A modality that asks, and listens for the outcomes under its own AE title."""

    def __init__(self, ae_title: str = "MODALITE") -> None:
        self.ae_title = ae_title
        self._outcomes: Queue[Committed] = Queue()
        self._server: ThreadedAssociationServer | None = None

    def start(self, host: str, port: int, *, tls: SSLContext | None = None) -> int:
        """Listen, on any free port if `port` is 0, by TLS where it is given; the port.

        Raises:
            OSError: the address cannot be had.
        """
        entity = AE(ae_title=self.ae_title)
        # The archive opens the association and stays the provider: it negotiates that role.
        entity.add_supported_context(PUSH_MODEL, scu_role=False, scp_role=True)
        handlers: list[EventHandlerType] = [
            *SEND_AT_ONCE,
            (evt.EVT_N_EVENT_REPORT, self._note),
        ]
        server = entity.start_server(
            (host, port), block=False, evt_handlers=handlers, ssl_context=tls
        )
        if server is None:
            raise RuntimeError("a server that does not block is always given")
        self._server = server
        return int(server.server_address[1])

    def close(self) -> None:
        """Stop listening."""
        if self._server is not None:
            self._server.shutdown()

    def ask(
        self, made: Sequence[MadeInstance], to: DicomAddress, *, stay_s: float | None = None
    ) -> str:
        """Ask for the instances; the UID of the transaction.

        Args:
            stay_s: how many seconds the association stays open for the outcome; None ends it.

        Raises:
            Unanswered: the peer is not there or does not want us.
            NotAsked: it does not take the request.
        """
        transaction_uid = str(generate_uid(prefix=None))
        came = Flag()

        def note_here(event: Event) -> tuple[int, None]:
            answer = self._note(event)
            came.set()
            return answer

        association = associate(
            self.ae_title,
            to,
            [build_context(PUSH_MODEL)],
            handlers=[(evt.EVT_N_EVENT_REPORT, note_here)],
        )
        try:
            answer, _ = association.send_n_action(
                build_request(transaction_uid, made), _REQUEST, PUSH_MODEL, _WELL_KNOWN_INSTANCE
            )
            if answer.get("Status") != SUCCESS:
                raise NotAsked(answer.get("Status"))
            if stay_s is not None:
                came.wait(stay_s)
        except (RuntimeError, ValueError) as error:
            raise Unanswered("the request could not be sent") from error
        finally:
            association.release()
        return transaction_uid

    def outcome(self, *, within_s: float) -> Committed:
        """The next outcome that comes, or came.

        Raises:
            Unanswered: none came in time.
        """
        try:
            return self._outcomes.get(timeout=within_s)
        except Empty:
            raise Unanswered("no outcome of a storage commitment came") from None

    def _note(self, event: Event) -> tuple[int, None]:
        told = event.event_information
        failed = {
            str(item.ReferencedSOPInstanceUID): int(item.FailureReason)
            for item in told.get("FailedSOPSequence") or []
        }
        self._outcomes.put(
            Committed(
                transaction_uid=str(told.TransactionUID),
                kept=frozenset(
                    str(item.ReferencedSOPInstanceUID)
                    for item in told.get("ReferencedSOPSequence") or []
                ),
                failed=failed,
                event_type=int(event.event_type or 0),
                same_association=event.assoc.is_requestor,
            )
        )
        return SUCCESS, None


def build_request(transaction_uid: str, made: Sequence[MadeInstance]) -> Dataset:
    """The action information of a request (PS3.4 table J.3-1)."""
    ds = Dataset()
    ds.TransactionUID = transaction_uid
    ds.ReferencedSOPSequence = []
    for instance in made:
        item = Dataset()
        item.ReferencedSOPClassUID = instance.sop_class
        item.ReferencedSOPInstanceUID = instance.uid
        ds.ReferencedSOPSequence.append(item)
    return ds
