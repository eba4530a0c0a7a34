"""A centre's PACS: keeps what modalities store, finds it, moves it, and notifies the gateway.

`drim-sim centre` runs one. It is pynetdicom's server, with a thread per association, and shares no
code with the gateway that it is there to judge.
"""

import logging
from collections.abc import Iterator, Mapping
from typing import Any

from pydicom.dataset import Dataset
from pynetdicom import ALL_TRANSFER_SYNTAXES, AllStoragePresentationContexts, evt
from pynetdicom.events import Event
from pynetdicom.presentation import PresentationContext, build_context
from pynetdicom.transport import ThreadedAssociationServer

from simulators.imaging_centre.archive import Archive, InvalidQuery, StoredInstance
from simulators.imaging_centre.dimse import (
    ANSWER_TIMEOUT_S,
    AS_REQUESTOR,
    CONTEXTS_MAX,
    SEND_AT_ONCE,
    STUDY_ROOT_FIND,
    STUDY_ROOT_MOVE,
    SUCCESS,
    VERIFICATION,
    DicomAddress,
)
from simulators.imaging_centre.mover import Mover
from simulators.imaging_centre.notifier import Notifier

log = logging.getLogger(__name__)

ASSOCIATIONS_MAX = 32
PDU_BYTES_MAX = 256 * 1024

# Statuses of PS3.4 §B.2.3, §C.4.1.1.4 and §C.4.2.1.5.
_PENDING = 0xFF00
_CANCELLED = 0xFE00
_OUT_OF_RESOURCES = 0xA700
_IDENTIFIER_DOES_NOT_MATCH = 0xA900

Answer = tuple[int, Dataset | None]


class Pacs:
    """A PACS on one port of one address.

    Args:
        destinations: where it moves instances to, by AE title; it moves to no other.
        notifier: told of what is stored; None notifies nobody.
    """

    def __init__(
        self,
        ae_title: str,
        archive: Archive,
        *,
        destinations: Mapping[str, DicomAddress],
        notifier: Notifier | None = None,
    ) -> None:
        self._ae_title, self._archive = ae_title, archive
        self._destinations, self._notifier = destinations, notifier
        self._server: ThreadedAssociationServer | None = None

    def start(self, host: str, port: int) -> int:
        """Listen, on any free port if `port` is 0; give the port.

        Raises:
            OSError: the address cannot be had.
        """
        entity = Mover(ae_title=self._ae_title)
        entity.maximum_associations = ASSOCIATIONS_MAX
        entity.maximum_pdu_size = PDU_BYTES_MAX
        entity.dimse_timeout = ANSWER_TIMEOUT_S
        server = entity.start_server(
            (host, port),
            block=False,
            contexts=_supported_contexts(),
            evt_handlers=[
                *SEND_AT_ONCE,
                (evt.EVT_C_STORE, self._answer_store),
                (evt.EVT_C_FIND, self._answer_find),
                (evt.EVT_C_MOVE, self._answer_move),
                (evt.EVT_CONN_CLOSE, self._note_end),
            ],
        )
        if server is None:
            raise RuntimeError("a server that does not block is always given")
        self._server = server
        if self._notifier is not None:
            self._notifier.start()
        return int(server.server_address[1])

    def close(self) -> None:
        """Stop listening, end what is open, and stop notifying."""
        if self._server is not None:
            self._server.shutdown()
        if self._notifier is not None:
            self._notifier.close()

    def delete(self, study_uid: str, uids: frozenset[str] | None = None) -> None:
        """Delete instances of a study, or all of it, and notify that they are gone."""
        gone = self._archive.remove(study_uid, uids)
        if self._notifier is not None:
            self._notifier.changed(study_uid, gone)

    def correct(self, study_uid: str, **values: str) -> None:
        """Write other values into all of a study, as for a merged patient, and notify.

        Args:
            values: by the keyword of their attribute.
        """
        self._archive.correct(study_uid, **values)
        if self._notifier is not None:
            self._notifier.changed(study_uid)

    def _answer_store(self, event: Event) -> int:
        try:
            # The bytes as they came: a PACS that decodes may change what it keeps.
            instance = self._archive.store(event.encoded_dataset())
        except AttributeError:
            return _IDENTIFIER_DOES_NOT_MATCH
        except OSError:
            return _OUT_OF_RESOURCES
        if self._notifier is not None:
            self._notifier.stored(str(instance.header.StudyInstanceUID), id(event.assoc))
        return SUCCESS

    def _note_end(self, event: Event) -> None:
        if self._notifier is not None:
            self._notifier.ended(id(event.assoc))

    def _answer_find(self, event: Event) -> Iterator[Answer]:
        try:
            for answer in self._archive.find(event.identifier):
                if event.is_cancelled:
                    yield _CANCELLED, None
                    return
                answer.RetrieveAETitle = self._ae_title
                yield _PENDING, answer
        except InvalidQuery:
            yield _IDENTIFIER_DOES_NOT_MATCH, None
        else:
            yield SUCCESS, None

    def _answer_move(self, event: Event) -> Iterator[Any]:
        """Answer a C-MOVE as pynetdicom wants it: the destination, the number, the instances.

        What is raised before the destination is answered as "unable to process" (PS3.4 §C.4.2.1.5).
        """
        instances = self._archive.select(event.identifier)
        destination = self._destinations.get(event.move_destination or "")
        if destination is None:
            yield None, None  # "move destination unknown"
            return
        options = {
            "contexts": _contexts_for(instances),
            "evt_handlers": AS_REQUESTOR,
            "max_pdu": PDU_BYTES_MAX,
            "originator": event.assoc.requestor.ae_title,
        }
        yield destination.host, destination.port, options
        yield len(instances)
        for instance in instances:
            if event.is_cancelled:
                yield _CANCELLED, None
                return
            yield _PENDING, instance.header  # the mover sends its file


class _SharedContexts(list[PresentationContext]):
    """Contexts that every association reads and none changes.

    pynetdicom copies them deeply for each, which with every class in every syntax takes 30 ms.
    """

    def __deepcopy__(self, _: dict[int, Any]) -> list[PresentationContext]:
        return list(self)


def _supported_contexts() -> list[PresentationContext]:
    services = (VERIFICATION, STUDY_ROOT_FIND, STUDY_ROOT_MOVE)
    storage = (context.abstract_syntax or "" for context in AllStoragePresentationContexts)
    return _SharedContexts(
        [
            *(build_context(sop_class) for sop_class in services),
            *(build_context(sop_class, ALL_TRANSFER_SYNTAXES) for sop_class in storage),
        ]
    )


def _contexts_for(instances: list[StoredInstance]) -> list[PresentationContext]:
    """One presentation context for each pair of class and syntax, so that nothing is recoded."""
    pairs = sorted({(str(i.header.SOPClassUID), i.transfer_syntax) for i in instances})
    return [build_context(sop_class, syntax) for sop_class, syntax in pairs[:CONTEXTS_MAX]]
