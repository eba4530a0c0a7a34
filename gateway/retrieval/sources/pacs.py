"""The centre's PACS as a source: it is asked to send, and what arrives goes on to the client.

Each instance is held only until the client has taken it. A client that is slow slows the PACS;
one that goes away ends the transfer. What the PACS sends is compared with the study's report before
a byte of it leaves, for it may have changed since the pointer was published.
"""

import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from pathlib import Path
from typing import Final, Protocol

from gateway.catalogue.header import Header, read_header
from gateway.dimse.turns import Lane
from gateway.errors import InvalidRequest, PacsUnavailable
from gateway.model.agreement import Disagreement
from gateway.model.image import ImageDescription, ImagePatient, KnownImage
from gateway.model.resource import Resource
from gateway.retrieval.files import FileReader, to_the_end
from gateway.retrieval.sources.pull import Puller
from gateway.retrieval.sources.source import HeldInstance, InstanceStream
from gateway.retrieval.sources.store import ImagesDisagree, ReportedImages, give_stored
from indexer.contract.document import Identifier
from indexer.contract.identifiers import Uid

log = logging.getLogger(__name__)

PASSED_OVER_MAX: Final = 10_000
"""Instances that one move may bring twice, or without having been asked for them."""


class PulledStudies(ReportedImages, Protocol):
    """What the catalogue tells and does about images that are pulled."""

    async def set_aside(self, study: Uid, disagreement: Disagreement) -> None:
        """Have a person look at the study."""


class PacsSource:
    """Gives a resource of which the catalogue says that a PACS holds instances.

    Args:
        catalogue: knows the instances and their report.
        pullers: who has each PACS send, by its AE title.
        path: where the key of a stored object leads.
        discard: removes a file that arrived.
        files: threads to read headers on.
    """

    def __init__(
        self,
        catalogue: PulledStudies,
        pullers: Mapping[str, Puller],
        *,
        path: Callable[[str], Path],
        discard: Callable[[Path], Awaitable[None]],
        files: FileReader,
    ) -> None:
        self._catalogue = catalogue
        self._pullers = pullers
        self._path = path
        self._discard = discard
        self._files = files

    async def open(self, resource: Resource) -> InstanceStream | None:
        """See `Source.open`.

        Raises:
            PacsUnavailable: the PACS does not send, or is no longer configured. Raised by the
                stream, too, where the PACS breaks off or sends less than it told of.
            ImagesDisagree: by the stream, too.
        """
        known = await self._catalogue.images(resource)
        titles = sorted({image.pacs for image in known if image.pacs})
        if not titles:
            return None
        return await InstanceStream.begin(self._give(resource, known, titles))

    async def _give(
        self, resource: Resource, known: list[KnownImage], titles: list[str]
    ) -> AsyncGenerator[HeldInstance]:
        pull = _Pull(resource, known, self._catalogue)
        for title in titles:
            async with self._puller(title).open(resource, lane=Lane.VIEWER) as arrivals:
                async for arrival in arrivals:
                    try:
                        header = await self._files.run(_header, arrival.spooled)
                        if await pull.wants(header):
                            yield HeldInstance(
                                path=arrival.spooled, transfer_syntax=arrival.transfer_syntax
                            )
                    finally:
                        await to_the_end(self._discard(arrival.spooled))
        remaining = [image for image in known if image.description.instance not in pull.came]
        if any(image.stored is None for image in remaining):
            raise PacsUnavailable("the PACS sent fewer instances than it told of")
        async for held in give_stored(self._catalogue, resource.study, remaining, self._path):
            yield held

    def _puller(self, title: str) -> Puller:
        if title not in self._pullers:
            raise PacsUnavailable("the PACS that holds this resource is not configured")
        return self._pullers[title]


class _Pull:
    """What came of one resource so far."""

    def __init__(
        self, resource: Resource, known: list[KnownImage], catalogue: PulledStudies
    ) -> None:
        self.came: set[Uid] = set()
        # What a PACS still holds and the catalogue does not show was rejected, or is not known yet.
        self._shown = {image.description.instance for image in known}
        self._resource = resource
        self._catalogue = catalogue
        # Instances of a study name the same patient; the report is asked once, not for each.
        self._agreed: set[tuple[ImagePatient, Identifier]] = set()
        self._passed_over = 0

    async def wants(self, header: Header) -> bool:
        """Whether the instance was asked for and did not come before.

        Raises:
            ImagesDisagree: it does not fit the study's report.
            PacsUnavailable: too many came that were not asked for.
        """
        image = header.image
        if not self._is_within(header) or image.instance in self.came:
            self._pass_over()
            return False
        if (image.patient, image.accession) not in self._agreed:
            await self._ensure_agreement(image)
            self._agreed.add((image.patient, image.accession))
        self.came.add(image.instance)
        return True

    def _is_within(self, header: Header) -> bool:
        asked, told = self._resource, (header.study, header.image.series, header.image.instance)
        within = zip((asked.study, asked.series, asked.instance), told, strict=True)
        asked_for = all(wanted in (None, found) for wanted, found in within)
        return asked_for and header.image.instance in self._shown

    def _pass_over(self) -> None:
        if not self._passed_over:
            log.warning("instance_not_asked_for")  # some PACSs send more than the level asked
        self._passed_over += 1
        if self._passed_over > PASSED_OVER_MAX:
            raise PacsUnavailable("the PACS goes on sending what it was not asked for")

    async def _ensure_agreement(self, image: ImageDescription) -> None:
        disagreement = await self._catalogue.disagreement(self._resource.study, image)
        if disagreement is not None:
            await self._catalogue.set_aside(self._resource.study, disagreement)
            raise ImagesDisagree(disagreement.reason)


def _header(spooled: Path) -> Header:
    try:
        return read_header(spooled)
    except InvalidRequest:  # it is the PACS, not the client, that sent what cannot be read
        raise PacsUnavailable("the PACS sent an instance that cannot be read") from None
