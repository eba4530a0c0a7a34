"""What other steps ask of the catalogue: what a resource holds, and whether it fits its report."""

import logging

from gateway.catalogue.studies import Studies
from gateway.clock import Clock
from gateway.model.agreement import Disagreement, identity_agrees
from gateway.model.image import ImageDescription, KnownImage
from gateway.model.resource import Resource
from gateway.model.study import NumberedReport, effective_reports
from gateway.storage.database import Database
from indexer.contract.identifiers import Uid

log = logging.getLogger(__name__)


class Catalogue:
    """Reads the catalogue, one question a transaction."""

    def __init__(self, database: Database, studies: Studies, *, clock: Clock) -> None:
        self._database = database
        self._studies = studies
        self._clock = clock

    async def images(self, resource: Resource) -> list[KnownImage]:
        """The known instances of a resource; none if nothing is known of it."""
        return await self._database.read(lambda tx: self._studies.images(tx, resource))

    async def governing_report(self, study: Uid) -> NumberedReport | None:
        """The report that speaks for the study: the latest validated one; None without any."""
        told = await self._database.read(lambda tx: self._studies.reports(tx, study))
        validated = [one for one in effective_reports(told) if one.report.validated]
        return validated[-1] if validated else None

    async def disagreement(self, study: Uid, image: ImageDescription) -> Disagreement | None:
        """What of an image that was pulled does not fit the study's report; None without one."""
        governing = await self.governing_report(study)
        return None if governing is None else identity_agrees(governing.report, [image])

    async def set_aside(self, study: Uid, disagreement: Disagreement) -> None:
        """Have a person look at the study; what the next news of it decides stands again."""
        log.warning("study_set_aside", extra={"code": disagreement.code})
        await self._database.write(
            lambda tx: self._studies.mark(
                tx,
                study,
                state="set_aside",
                code=disagreement.code,
                reason=f"{disagreement.reason} (found when its images were fetched)",
                now_ms=self._clock(),
            )
        )
