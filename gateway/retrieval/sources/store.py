"""The nearest source: what was pushed to this gateway and is kept in its own store.

What is stored is compared with the study's report before it is given: another patient's instance
may have come under a known UID since the pointer was published.
"""

from collections.abc import AsyncGenerator, Callable, Iterable
from pathlib import Path
from typing import Protocol

from gateway.errors import Conflict
from gateway.model.agreement import Disagreement
from gateway.model.image import ImageDescription, KnownImage
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
        """What of the image does not fit the study's report."""


class StoreSource:
    """Gives a resource if every instance that is known of it is stored here.

    Args:
        catalogue: knows the instances and their report.
        path: where an object's key leads.
    """

    def __init__(self, catalogue: ReportedImages, path: Callable[[str], Path]) -> None:
        self._catalogue = catalogue
        self._path = path

    async def open(self, resource: Resource) -> InstanceStream | None:
        """See `Source.open`.

        Raises:
            ImagesDisagree: what is stored does not fit the study's report.
        """
        known = await self._catalogue.images(resource)
        stored = [image.stored for image in known if image.stored is not None]
        if len(stored) < len(known):
            return None
        return await InstanceStream.begin(
            give_stored(self._catalogue, resource.study, known, self._path),
            foreseen=frozenset(one.transfer_syntax for one in stored),
        )


async def give_stored(
    catalogue: ReportedImages,
    study: Uid,
    images: Iterable[KnownImage],
    path: Callable[[str], Path],
) -> AsyncGenerator[HeldInstance]:
    """The files of stored images, in their order. They stay when the stream is done with them.

    Raises:
        ImagesDisagree: one of them does not fit the study's report; none is given.
    """
    given = list(images)
    await ensure_agreement(catalogue, study, given)
    for image in given:
        if (stored := image.stored) is not None:
            yield HeldInstance(path=path(stored.key), transfer_syntax=stored.transfer_syntax)


async def ensure_agreement(
    catalogue: ReportedImages, study: Uid, images: Iterable[KnownImage]
) -> None:
    """Return if the headers of stored images fit the study's report.

    Raises:
        ImagesDisagree: one of them does not.
    """
    known = [image.header for image in images]
    # Instances of a study name the same patient; the report is asked once, not for each.
    headers = {(one.patient, one.accession): one for one in known if one is not None}
    for header in headers.values():
        disagreement = await catalogue.disagreement(study, header)
        if disagreement is not None:
            raise ImagesDisagree(disagreement.reason)
