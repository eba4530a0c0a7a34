"""Opens a resource for someone who may have it, from the nearest source that holds it."""

from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, aclosing, asynccontextmanager

from gateway.catalogue.descriptions import ALL_FRAMES, Listing
from gateway.errors import AccessDenied, NotFound, StorageUnavailable
from gateway.model.access import AccessContext
from gateway.model.image import KnownImage
from gateway.model.resource import Resource
from gateway.retrieval.at_hand import StudiesAtHand
from gateway.retrieval.describing.described import StoredInstances
from gateway.retrieval.describing.known import DescribedInstance, FrameNumbers
from gateway.retrieval.metrics import RetrievalMetrics
from gateway.retrieval.sources.source import InstanceStream, Source
from gateway.retrieval.sources.store import KnownImages
from gateway.security.policy import Policy


class Retriever:
    """Policy first, then the sources.

    Args:
        policy: decides before anything is asked.
        catalogue: knows what there is, for one who asks for headers alone.
        stored: what of it is stored here and described.
        sources: by their names in the metrics, nearest first.
        at_hand: keeps what is read from being dropped.
    """

    def __init__(
        self,
        policy: Policy,
        catalogue: KnownImages,
        stored: StoredInstances,
        sources: Mapping[str, Source],
        *,
        at_hand: StudiesAtHand,
        metrics: RetrievalMetrics,
    ) -> None:
        self._policy = policy
        self._catalogue = catalogue
        self._stored = stored
        self._sources = sources
        self._at_hand = at_hand
        self._metrics = metrics

    async def open(self, access: AccessContext, resource: Resource) -> InstanceStream:
        """Open a stream of the resource's instances; its first is at hand on return.

        Raises:
            AccessDenied: policy refused; no source was asked, so the answer does not tell whether
                the resource exists.
            NotFound: no source holds the resource.
            Unavailable: a source that holds it does not give it now.
        """
        await self._permit(access, resource)
        return await self._from_a_source(resource)

    async def ensure_known(self, access: AccessContext, resource: Resource) -> Sequence[KnownImage]:
        """What is known of the resource, at least one instance; no source is put to work.

        Raises:
            AccessDenied: as `open`.
            NotFound: nothing is known of the resource.
        """
        await self._permit(access, resource)
        known = await self._catalogue.images(resource)
        if not known:
            raise NotFound("no source holds this resource")
        return known

    async def listing(self, access: AccessContext, resource: Resource) -> Listing:
        """What of the resource may be shown.

        Raises:
            AccessDenied: as `open`.
            NotFound: nothing is known of the resource.
            ImagesDisagree: what is stored of it does not fit the study's report.
        """
        await self._permit(access, resource)
        found = await self._stored.listing(resource)
        if found is None:
            raise NotFound("no source holds this resource")
        return found

    @asynccontextmanager
    async def stored(
        self, access: AccessContext, resource: Resource
    ) -> AsyncIterator[Listing | None]:
        """The resource as it is stored here, where it stays until leaving; None where a source must
        be asked for some of it.

        Raises:
            AccessDenied, NotFound, ImagesDisagree: as `listing`.
        """
        await self._permit(access, resource)
        async with self._at_hand.reading(resource.study):
            found = await self._stored.listing(resource)
            if found is None:
                raise NotFound("no source holds this resource")
            yield found if found.entire else None

    def count_given(self) -> None:
        """Tell the metrics that what `stored` gave went out."""
        self._metrics.opened.labels("store").inc()

    @asynccontextmanager
    async def described(
        self, access: AccessContext, resource: Resource, *, frames: FrameNumbers = (1, 1)
    ) -> AsyncIterator[DescribedInstance]:
        """One instance with what is known of its file, which lies there until leaving.

        Args:
            frames: whose places are wanted.

        Raises:
            AccessDenied, NotFound, Unavailable: as `open`.
            ImagesDisagree: it does not fit the study's report.
            NotAcceptable: its file cannot be read.
        """
        await self._permit(access, resource)
        async with self._at_hand.reading(resource.study):
            stored = await self._stored.instance(resource, frames=frames)
            if stored is not None:
                yield stored
                return
        async with aclosing(await self._from_a_source(resource)) as stream:
            first = await stream.first.on_disk()
            yield await self._stored.describe(first, frames=frames)

    async def each_described(
        self, access: AccessContext, resource: Resource
    ) -> AsyncGenerator[DescribedInstance]:
        """Each instance of the resource, at hand until the next is asked for, with the places of
        all its frames.

        Raises:
            AccessDenied, NotFound, Unavailable, ImagesDisagree, NotAcceptable: as `described`.
        """
        listing = await self.listing(access, resource)
        if not listing.entire:
            async with aclosing(await self._from_a_source(resource)) as stream:
                async for held in stream:
                    yield await self._stored.describe(held, frames=(1, ALL_FRAMES))
            return
        async with self._at_hand.reading(resource.study):
            for one in listing.instances:
                instance = Resource(study=resource.study, series=one.series, instance=one.instance)
                found = await self._stored.instance(instance, frames=(1, ALL_FRAMES))
                if found is None:
                    raise StorageUnavailable("the resource changed meanwhile", retry_after_s=1.0)
                yield found

    async def _from_a_source(self, resource: Resource) -> InstanceStream:
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(self._at_hand.reading(resource.study))
            for name, source in self._sources.items():
                if (stream := await source.open(resource)) is not None:
                    self._metrics.opened.labels(name).inc()
                    stream.hold(stack.pop_all())
                    return stream
        raise NotFound("no source holds this resource")

    async def _permit(self, access: AccessContext, resource: Resource) -> None:
        verdict = await self._policy.decide(access, resource)
        if not verdict.permitted:
            raise AccessDenied(verdict.reason)
