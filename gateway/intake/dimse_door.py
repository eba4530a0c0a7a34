"""Takes in what arrives by DICOM: instances that are pushed, and news that the PACS holds some."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from pydicom import Dataset

from gateway.catalogue.header import read_header, text, uid
from gateway.dimse.commands import NCreateRequest, StoreRequest
from gateway.dimse.statuses import Status, StoreStatus
from gateway.errors import InvalidRequest
from gateway.intake.assembler import Assembler
from gateway.model.image import StoredObject
from gateway.model.notification import InstanceStored, StudyAnnounced
from gateway.storage.objects import ObjectStore
from indexer.contract.errors import InvalidValue
from indexer.contract.identifiers import Uid

ANNOUNCED_MAX: Final = 100_000
"""Instances that one notification may name."""

_AVAILABLE: Final = frozenset({"ONLINE", "NEARLINE"})
"""Instance Availability (PS3.3 §C.4.23.1.1) of what can be had without a person's help."""

Offer = Callable[[StoreRequest], Awaitable[int | None]]
"""Takes an instance that a C-MOVE of ours made come; None if it is none of those."""


class DimseDoor:
    """Handlers of the DICOM listener.

    Args:
        offer: asked first about every instance, for what was pulled for a viewer is no news.
    """

    def __init__(self, assembler: Assembler, objects: ObjectStore, *, offer: Offer) -> None:
        self._assembler = assembler
        self._objects = objects
        self._offer = offer

    async def store(self, request: StoreRequest) -> int:
        """Keep a pushed instance (PS3.4 §B.2); success means that it is durable here.

        Raises:
            InvalidRequest: it cannot be read, or is not the instance that the command names.
            StorageUnavailable: it could not be kept.
        """
        moved = await self._offer(request)
        if moved is not None:
            return moved
        header = await asyncio.to_thread(read_header, request.spooled)
        if header.image.instance != request.sop_instance:
            raise InvalidRequest("the data set is not the instance that the command names")
        if header.image.sop_class != request.sop_class:
            raise InvalidRequest("the data set is not of the class that the command names")
        key = await self._objects.keep(request.spooled)
        await self._assembler.instance_stored(
            InstanceStored(
                study=header.study,
                image=header.image,
                stored=StoredObject(
                    key=key,
                    transfer_syntax=request.transfer_syntax,
                    size_bytes=request.size_bytes,
                    sha256=request.digest_sha256,
                ),
            )
        )
        return StoreStatus.SUCCESS

    async def n_create(self, request: NCreateRequest) -> int:
        """Take in an Instance Availability Notification (PS3.4 Annex R, RAD-49).

        Raises:
            InvalidRequest: it names no study, or an instance without UID or availability.
            StorageUnavailable: it could not be made durable.
        """
        study, available = await asyncio.to_thread(_read_notification, request)
        if available:
            await self._assembler.study_announced(StudyAnnounced(study=study))
        return Status.SUCCESS


def _read_notification(request: NCreateRequest) -> tuple[Uid, bool]:
    """The study, and whether at least one of its instances can be had."""
    ds = request.data_set()
    try:
        study = uid(ds, "StudyInstanceUID")
        available = [
            _is_available(instance)
            for series in ds.get("ReferencedSeriesSequence") or []
            if uid(series, "SeriesInstanceUID")
            for instance in series.get("ReferencedSOPSequence") or []
        ]
    except InvalidValue as error:
        raise InvalidRequest(f"the notification's {error}") from None
    if len(available) > ANNOUNCED_MAX:
        raise InvalidRequest(f"the notification names more than {ANNOUNCED_MAX} instances")
    return study, any(available)


def _is_available(instance: Dataset) -> bool:
    uid(instance, "ReferencedSOPClassUID")
    uid(instance, "ReferencedSOPInstanceUID")
    availability = text(instance, "InstanceAvailability")
    if not availability:
        raise InvalidRequest("the notification leaves out an instance's availability")
    return availability in _AVAILABLE
