"""A publisher and a dispatcher on stores of the test; nothing runs unless the test says so."""

from collections.abc import Awaitable, Callable

from gateway.errors import PacsAnswerUnreadable, PacsUnavailable
from gateway.model.act import ActKind
from gateway.model.decision import PublicationPolicy
from gateway.model.image import ImageDescription
from gateway.model.notification import HeldByPacs, PacsAnswered
from gateway.publication.dispatcher import Dispatcher
from gateway.publication.errand import ARRIVAL_MS
from gateway.publication.publisher import Publisher
from gateway.publication.revision import RevisionBuilder
from indexer.contract.access import Caller, CallerKind
from indexer.contract.document import Organisation, Person
from indexer.contract.identifiers import Ins, Uid
from indexer.contract.index import Index
from tests.support.gateway_stores import Stores
from tests.support.manifests import CENTRE
from tests.support.studies import POLICY
from tests.support.telling import act, tell_instance, tell_report

RECORD_RETRY_MS = 10 * ARRIVAL_MS


def caller_of(patient: Ins) -> Caller:
    """The gateway, on a patient's record."""
    structure = Organisation(number="1990000127")
    return Caller(
        kind=CallerKind.SYSTEM,
        person=Person(number=structure.number),
        organisation=structure,
        patient=patient,
    )


class PacsInMemory:
    """A PACS that holds what the test puts in it."""

    def __init__(self) -> None:
        self.images: tuple[ImageDescription, ...] = ()
        self.is_silent = False
        self.is_unreadable = False
        self.asked = 0
        self.while_asked: Callable[[], Awaitable[None]] | None = None

    async def describe(self, study: Uid, *, asked_after: int) -> PacsAnswered:
        self.asked += 1
        if self.while_asked is not None:
            await self.while_asked()
        if self.is_silent:
            raise PacsUnavailable("told to be silent")
        if self.is_unreadable:
            raise PacsAnswerUnreadable("told to be unreadable")
        held = tuple(HeldByPacs(pacs="PACS", image=image) for image in self.images)
        return PacsAnswered(study=study, held=held, asked_after=asked_after)


class Bench:
    """One study's way through publication, a step at a time."""

    def __init__(
        self,
        stores: Stores,
        index: Index,
        *,
        policy: PublicationPolicy = POLICY,
        pacs: PacsInMemory | None = None,
    ) -> None:
        self.stores = stores
        self.pacs = pacs or PacsInMemory()
        self.dispatcher = Dispatcher(
            stores.database,
            stores.outbox,
            stores.standings,
            index,
            caller_of=caller_of,
            record_retry_ms=RECORD_RETRY_MS,
            clock=stores.clock,
            draw=lambda: 0.0,
        )
        self._ids = iter(range(10**6))
        self.publisher = Publisher(
            stores.database,
            stores.studies,
            stores.standings,
            stores.outbox,
            pacs=self.pacs,
            policy=policy,
            submission=RevisionBuilder(CENTRE, uid_root="2.25"),
            submission_id=lambda: f"submission-{next(self._ids)}",
            clock=stores.clock,
            draw=lambda: 0.0,
            on_enqueued=lambda: None,
        )

    async def tell_instance(self, number: int = 1, **told) -> None:
        await tell_instance(self.stores, number, **told)

    async def tell_report(self, **told) -> None:
        await tell_report(self.stores, **told)

    async def act(self, kind: ActKind, **told) -> None:
        """A person decides something about the study."""
        await act(self.stores, kind, **told)

    async def come_to_rest(self) -> None:
        """Look and send until nothing is due, however long what failed is put off."""
        for _turn in range(20):
            self.stores.clock.now_ms += 2 * ARRIVAL_MS
            await self.look()
            await self.send()

    async def look(self) -> list[Uid]:
        """Look at everything that is due now."""
        due = await self.publisher.claim(100)
        for one in due:
            await self.publisher.look(one)
        return [one.study for one in due]

    async def send(self) -> int:
        """Send everything that is due now."""
        claims = await self.dispatcher.claim(100)
        for claim in claims:
            await self.dispatcher.send(claim)
        return len(claims)


async def states(bench: Bench) -> tuple[object, object]:
    """Where the study stands: its state and code."""
    standing = await bench.stores.standing()
    return standing["state"], standing["code"]


async def published(bench: Bench) -> None:
    """The study is published, with one image and its report."""
    await bench.tell_instance()
    await bench.tell_report()
    bench.stores.clock.now_ms = POLICY.settle_ms
    await bench.look()
    await bench.send()
