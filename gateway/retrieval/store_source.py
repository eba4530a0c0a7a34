"""The nearest source: what was pushed to this gateway and is kept in its own store."""

from collections.abc import AsyncGenerator, Callable, Iterable
from pathlib import Path
from typing import Protocol

from gateway.model.image import KnownImage, StoredObject
from gateway.model.resource import Resource
from gateway.retrieval.instances import HeldInstance, InstanceStream


class KnownImages(Protocol):
    """What the catalogue tells a source."""

    async def images(self, resource: Resource) -> list[KnownImage]:
        """All that is known of the resource; [] if nothing is."""


class StoreSource:
    """Gives a resource if every instance that is known of it is stored here.

    Args:
        catalogue: knows the instances.
        path: where an object's key leads.
    """

    def __init__(self, catalogue: KnownImages, path: Callable[[str], Path]) -> None:
        self._catalogue = catalogue
        self._path = path

    async def open(self, resource: Resource) -> InstanceStream | None:
        """See `Source.open`."""
        known = await self._catalogue.images(resource)
        stored = [image.stored for image in known if image.stored is not None]
        if len(stored) < len(known):
            return None
        return await InstanceStream.begin(
            give_stored(stored, self._path),
            foreseen=frozenset(one.transfer_syntax for one in stored),
        )


async def give_stored(
    objects: Iterable[StoredObject], path: Callable[[str], Path]
) -> AsyncGenerator[HeldInstance]:
    """The objects' files, in their order. They stay when the stream is done with them."""
    for stored in objects:
        yield HeldInstance(path=path(stored.key), transfer_syntax=stored.transfer_syntax)
