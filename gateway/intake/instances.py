"""Takes in an instance that was pushed to the gateway, whichever door it came in by.

C-STORE and STOW-RS write what arrives as a Part 10 file with the gateway's own file meta
information, and hand it over here. Once `take` returns, the sender may delete its copy. An
instance that comes again changes nothing.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from gateway.catalogue.header import Header, read_header
from gateway.errors import InvalidRequest
from gateway.intake.assembler import Assembler
from gateway.intake.rejection import is_rejection, read_rejection
from gateway.model.image import StoredObject
from gateway.model.notification import InstancesRejected, InstanceStored
from gateway.storage import objects
from gateway.storage.objects import ObjectStore
from indexer.contract.identifiers import Uid


class Mismatch(InvalidRequest):
    """The data set is not what its sender said that it would be."""


class OtherInstance(Mismatch):
    """The data set is another instance."""


class OtherClass(Mismatch):
    """The data set is of another SOP class."""


class OtherStudy(Mismatch):
    """The data set is of another study."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SpooledInstance:
    """An instance that has arrived whole, and what its sender said of it before."""

    path: Path
    """A Part 10 file in the object store's spool, with the gateway's own file meta information."""
    sop_class: Uid
    instance: Uid
    transfer_syntax: Uid
    end: Callable[[], str]
    """Writes on a thread what is not written yet, or raises an OSError; SHA-256 of the data set as
    sent, without preamble and group 0002, in lower-case hex."""
    size_bytes: int
    """Of the data set as sent; it is the last so many bytes of the file."""
    study: Uid | None = None
    """Where the sender named one."""


class InstanceIntake:
    """Makes pushed instances durable, and tells of them."""

    def __init__(self, assembler: Assembler, objects: ObjectStore) -> None:
        self._assembler = assembler
        self._objects = objects
        self._one_note = asyncio.Lock()
        """Held while a rejection note is read: a long one takes some hundred MB."""

    async def take(self, arrived: SpooledInstance) -> Header:
        """Keep an instance; on return it is durable here, and its spooled path is void.

        Raises:
            InvalidRequest: it cannot be read, or, as a `Mismatch`, is not what its sender said.
                The spooled file is still there.
            StorageUnavailable: it could not be made durable; the sender must keep its copy.
        """

        def look(path: Path) -> tuple[tuple[Header, str], bool]:
            digest = arrived.end()
            header = read_header(path)
            _check(header, arrived)
            return (header, digest), not is_rejection(header)

        (header, digest), placed = await self._objects.look_and_place(arrived.path, look)
        rejected: tuple[InstancesRejected, ...] = ()
        if placed is None:  # a rejection note is read before it is kept: it may have to be refused
            async with self._one_note:
                rejected = await asyncio.to_thread(
                    read_rejection,
                    arrived.path,
                    header=header,
                    transfer_syntax=arrived.transfer_syntax,
                    size_bytes=arrived.size_bytes,
                )
            key, secured = await self._objects.keep(arrived.path), None
        else:
            key, secured = placed.key, placed.secured
            if arrived.size_bytes > objects.SOON_BYTES_MAX:  # all who write would wait for it
                await self._objects.secured(placed)
        stored = StoredObject(
            key=key,
            transfer_syntax=arrived.transfer_syntax,
            size_bytes=arrived.size_bytes,
            sha256=digest,
        )
        await self._assembler.instance_stored(
            InstanceStored(study=header.study, image=header.image, stored=stored), after=secured
        )
        for news in rejected:
            await self._assembler.instances_rejected(news)
        return header


def _check(header: Header, arrived: SpooledInstance) -> None:
    if header.image.instance != arrived.instance:
        raise OtherInstance("the data set is not the instance that its sender names")
    if header.image.sop_class != arrived.sop_class:
        raise OtherClass("the data set is not of the class that its sender names")
    if arrived.study not in (None, header.study):
        raise OtherStudy("the data set is not of the study that its sender names")
