"""What other steps ask of the catalogue: what a resource holds, and whether it fits its report."""

from collections.abc import Callable

from gateway.catalogue.studies import Studies
from gateway.clock import Clock
from gateway.model.agreement import Disagreement, identity_agrees
from gateway.model.image import ImageDescription, KnownImage
from gateway.model.resource import Resource
from gateway.model.speaking import reports_in_force
from gateway.storage.database import Database
from indexer.contract.identifiers import Uid


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
        clock: Clock,
        on_news: Callable[[], None],
    ) -> None:
        self._database = database
        self._studies = studies
        self._clock = clock
        self._on_news = on_news

    async def images(self, resource: Resource) -> list[KnownImage]:
        """What may be shown of a resource; none if nothing is known of it."""
        return await self._database.read(lambda tx: self._studies.shown(tx, resource))

    async def disagreement(self, study: Uid, image: ImageDescription) -> Disagreement | None:
        """What of an image that was pulled does not fit the study's reports; None without any."""
        snapshot = await self._database.read(lambda tx: self._studies.snapshot(tx, study))
        if snapshot is None:
            return None
        for report in reports_in_force(snapshot):
            found = identity_agrees(report, [image], confirmed=snapshot.confirmed_patients)
            if found is not None:
                return found
        return None

    async def set_aside(self, study: Uid, found: Disagreement) -> None:
        """Have a person look at the study, and its pointer taken back: only they, or a report that
        comes later, settle it."""
        now_ms = self._clock()
        await self._database.write(
            lambda tx: self._studies.images_disagreed(tx, study, found, now_ms=now_ms)
        )
        self._on_news()
