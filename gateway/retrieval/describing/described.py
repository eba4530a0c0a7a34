"""Instances with what is known of their files: those that are stored here are described once, those
that a PACS sends are when they come.
"""

from collections.abc import AsyncGenerator, Callable
from pathlib import Path
from typing import Final, Protocol

from gateway.catalogue.descriptions import (
    Description,
    Descriptions,
    ListedInstance,
    Listing,
    StoredInstance,
    Version,
)
from gateway.dicomweb.layout import START_BYTES, Layout
from gateway.errors import NotAcceptable, StorageUnavailable
from gateway.model.resource import Resource
from gateway.retrieval.describing.describer import Describer
from gateway.retrieval.describing.known import (
    DescribedInstance,
    FrameNumbers,
    KnownInstances,
    KnownListings,
    together,
)
from gateway.retrieval.sources.source import HeldInstance
from gateway.retrieval.sources.store import ReportedImages, ensure_fit
from gateway.storage.database import Database
from indexer.contract.identifiers import Uid

METADATA_TOGETHER: Final = 64
"""Instances whose metadata is in memory at once."""
STUDIES_MAX: Final = 1024
"""Of which it is remembered that they fit their reports."""
AGREED_MAX: Final = 4096
"""Objects and resources of one study of which it is."""
_GONE: Final = "the instance was replaced or withdrawn meanwhile"


class StoredInstances(Protocol):
    """What is stored here; see `DescribedStore`."""

    async def listing(self, resource: Resource) -> Listing | None: ...
    async def instance(
        self, resource: Resource, *, frames: FrameNumbers = (1, 1)
    ) -> DescribedInstance | None: ...
    async def describe(
        self, held: HeldInstance, *, frames: FrameNumbers = (1, 1)
    ) -> DescribedInstance: ...


class DescribedStore:
    """What is stored here, described.

    Args:
        catalogue: whom to ask whether it fits its report.
        path: where the key of an object leads.
    """

    def __init__(
        self,
        database: Database,
        descriptions: Descriptions,
        describer: Describer,
        catalogue: ReportedImages,
        *,
        path: Callable[[str], Path],
    ) -> None:
        self._database = database
        self._descriptions = descriptions
        self._describer = describer
        self._catalogue = catalogue
        self._path = path
        self._agreed: dict[Uid, tuple[Version, set[str]]] = {}
        self._known = KnownInstances()
        self._listings = KnownListings()

    async def listing(self, resource: Resource) -> Listing | None:
        """What of the resource may be shown; None if nothing is known of it.

        Raises:
            ImagesDisagree: what is stored of it does not fit the study's report.
        """
        generation = self._database.generation
        found = self._listings.find(resource, generation=generation)
        if found is None:
            found = await self._database.read(lambda tx: self._descriptions.listed(tx, resource))
            if found is None:
                return None
            self._listings.keep(resource, found, generation=generation)
        if found.entire:
            await self._ensure_agreement(resource, found.version, found.fingerprint)
        return found

    async def metadata(
        self, listing: Listing
    ) -> AsyncGenerator[list[tuple[ListedInstance, Description]]]:
        """The description of each instance that is listed, in their order, some at a time.

        Raises:
            Unavailable: it is not described yet and cannot be now.
        """
        instances = listing.instances
        for start in range(0, len(instances), METADATA_TOGETHER):
            some = instances[start : start + METADATA_TOGETHER]
            keys = [one.key for one in some]
            known = await self._metadata(keys)
            missing = [key for key in keys if key not in known]
            if missing:
                await self._describer.describe(missing)
                known |= await self._metadata(missing)
            gone = Description(key="", failure=_GONE)
            yield [(one, known.get(one.key, gone)) for one in some]

    async def instance(
        self, resource: Resource, *, frames: FrameNumbers = (1, 1)
    ) -> DescribedInstance | None:
        """One instance; None if it is not stored here.

        Raises:
            ImagesDisagree: it does not fit the study's report.
            NotAcceptable: its file cannot be read.
            Unavailable: it is not described yet and cannot be now.
        """
        generation = self._database.generation
        known = self._known.find(resource, frames, generation=generation)
        if known is None:
            read = together(frames)
            instance = await self._find(resource, read)
            if instance is None:
                return None
            self._known.keep(resource, instance, read, generation=generation)
            known = instance.cut(frames, of=read)
        return known

    async def _find(self, resource: Resource, frames: FrameNumbers) -> DescribedInstance | None:
        """See `instance`, of which this is the way by the database."""
        found = await self._instance(resource, frames)
        if found is None:
            return None
        key = found.stored.key
        if found.layout is None and not found.failure:
            await self._describer.describe([key])
            found = await self._instance(resource, frames)
        if found is None or found.stored.key != key:
            raise StorageUnavailable(_GONE, retry_after_s=1.0)
        await self._ensure_agreement(resource, found.version, key)
        if found.layout is None:
            raise NotAcceptable(found.failure or _GONE)
        held = HeldInstance(
            resource=resource,
            path=self._path(key),
            transfer_syntax=found.stored.transfer_syntax,
        )
        return DescribedInstance(held=held, layout=found.layout, starts=found.starts, key=key)

    async def describe(
        self, held: HeldInstance, *, frames: FrameNumbers = (1, 1)
    ) -> DescribedInstance:
        """An instance that came from elsewhere.

        Raises:
            NotAcceptable: its file cannot be read.
            Unavailable: too much work waits.
        """
        described = await self.describe_file(held)
        if described.failure:
            raise NotAcceptable(described.failure)
        first, last = frames
        starts = described.starts[(first - 1) * START_BYTES : (last + 1) * START_BYTES]
        layout = Layout.decode(described.layout)
        return DescribedInstance(held=held, layout=layout, starts=starts)

    async def describe_file(self, held: HeldInstance) -> Description:
        """The same, whether it can be read or not."""
        return await self._describer.describe_file(held.path, held.transfer_syntax)

    async def _metadata(self, keys: list[str]) -> dict[str, Description]:
        return await self._database.read(lambda tx: self._descriptions.metadata(tx, keys))

    async def _instance(self, resource: Resource, frames: FrameNumbers) -> StoredInstance | None:
        return await self._database.read(
            lambda tx: self._descriptions.instance(tx, resource, frames=frames)
        )

    async def _ensure_agreement(self, resource: Resource, version: Version, mark: str) -> None:
        """Whatever decides it is told by news or by a PACS, so it is asked once for each version.

        Args:
            mark: of the objects that are about to be given.
        """
        known, agreed = self._agreed.get(resource.study, (version, set[str]()))
        if known != version or len(agreed) >= AGREED_MAX:
            agreed = set()
        if mark in agreed:
            return
        named = await self._database.read(lambda tx: self._descriptions.named(tx, resource))
        await ensure_fit(self._catalogue, resource.study, named)
        agreed.add(mark)
        # The studies asked for last stay.
        self._agreed.pop(resource.study, None)
        self._agreed[resource.study] = (version, agreed)
        while len(self._agreed) > STUDIES_MAX:
            del self._agreed[next(iter(self._agreed))]
