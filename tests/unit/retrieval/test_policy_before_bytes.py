"""Policy decides before a source or the catalogue is asked."""

import pytest
from prometheus_client import CollectorRegistry

from gateway.catalogue.descriptions import Listing
from gateway.catalogue.search import Match, SearchPage
from gateway.dicomweb.attributes import SearchLevel
from gateway.dicomweb.qido import SearchQuery
from gateway.errors import AccessDenied, NotFound
from gateway.model.access import ANYONE, AccessContext
from gateway.model.image import KnownImage
from gateway.model.resource import Resource
from gateway.retrieval.at_hand import StudiesAtHand
from gateway.retrieval.describing.known import DescribedInstance, FrameNumbers
from gateway.retrieval.endpoints.search import Searcher
from gateway.retrieval.metrics import RetrievalMetrics
from gateway.retrieval.retriever import Retriever
from gateway.retrieval.sources.source import HeldInstance, InstanceStream
from gateway.security.policy import OpenAccess, Verdict
from indexer.contract.identifiers import Ins, Uid
from tests.support.studies import STUDY, a_known_image

HIDDEN = Uid("1.2.250.1.999.1.2")


class HidesOneStudy(OpenAccess):
    async def decide(self, access: AccessContext, target: Resource | Ins) -> Verdict:
        hidden = isinstance(target, Resource) and target.study == HIDDEN
        return Verdict(permitted=not hidden, reason="hidden" if hidden else "")


class Asked:
    """A source, catalogue and search at once, which says whether it was asked."""

    def __init__(self) -> None:
        self.times = 0

    async def open(self, resource: Resource) -> InstanceStream | None:
        self.times += 1
        return None

    async def listing(self, resource: Resource) -> Listing | None:
        self.times += 1
        return None

    async def instance(
        self, resource: Resource, *, frames: FrameNumbers = (1, 1)
    ) -> DescribedInstance | None:
        self.times += 1
        return None

    async def describe(
        self, held: HeldInstance, *, frames: FrameNumbers = (1, 1)
    ) -> DescribedInstance:
        raise NotImplementedError

    async def images(self, resource: Resource) -> list[KnownImage]:
        self.times += 1
        return [a_known_image()]

    async def find(self, query: SearchQuery) -> SearchPage:
        self.times += 1
        found = [Match(resource=Resource(study=study), members={}) for study in (STUDY, HIDDEN)]
        return SearchPage(matches=found, additional=0)


def a_retriever(catalogue: Asked, *sources: Asked) -> Retriever:
    return Retriever(
        HidesOneStudy(),
        catalogue,
        catalogue,
        {str(number): source for number, source in enumerate(sources)},
        at_hand=StudiesAtHand(lambda: 0),
        metrics=RetrievalMetrics(CollectorRegistry()),
    )


async def test_no_source_is_asked_for_what_policy_refuses() -> None:
    asked = Asked()
    retriever = a_retriever(asked, asked)

    with pytest.raises(AccessDenied):
        await retriever.open(ANYONE, Resource(study=HIDDEN))
    with pytest.raises(AccessDenied):
        await retriever.ensure_known(ANYONE, Resource(study=HIDDEN))
    with pytest.raises(AccessDenied):
        await retriever.listing(ANYONE, Resource(study=HIDDEN))
    with pytest.raises(AccessDenied):
        async with retriever.described(ANYONE, Resource(study=HIDDEN)):
            pass

    assert asked.times == 0


async def test_every_source_is_asked_before_it_is_not_found() -> None:
    first, second = Asked(), Asked()
    retriever = a_retriever(first, first, second)

    with pytest.raises(NotFound):
        await retriever.open(ANYONE, Resource(study=STUDY))

    assert (first.times, second.times) == (1, 1)


async def test_a_study_that_policy_hides_is_not_searched() -> None:
    asked = Asked()
    query = SearchQuery(level=SearchLevel.SERIES)

    with pytest.raises(AccessDenied):
        await Searcher(HidesOneStudy(), asked).search(ANYONE, query, within=HIDDEN)

    assert asked.times == 0


async def test_a_study_that_policy_hides_is_not_among_the_results() -> None:
    query = SearchQuery(level=SearchLevel.STUDIES)

    page = await Searcher(HidesOneStudy(), Asked()).search(ANYONE, query, within=None)

    assert [match.resource.study for match in page.matches] == [STUDY]
