"""A PACS of pynetdicom's, with the habits that PACSs have."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from ssl import SSLContext
from threading import Event

from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian
from pynetdicom import AE, ALL_TRANSFER_SYNTAXES, evt
from pynetdicom.association import Association
from pynetdicom.presentation import build_context

from simulators.imaging_centre.dimse import AS_REQUESTOR

CT = UID("1.2.840.10008.5.1.4.1.1.2")
ECHO = ("1.2.840.10008.1.1",)
STUDY_ROOT = ("1.2.840.10008.5.1.4.1.2.2.1", "1.2.840.10008.5.1.4.1.2.2.2")
STUDY_ROOT_GET = ("1.2.840.10008.5.1.4.1.2.2.3",)
PATIENT_ROOT_GET = ("1.2.840.10008.5.1.4.1.2.1.3",)
PATIENT_ROOT = ("1.2.840.10008.5.1.4.1.2.1.1", "1.2.840.10008.5.1.4.1.2.1.2")


def an_instance(number: int, *, study: str = "1.2.3", sop_class: str = CT) -> Dataset:
    instance = Dataset()
    instance.file_meta = FileMetaDataset()
    instance.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    instance.SOPClassUID = sop_class
    instance.SOPInstanceUID = f"{study}.4.{number}"
    instance.StudyInstanceUID = study
    instance.SeriesInstanceUID = f"{study}.4"
    instance.InstanceNumber = number
    return instance


class _StoringAE(AE):
    """Overrides what the sub-operations of its C-MOVE say of their originator."""

    says: dict[str, str | int | None] | None = None

    def associate(self, *args, **kwargs) -> Association:
        kwargs["evt_handlers"] = AS_REQUESTOR
        association = super().associate(*args, **kwargs)
        send, says = association.send_c_store, self.says
        if says is not None:
            overridden = partial(_send_saying, send, says)
            association.send_c_store = overridden  # type: ignore[method-assign]
        return association


def _send_saying(
    send: Callable[..., Dataset], says: dict[str, str | int | None], dataset: Dataset, **more
) -> Dataset:
    return send(dataset, **{**more, **says})


@dataclass
class Pacs:
    """What it holds, what it was asked, and how it behaves."""

    destination_port: int = 0
    instances: list[Dataset] = field(default_factory=list)
    answers: Callable[[Dataset], Sequence[Dataset]] | None = None
    """To a C-FIND; None answers every instance to anything."""
    find_status: int = 0xFF00
    refuses: Mapping[str, int] = field(default_factory=dict)
    """Status that a level of C-FIND is answered with, instead of what matches."""
    models: Sequence[str] = (*ECHO, *STUDY_ROOT)
    gives: Sequence[str] = ()
    """Storage classes that it gives by C-GET."""
    destination: tuple[object, ...] | None = None
    """Where C-MOVE leads, instead of to `destination_port`: nowhere is A801, nonsense Cxxx."""
    breaks_off_after: int | None = None
    waits: Event | None = None
    asked: list[Dataset] = field(default_factory=list)
    associations: int = 0
    is_asked: Event = field(default_factory=Event)
    port: int = 0
    ae: _StoringAE = field(default_factory=lambda: _StoringAE("PACS"))

    def find(self, event: evt.Event) -> Iterator[tuple[int, Dataset | None]]:
        self._note(event)
        if (status := self.refuses.get(event.identifier.QueryRetrieveLevel)) is not None:
            yield status, None
            return
        known = self.answers(event.identifier) if self.answers else self.instances
        for number, instance in enumerate(known):
            if number == self.breaks_off_after:
                event.assoc.abort()
                return
            yield self.find_status, instance

    def move(self, event: evt.Event) -> Iterator[object]:
        self._note(event)
        if self.destination is not None:
            yield self.destination
            return
        wanted = [each for each in self.instances if _matches(each, event.identifier)]
        contexts = [build_context(CT, [ExplicitVRLittleEndian])]
        yield "127.0.0.1", self.destination_port, {"contexts": contexts}
        yield len(wanted)
        for number, instance in enumerate(wanted):
            if number == self.breaks_off_after:
                event.assoc.abort()
                return
            yield 0xFF00, instance

    def get(self, event: evt.Event) -> Iterator[object]:
        self._note(event)
        wanted = [each for each in self.instances if _matches(each, event.identifier)]
        yield len(wanted)
        for number, instance in enumerate(wanted):
            if number == self.breaks_off_after:
                event.assoc.abort()
                return
            yield 0xFF00, instance

    def _count(self, _event: evt.Event) -> None:
        self.associations += 1

    def _note(self, event: evt.Event) -> None:
        self.asked.append(event.identifier)
        self.is_asked.set()
        if self.waits is not None:
            self.waits.wait(timeout=20)

    @contextmanager
    def running(self, *, tls: SSLContext | None = None) -> Iterator["Pacs"]:
        for model in self.models:
            self.ae.add_supported_context(model)
        for name in self.gives:
            # As it stores them: in whatever syntax is proposed.
            self.ae.add_supported_context(
                name, ALL_TRANSFER_SYNTAXES, scu_role=False, scp_role=True
            )
        handlers: Sequence[tuple[evt.EventType, Callable[..., object]]] = [
            (evt.EVT_ACCEPTED, self._count),
            (evt.EVT_C_FIND, self.find),
            (evt.EVT_C_MOVE, self.move),
            (evt.EVT_C_GET, self.get),
        ]
        server = self.ae.start_server(
            ("127.0.0.1", 0), block=False, evt_handlers=list(handlers), ssl_context=tls
        )
        assert server is not None
        self.port = server.server_address[1]
        try:
            yield self
        finally:
            if self.waits is not None:
                self.waits.set()
            server.shutdown()


def _matches(instance: Dataset, identifier: Dataset) -> bool:
    return all(
        keyword not in identifier or identifier[keyword].value == instance[keyword].value
        for keyword in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")
    )
