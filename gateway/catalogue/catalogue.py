"""What other steps ask of the catalogue: what a resource holds, and whether it fits its report."""

from collections.abc import Callable, Iterable

from gateway.catalogue.copies import Copies
from gateway.catalogue.studies import Studies
from gateway.clock import Clock
from gateway.model.agreement import Disagreement
from gateway.model.decision import PublicationPolicy
from gateway.model.image import ImageDescription, KnownImage
from gateway.model.publishing import ins_of
from gateway.model.resource import Resource
from gateway.model.speaking import identity_disagreement, in_force, pointer_disagreement
from gateway.model.study import StudySnapshot
from gateway.storage.database import Database, Transaction
from indexer.contract.document import Identifier
from indexer.contract.identifiers import Ins, Uid


class Catalogue:
    """Answers one question a transaction.

    Args:
        on_news: called once news is durable, to wake whoever looks at studies.
    """

    def __init__(
        self,
        database: Database,
        studies: Studies,
        *,
        policy: PublicationPolicy,
        clock: Clock,
        on_news: Callable[[], None],
    ) -> None:
        self._database = database
        self._studies = studies
        self._copies = Copies(database.dialect)
        self._policy = policy
        self._clock = clock
        self._on_news = on_news

    async def images(self, resource: Resource) -> list[KnownImage]:
        """What may be shown of a resource; none if nothing is known of it."""
        return await self._database.read(lambda tx: self._studies.shown(tx, resource))

    async def disagreement(self, study: Uid, image: ImageDescription) -> Disagreement | None:
        """What of an image does not fit what its study is published by: reports, the order where
        the centre publishes on images, or, where none of them speaks, the pointer that is out. What
        did not fit before keeps the study from being given until it is settled.
        """

        async def work(tx: Transaction) -> tuple[StudySnapshot | None, Identifier | None]:
            snapshot = await self._studies.identity(tx, study)
            return snapshot, await self._studies.published_as(tx, study)

        snapshot, published_as = await self._database.read(work)
        if snapshot is None:
            return None
        if snapshot.unsettled is not None:
            return snapshot.unsettled
        naming = in_force(snapshot, self._policy)
        if not naming and published_as is not None:
            return pointer_disagreement(snapshot, published_as, image)
        return identity_disagreement(snapshot, naming, [image])

    async def unsettled(self, study: Uid) -> Disagreement | None:
        """What did not fit when images of the study were pulled, and nobody has settled since."""

        async def work(tx: Transaction) -> Disagreement | None:
            if not await self._studies.has_disagreed(tx, study):  # as almost all
                return None
            snapshot = await self._studies.identity(tx, study)
            return None if snapshot is None else snapshot.unsettled

        return await self._database.read(work)

    async def ins(self, study: Uid) -> Ins | None:
        """By which INS the study's pointer names its patient; None while it names none."""
        snapshot = await self._database.read(lambda tx: self._studies.identity(tx, study))
        return None if snapshot is None else ins_of(snapshot, self._policy)

    async def earlier_studies(self, patient: Iterable[Identifier], *, count_max: int) -> list[Uid]:
        """The last studies of a patient of which not all is here, the latest first."""
        return await self._database.read(
            lambda tx: self._copies.earlier_studies(tx, patient, count_max=count_max)
        )

    async def set_aside(self, study: Uid, found: Disagreement) -> None:
        """Have a person look at the study, and its pointer taken back: only they, or a report that
        comes later, settle it."""
        now_ms = self._clock()
        await self._database.write(
            lambda tx: self._studies.images_disagreed(tx, study, found, now_ms=now_ms)
        )
        self._on_news()
