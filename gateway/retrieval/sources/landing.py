"""Looks at what a PACS sends before anybody has it: was it asked for, and does it fit its report?

The PACS may have changed since the pointer was published.
"""

import logging
from collections.abc import Iterable
from typing import Final, Protocol

from gateway.catalogue.header import Header
from gateway.errors import PacsUnavailable
from gateway.model.agreement import Disagreement
from gateway.model.image import ImageDescription, ImagePatient
from gateway.model.resource import Resource
from gateway.retrieval.sources.store import ImagesDisagree, ReportedImages
from indexer.contract.document import Identifier
from indexer.contract.identifiers import Uid

log = logging.getLogger(__name__)

PASSED_OVER_MAX: Final = 10_000
"""Instances that one pull may bring twice, or without having been asked for them."""


class PulledStudies(ReportedImages, Protocol):
    """What the catalogue tells and does about images that are pulled."""

    async def set_aside(self, study: Uid, disagreement: Disagreement) -> None:
        """Have a person look at the study."""


class Landing:
    """What came of one pull so far.

    Args:
        wanted: what was asked for.
        shown: the instances of it that may be shown. What a PACS holds beyond them was rejected, or
            is not known yet.
        needed: those of them that are not here.
    """

    def __init__(
        self,
        catalogue: PulledStudies,
        wanted: Resource,
        *,
        shown: Iterable[Uid],
        needed: Iterable[Uid],
    ) -> None:
        self.came: set[Uid] = set()
        self._catalogue = catalogue
        self._wanted = wanted
        self._shown = frozenset(shown)
        self._needed = frozenset(needed)
        # Instances of a study name the same patient; the report is asked once, not for each.
        self._agreed: set[tuple[ImagePatient, Identifier]] = set()
        self._passed_over = 0

    @property
    def missing(self) -> frozenset[Uid]:
        """What has not come."""
        return self._needed - self.came

    @property
    def is_nearly_whole(self) -> bool:
        """Most of it has come."""
        return len(self.came) * 4 >= len(self._needed) * 3

    async def wants(self, header: Header) -> bool:
        """Whether the instance is needed and did not come before.

        Raises:
            ImagesDisagree: it does not fit what its study is published by.
            PacsUnavailable: too many came that were not asked for.
        """
        image = header.image
        if not self._is_within(header) or image.instance in self.came:
            self._pass_over()
            return False
        if image.instance not in self._needed:
            return False
        if (image.patient, image.accession) not in self._agreed:
            await self._ensure_agreement(image)
            self._agreed.add((image.patient, image.accession))
        self.came.add(image.instance)
        return True

    def _is_within(self, header: Header) -> bool:
        asked, told = self._wanted, (header.study, header.image.series, header.image.instance)
        within = zip((asked.study, asked.series, asked.instance), told, strict=True)
        asked_for = all(wanted in (None, found) for wanted, found in within)
        return asked_for and header.image.instance in self._shown

    def _pass_over(self) -> None:
        if not self._passed_over:
            log.warning("instance_not_asked_for")  # some PACSs send more than the level asked
        self._passed_over += 1
        if self._passed_over > PASSED_OVER_MAX:
            raise PacsUnavailable("the PACS goes on sending what it was not asked for")

    async def _ensure_agreement(self, image: ImageDescription) -> None:
        disagreement = await self._catalogue.disagreement(self._wanted.study, image)
        if disagreement is not None:
            await self._catalogue.set_aside(self._wanted.study, disagreement)
            raise ImagesDisagree(disagreement.reason)
