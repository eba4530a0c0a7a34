"""A centre's PACS on a socket, and what it talks to."""

from collections.abc import Callable, Iterator
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import pytest
from pynetdicom import AE, ALL_TRANSFER_SYNTAXES, evt
from pynetdicom.presentation import AllStoragePresentationContexts

from simulators.imaging_centre.archive import Archive
from simulators.imaging_centre.dimse import INSTANCE_AVAILABILITY, DicomAddress
from simulators.imaging_centre.notifier import Notifier
from simulators.imaging_centre.pacs import Pacs
from simulators.synthetic.examination import Examination, make_examination
from simulators.synthetic.studies import save_study

HOST = "127.0.0.1"


class Receiver:
    """An application entity that keeps what it is sent: a gateway's outer side, no more."""

    def __init__(self) -> None:
        self.stored: SimpleQueue[tuple[Any, bytes]] = SimpleQueue()
        self.notified: SimpleQueue[Any] = SimpleQueue()
        self.refusals_left = 0
        entity = AE(ae_title="DRIMBOX")
        for context in AllStoragePresentationContexts:
            entity.add_supported_context(context.abstract_syntax or "", ALL_TRANSFER_SYNTAXES)
        entity.add_supported_context(INSTANCE_AVAILABILITY)
        server = entity.start_server(
            (HOST, 0),
            block=False,
            evt_handlers=[
                (evt.EVT_C_STORE, self._keep_instance),
                (evt.EVT_N_CREATE, self._keep_notification),
            ],
        )
        assert server is not None
        self._server = server
        self.address = DicomAddress("DRIMBOX", HOST, server.server_address[1])

    def _keep_instance(self, event: Any) -> int:
        self.stored.put((event.request, event.encoded_dataset()))
        return 0x0000

    def _keep_notification(self, event: Any) -> tuple[int, Any]:
        if self.refusals_left:
            self.refusals_left -= 1
            return 0x0110, None
        self.notified.put(event.attribute_list)
        return 0x0000, event.attribute_list

    def close(self) -> None:
        self._server.shutdown()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    yield receiver
    receiver.close()


@pytest.fixture
def told() -> SimpleQueue[tuple[str, int]]:
    """Studies of which the PACS has had the gateway's acknowledgement."""
    return SimpleQueue()


@pytest.fixture
def pacs_address(
    tmp_path: Path, receiver: Receiver, told: SimpleQueue[tuple[str, int]]
) -> Iterator[DicomAddress]:
    archive = Archive(tmp_path / "archive")
    notifier = Notifier(
        "PACS",
        receiver.address,
        instances_of=archive.study,
        told=lambda study_uid, at_ms: told.put((study_uid, at_ms)),
        quiet_s=0.05,
    )
    pacs = Pacs("PACS", archive, destinations={"DRIMBOX": receiver.address}, notifier=notifier)
    port = pacs.start(HOST, 0)
    yield DicomAddress("PACS", HOST, port)
    pacs.close()


@pytest.fixture
def a_study(tmp_path: Path) -> Callable[[str], tuple[Examination, tuple[Path, ...]]]:
    """Makes a synthetic study of a modality, as files."""

    def make(modality: str) -> tuple[Examination, tuple[Path, ...]]:
        examination = make_examination(7, 1, modality)
        return examination, save_study(examination, tmp_path / modality)

    return make
