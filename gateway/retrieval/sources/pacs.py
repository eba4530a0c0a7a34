"""The centre's PACS as a source: it is asked for what is not here, and that goes on as it arrives.

Series by series: what is here of one comes first, then what the PACS sends. An instance that
nobody can give is left out, the others are given, and the stream ends by saying so.
"""

import logging
from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import aclosing
from dataclasses import replace
from itertools import groupby
from typing import Final

from gateway.errors import PacsIncomplete, PacsUnavailable, StorageUnavailable
from gateway.model.image import KnownImage
from gateway.model.resource import Resource
from gateway.retrieval.sources.flights import LACKING_S, Flights
from gateway.retrieval.sources.pulls import Pull, pulls_of
from gateway.retrieval.sources.source import HeldInstance, InstanceStream
from gateway.retrieval.sources.store import StoredFiles, ensure_agreement
from indexer.contract.identifiers import Uid

log = logging.getLogger(__name__)

ROUNDS_MAX: Final = 3
"""Pulls that one stream waits for to have a series whole: it misses what was not kept and went by
before it came, or while it was slow."""


class PacsSource:
    """Gives a resource of which the catalogue says that a PACS holds instances, or of which files
    are lost.

    Args:
        stored: what lies here.
        flights: every pull that is under way.
        on_pull: told of a study of which something is pulled for a viewer, once that has begun.
    """

    def __init__(
        self, stored: StoredFiles, flights: Flights, *, on_pull: Callable[[Uid], None]
    ) -> None:
        self._stored = stored
        self._flights = flights
        self._on_pull = on_pull

    async def open(self, resource: Resource) -> InstanceStream | None:
        """See `Source.open`.

        Raises:
            PacsUnavailable: the PACS does not send, or is no longer configured. Raised by the
                stream, too, where the PACS breaks off. A stream that leaves out what the PACS does
                not send ends with `PacsIncomplete`.
            StorageUnavailable: the files that are asked for are lost.
            ImagesDisagree: by the stream, too.
        """
        known = await self._stored.images(resource)
        if not known:
            return None
        lacking = self._flights.lacking(resource.study)
        givable = [image for image in known if _can_be_had(image, lacking)]
        if not givable and any(image.pacs for image in known):
            raise PacsUnavailable("the PACS did not send it a moment ago", retry_after_s=LACKING_S)
        if not givable:
            raise StorageUnavailable("what was stored here cannot be read any more")
        await ensure_agreement(self._stored.catalogue, resource.study, givable)
        stream = await InstanceStream.begin(
            self._give(resource, givable), missing=len(known) - len(givable)
        )
        self._on_pull(resource.study)
        return stream

    async def _give(
        self, resource: Resource, givable: list[KnownImage]
    ) -> AsyncGenerator[HeldInstance]:
        missing = 0
        fresh = True
        for series, images in groupby(givable, key=lambda image: image.description.series):
            wanted = Resource(study=resource.study, series=series, instance=resource.instance)
            known = list(images)
            remaining = {image.description.instance for image in known}
            if not fresh:  # more may have been kept since the stream began
                known = await self._stored.images(wanted)
            fresh = False
            async with aclosing(self._give_series(wanted, known, remaining)) as instances:
                async for held in instances:
                    yield held
            missing += len(remaining)
        if missing:
            raise PacsIncomplete(f"{missing} instances could not be given")

    async def _give_series(
        self, wanted: Resource, known: list[KnownImage], remaining: set[Uid]
    ) -> AsyncGenerator[HeldInstance]:
        """What there is of a series, or one instance of it; what remains did not come."""
        for image in known:
            if image.stored is not None and image.description.instance in remaining:
                remaining.discard(image.description.instance)
                yield self._stored.held(wanted.study, image.description, image.stored)
        for pull in pulls_of(wanted, known, remaining):
            async with aclosing(self._give_pulled(pull, remaining)) as instances:
                async for held in instances:
                    yield held

    async def _give_pulled(self, pull: Pull, remaining: set[Uid]) -> AsyncGenerator[HeldInstance]:
        for _ in range(ROUNDS_MAX):
            async with (
                self._flights.reading(pull) as (flight, seat),
                aclosing(seat.instances()) as instances,
            ):
                async for landed in instances:
                    if landed.instance in remaining and landed.is_there:
                        remaining.discard(landed.instance)
                        wanted = replace(pull.wanted, instance=landed.instance)
                        yield seat.held(landed, wanted)
                    if remaining.isdisjoint(pull.needed):
                        return
            if remaining.isdisjoint(flight.came):
                return


def _can_be_had(image: KnownImage, lacking: Iterable[Uid]) -> bool:
    is_in_pacs = image.pacs and image.description.instance not in lacking
    return image.stored is not None or bool(is_in_pacs)
