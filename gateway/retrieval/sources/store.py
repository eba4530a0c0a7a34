"""The nearest source: what is kept in the gateway's own store, pushed here or pulled before.

What is stored is compared with the study's report before it is given: another patient's instance
may have come under a known UID since the pointer was published.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from gateway.errors import Conflict
from gateway.model.agreement import Disagreement
from gateway.model.image import ImageDescription, KnownImage, StoredObject
from gateway.model.resource import Resource
from gateway.retrieval.sources.source import HeldInstance, InstanceStream
from indexer.contract.identifiers import Uid


class ImagesDisagree(Conflict):
    """What would be given does not fit the study's report: a person must look first."""


class KnownImages(Protocol):
    """What the catalogue tells a source."""

    async def images(self, resource: Resource) -> list[KnownImage]:
        """All that is known of the resource; [] if nothing is."""


class ReportedImages(KnownImages, Protocol):
    """What the catalogue tells of images that are about to be given."""

    async def disagreement(self, study: Uid, image: ImageDescription) -> Disagreement | None:
        """What of the image does not fit the study's report, or did not of an earlier one."""

    async def unsettled(self, study: Uid) -> Disagreement | None:
        """What did not fit when images of the study were pulled, and nobody has settled since."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredFiles:
    """Which instances lie here, and where."""

    catalogue: ReportedImages
    path: Callable[[str], Path]
    """Where an object's key leads."""
    whole: Callable[[Mapping[str, int]], Awaitable[set[str]]]
    """Which objects, by key and least size, are there."""

    async def images(self, resource: Resource) -> list[KnownImage]:
        """All that is known of the resource; what the disk has lost is not stored.

        Raises:
            StorageUnavailable: the database, or the disk, does not answer.
        """
        known = await self.catalogue.images(resource)
        sizes = {one.stored.key: one.stored.size_bytes for one in known if one.stored is not None}
        whole = await self.whole(sizes) if sizes else set()
        return [
            replace(one, stored=None) if one.stored and one.stored.key not in whole else one
            for one in known
        ]

    def held(self, study: Uid, image: ImageDescription, stored: StoredObject) -> HeldInstance:
        """The instance, for a reader; the file stays when they are done with it."""
        return HeldInstance(
            resource=Resource(study=study, series=image.series, instance=image.instance),
            path=self.path(stored.key),
            transfer_syntax=stored.transfer_syntax,
        )


class StoreSource:
    """Gives a resource if every instance that is known of it is stored here."""

    def __init__(self, stored: StoredFiles) -> None:
        self._stored = stored

    async def open(self, resource: Resource) -> InstanceStream | None:
        """See `Source.open`.

        Raises:
            ImagesDisagree: what is stored does not fit the study's report.
        """
        known = await self._stored.images(resource)
        stored = [(one.description, one.stored) for one in known if one.stored is not None]
        if len(stored) < len(known):
            return None
        await ensure_agreement(self._stored.catalogue, resource.study, known)
        return await InstanceStream.begin(
            self._give(resource.study, stored),
            foreseen=frozenset(one.transfer_syntax for _, one in stored),
        )

    async def _give(
        self, study: Uid, stored: Iterable[tuple[ImageDescription, StoredObject]]
    ) -> AsyncGenerator[HeldInstance]:
        for image, one in stored:
            yield self._stored.held(study, image, one)


async def ensure_agreement(
    catalogue: ReportedImages, study: Uid, images: Iterable[KnownImage]
) -> None:
    """Return if what is stored of these images may be given.

    Raises:
        ImagesDisagree: one of them does not fit the study's report; none may be.
    """
    headers = [image.copied or image.header for image in images if image.stored is not None]
    await ensure_fit(catalogue, study, [one for one in headers if one is not None])


async def ensure_fit(
    catalogue: ReportedImages, study: Uid, headers: Iterable[ImageDescription]
) -> None:
    """Return if instances of these headers may be given; raises as `ensure_agreement`."""
    # Instances of a study name the same patient; the report is asked once, not for each.
    told = {(one.patient, one.accession): one for one in headers}
    if not told and (unsettled := await catalogue.unsettled(study)) is not None:
        raise ImagesDisagree(unsettled.reason)
    for header in told.values():
        disagreement = await catalogue.disagreement(study, header)
        if disagreement is not None:
            raise ImagesDisagree(disagreement.reason)
