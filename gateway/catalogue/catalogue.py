"""What other steps ask of the catalogue: what a resource holds, and whether it fits its report."""

from collections.abc import Callable

from gateway.catalogue.studies import Studies
from gateway.clock import Clock
from gateway.model.agreement import Disagreement, identity_agrees
from gateway.model.image import ImageDescription, KnownImage
from gateway.model.resource import Resource
from gateway.model.study import effective_reports
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
        """The known instances of a resource; none if nothing is known of it."""
        return await self._database.read(lambda tx: self._studies.images(tx, resource))

    async def disagreement(self, study: Uid, image: ImageDescription) -> Disagreement | None:
        """What of an image that was pulled does not fit the study's reports; None without any."""
        told = await self._database.read(lambda tx: self._studies.reports(tx, study))
        for numbered in effective_reports(told):
            report = numbered.report
            if report.validated and report.about(study) is not None:
                found = identity_agrees(report, [image])
                if found is not None:
                    return found
        return None

    async def set_aside(self, study: Uid, found: Disagreement) -> None:
        """Have a person look at the study: only a report that comes later settles it."""
        now_ms = self._clock()
        await self._database.write(
            lambda tx: self._studies.images_disagreed(tx, study, found, now_ms=now_ms)
        )
        self._on_news()
