"""Pulls by C-GET: the PACS sends on the association that asks, and needs to know no destination.

The storage classes of what may come are proposed with the association, and are what the catalogue
knows of the resource. Where they need more contexts than one has, it is asked for part by part.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Final

from gateway.dimse.arrivals import Arrivals
from gateway.dimse.commands import StoreRequest
from gateway.dimse.negotiation import STORAGE
from gateway.dimse.receiving import Spooling
from gateway.dimse.requestor import PacsRequestor, fits_one_get
from gateway.dimse.scu import SUCCESS, MoveOutcome
from gateway.dimse.turns import Lane
from gateway.errors import PacsRefused, PacsUnavailable
from gateway.model.image import KnownImage
from gateway.model.resource import Resource
from gateway.retrieval.sources.store import KnownImages
from indexer.contract.identifiers import Uid

log = logging.getLogger(__name__)

WAITING_MAX: Final = 4
"""Instances of one pull that may wait for their reader."""


class GetPuller:
    """Pulls from one PACS (see `Puller`).

    Args:
        catalogue: knows the classes of what the PACS holds.
        spooling: where what comes is written.
    """

    def __init__(self, pacs: PacsRequestor, catalogue: KnownImages, spooling: Spooling) -> None:
        self._pacs = pacs
        self._catalogue = catalogue
        self._spooling = spooling

    @asynccontextmanager
    async def open(
        self, wanted: Resource, *, lane: Lane
    ) -> AsyncIterator[AsyncIterator[StoreRequest]]:
        """Have it send (see `Puller.open`)."""
        known = await self._catalogue.images(wanted)

        async def ask(arrivals: Arrivals) -> MoveOutcome:
            return await self._ask(wanted, known, lane, arrivals)

        async with _asking(ask) as arrivals:
            yield arrivals

    async def _ask(
        self, wanted: Resource, known: Sequence[KnownImage], lane: Lane, arrivals: Arrivals
    ) -> MoveOutcome:
        came: set[Uid] = set()

        async def take(request: StoreRequest) -> int:
            came.add(request.sop_instance)
            return await arrivals.take(request)

        outcomes = [
            await self._pacs.get(
                part, storage=classes, spooling=self._spooling, take=take, lane=lane
            )
            for part, classes in _parts(wanted, known)
        ]
        # What it could not send is then nothing that is known, as of a class never told of.
        is_whole = _held(known, self._pacs.called_ae) <= came
        return _together([] if is_whole else outcomes)


class ClassSeeker:
    """Pulls from one PACS what nobody knows the classes of (see `Puller`).

    An association has contexts for a few classes of images, in all the transfer syntaxes that
    there are. So it asks for some classes after others, the usual ones first, until its reader has
    enough: each instance comes once.

    Args:
        spooling: where what comes is written.
    """

    def __init__(self, pacs: PacsRequestor, spooling: Spooling) -> None:
        self._pacs = pacs
        self._spooling = spooling

    @asynccontextmanager
    async def open(
        self, wanted: Resource, *, lane: Lane
    ) -> AsyncIterator[AsyncIterator[StoreRequest]]:
        """Have it send (see `Puller.open`)."""

        async def ask(arrivals: Arrivals) -> MoveOutcome:
            return await self._ask(wanted, lane, arrivals)

        async with _asking(ask) as arrivals:
            yield arrivals

    async def _ask(self, wanted: Resource, lane: Lane, arrivals: Arrivals) -> MoveOutcome:
        refusal: PacsRefused | None = None
        is_heard = False
        for classes in CLASSES_TOGETHER:
            try:
                await self._pacs.get(
                    wanted,
                    storage=classes,
                    spooling=self._spooling,
                    take=arrivals.take,
                    lane=lane,
                )
                is_heard = True
            except PacsRefused as error:  # maybe for it has none of these
                refusal = error
        if refusal is not None and not is_heard:
            raise refusal
        # What never came, whoever asked misses.
        return _together([])


@asynccontextmanager
async def _asking(ask: Callable[[Arrivals], Awaitable[MoveOutcome]]) -> AsyncIterator[Arrivals]:
    """What arrives while the PACS is asked, which ends on leaving."""
    arrivals = Arrivals(waiting_max=WAITING_MAX)
    asking = asyncio.create_task(_finished(ask, arrivals))
    try:
        yield arrivals
    finally:
        arrivals.close()
        asking.cancel()
        await asyncio.wait({asking})


async def _finished(ask: Callable[[Arrivals], Awaitable[MoveOutcome]], arrivals: Arrivals) -> None:
    outcome: MoveOutcome | PacsUnavailable
    try:
        outcome = await ask(arrivals)
    except PacsUnavailable as error:
        outcome = error
    except Exception:  # a bug of ours must not leave the reader waiting
        log.exception("pull_failed")
        outcome = PacsUnavailable("the pull failed")
    arrivals.finish(outcome)


def _together_by_contexts(classes: Iterable[str]) -> Iterator[tuple[str, ...]]:
    """As many at once as one association has contexts for."""
    some: tuple[str, ...] = ()
    for one in classes:
        if not fits_one_get((*some, one)):
            yield some
            some = ()
        some = (*some, one)
    yield some


_USUAL: Final = tuple(
    f"1.2.840.10008.5.1.4.1.1.{suffix}"
    for suffix in "2 4 1 1.1 7 6.1 3.1 128 1.2 12.1 2.1 4.1 20 13.1.3 88.59 88.22 104.1".split()
)
CLASSES_TOGETHER: Final = tuple(
    _together_by_contexts((*_USUAL, *sorted(STORAGE.difference(_USUAL))))
)


def _parts(
    wanted: Resource, known: Sequence[KnownImage]
) -> Iterator[tuple[Resource, frozenset[Uid]]]:
    """What is asked for, with its classes: all at once, or series by series, or each instance."""
    classes = frozenset(image.description.sop_class for image in known)
    if not classes:
        return
    if fits_one_get(classes) or wanted.instance is not None:
        yield wanted, classes
        return
    parts: dict[Resource, list[KnownImage]] = {}
    for image in known:
        told = image.description
        if wanted.series is None:
            part = replace(wanted, series=told.series)
        else:
            part = replace(wanted, instance=told.instance)
        parts.setdefault(part, []).append(image)
    for part, images in parts.items():
        yield from _parts(part, images)


def _held(known: Iterable[KnownImage], pacs: str) -> set[Uid]:
    return {image.description.instance for image in known if image.pacs == pacs}


def _together(outcomes: Sequence[MoveOutcome]) -> MoveOutcome:
    """One outcome of all parts."""
    failed = [one.failed for one in outcomes]
    return MoveOutcome(
        status=max((one.status for one in outcomes), default=SUCCESS),
        completed=sum(one.completed or 0 for one in outcomes),
        failed=None if None in failed else sum(one or 0 for one in failed),
        warning=sum(one.warning or 0 for one in outcomes),
    )
