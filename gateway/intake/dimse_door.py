"""Takes in what arrives by DICOM: instances that are pushed, and news that the PACS holds some."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from pydicom import Dataset

from gateway.catalogue.header import items, text, uid
from gateway.dimse.commands import NRequest, StoreRequest
from gateway.dimse.negotiation import PROCEDURE_STEP
from gateway.dimse.statuses import Status, StoreStatus
from gateway.errors import InvalidRequest
from gateway.intake.assembler import Assembler
from gateway.intake.instances import InstanceIntake, SpooledInstance
from gateway.intake.procedure_steps import ProcedureSteps
from gateway.model.notification import StudyAnnounced
from indexer.contract.errors import InvalidValue
from indexer.contract.identifiers import Uid

ANNOUNCED_MAX: Final = 100_000
"""Instances that one notification may name."""

Offer = Callable[[StoreRequest], Awaitable[int | None]]
"""Takes an instance that a C-MOVE of ours made come; None if it is none of those."""


class DimseDoor:
    """Handlers of the DICOM listener.

    Args:
        offer: asked first about every instance, for what was pulled for a viewer is no news.
    """

    def __init__(
        self,
        assembler: Assembler,
        intake: InstanceIntake,
        *,
        steps: ProcedureSteps,
        offer: Offer,
    ) -> None:
        self._assembler = assembler
        self._intake = intake
        self._steps = steps
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
        await self._intake.take(
            SpooledInstance(
                path=request.spooled,
                sop_class=request.sop_class,
                instance=request.sop_instance,
                transfer_syntax=request.transfer_syntax,
                end=request.file.end,
                size_bytes=request.size_bytes,
            )
        )
        return StoreStatus.SUCCESS

    async def n_create(self, request: NRequest) -> int:
        """Take in that a procedure step has begun, or an Instance Availability Notification
        (PS3.4 Annex R, RAD-49).

        Raises:
            InvalidRequest: it names no study, or an instance without UID or availability.
            StorageUnavailable: it could not be made durable.
        """
        if request.sop_class == PROCEDURE_STEP:
            return await self._steps.create(request)
        study = await asyncio.to_thread(_read_notification, request)
        # Whatever it says can be had: that an image is gone is news, too, and the PACS knows best.
        await self._assembler.study_announced(StudyAnnounced(study=study, by="ian"))
        return Status.SUCCESS


def _read_notification(request: NRequest) -> Uid:
    """The study that it is about."""
    ds = request.data_set()
    try:
        study = uid(ds, "StudyInstanceUID")
        instances = 0
        for series in items(ds, "ReferencedSeriesSequence"):
            uid(series, "SeriesInstanceUID")
            for instance in items(series, "ReferencedSOPSequence"):
                _check(instance)
                instances += 1
    except InvalidValue as error:
        raise InvalidRequest(f"the notification's {error}") from None
    if instances > ANNOUNCED_MAX:
        raise InvalidRequest(f"the notification names more than {ANNOUNCED_MAX} instances")
    return study


def _check(instance: Dataset) -> None:
    uid(instance, "ReferencedSOPClassUID")
    uid(instance, "ReferencedSOPInstanceUID")
    if not text(instance, "InstanceAvailability"):
        raise InvalidRequest("the notification leaves out an instance's availability")
