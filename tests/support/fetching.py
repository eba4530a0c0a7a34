"""Where the instances of a bench come from, put together as the gateway does it."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from prometheus_client import CollectorRegistry

from gateway.catalogue.catalogue import Catalogue
from gateway.retrieval.at_hand import StudiesAtHand
from gateway.retrieval.describing.described import DescribedStore
from gateway.retrieval.files import FileReader
from gateway.retrieval.metrics import RetrievalMetrics
from gateway.retrieval.retriever import Retriever
from gateway.retrieval.sources.flight import Ground
from gateway.retrieval.sources.flights import Flights
from gateway.retrieval.sources.keeper import Keeper
from gateway.retrieval.sources.pacs import PacsSource
from gateway.retrieval.sources.prefetch import Prefetcher
from gateway.retrieval.sources.pull import Puller
from gateway.retrieval.sources.store import StoredFiles, StoreSource
from gateway.security.policy import Policy
from tests.support.gateway_stores import Stores


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyLimits:
    """What is kept of what a PACS holds, and what of it is brought beforehand."""

    bytes_max: int = 2**30
    spare_bytes_min: int = 0
    prefetch_bytes_max: int = 0
    priors_max: int = 0


BY_DEFAULT = CopyLimits()


class Fetching:
    """Keeper, pulls and prefetcher of one bench, and what they count."""

    def __init__(
        self,
        stores: Stores,
        catalogue: Catalogue,
        pullers: Mapping[str, Puller],
        files: FileReader,
        *,
        limits: CopyLimits,
    ) -> None:
        self.registry = CollectorRegistry()
        self.told_of_copies = 0
        """How often it was told that there are new ones."""
        self.metrics = RetrievalMetrics(self.registry)
        self.catalogue = catalogue
        self.at_hand = StudiesAtHand(stores.clock)
        objects = stores.objects
        self.keeper = Keeper(
            stores.database,
            objects,
            self.at_hand,
            pacs=list(pullers),
            bytes_max=limits.bytes_max,
            spare_bytes_min=limits.spare_bytes_min,
            metrics=self.metrics,
            clock=stores.clock,
        )
        ground = Ground(
            keeper=self.keeper,
            at_hand=self.at_hand,
            files=files,
            path=objects.path,
            discard=objects.discard_spool,
            metrics=self.metrics,
            on_kept=self._on_kept,
        )
        self.flights = Flights(ground, catalogue, pullers)
        self.stored = StoredFiles(catalogue=catalogue, path=objects.path, whole=objects.whole)
        self.prefetcher = Prefetcher(
            self.stored,
            self.flights,
            catalogue,
            bytes_max=limits.prefetch_bytes_max,
            at_once=1,
            priors_max=limits.priors_max,
            metrics=self.metrics,
            now_s=asyncio.get_running_loop().time,
        )

    def retriever(self, policy: Policy, described: DescribedStore) -> Retriever:
        """Opens resources under this policy."""
        from_pacs = PacsSource(self.stored, self.flights, on_pull=self.prefetcher.ask_study)
        return Retriever(
            policy,
            self.catalogue,
            described,
            {"store": StoreSource(self.stored), "pacs": from_pacs},
            at_hand=self.at_hand,
            metrics=self.metrics,
        )

    def _on_kept(self) -> None:
        self.told_of_copies += 1

    def counted(self, name: str, **labels: str) -> float:
        """What the metric of this name says."""
        return self.registry.get_sample_value(name, labels) or 0.0

    async def pulled(self) -> None:
        """Wait until nothing is pulled any more, and what was is kept."""
        await until(lambda: not self.counted("gateway_pulls_under_way"))


async def until(holds: Callable[[], object]) -> None:
    """Wait until something holds."""
    async with asyncio.timeout(10):
        while not holds():  # noqa: ASYNC110, for nothing tells of it
            await asyncio.sleep(0.002)
