"""Asks the centre's PACS what they hold of a study.

All of them must answer before anything is known: a part of a study must not pass for the whole.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from gateway.catalogue.classes import ClassLearner
from gateway.catalogue.header import describe
from gateway.catalogue.listing import Texts, list_instances
from gateway.clock import Clock, system_clock
from gateway.dimse.scu import DimseRequestor
from gateway.errors import PacsAnswerUnreadable, PacsBusy, PacsUnavailable
from gateway.model.image import ImageDescription
from gateway.model.notification import HeldByPacs, PacsAnswered
from indexer.contract.errors import InvalidValue
from indexer.contract.identifiers import Uid

HOLD_MS: Final = 10_000
"""How long a PACS that failed is not asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pacs:
    """One PACS of the centre, with the authorities of the ids that it gives (OIDs, or empty)."""

    requestor: DimseRequestor
    learner: ClassLearner
    patient_id_issuer: str = ""
    accession_issuer: str = ""

    @property
    def ae_title(self) -> str:
        """What it is called by."""
        return self.requestor.called_ae

    async def describe(self, study: Uid) -> tuple[ImageDescription, ...]:
        """Every instance that it holds of the study; none if it does not know the study.

        Raises:
            PacsUnavailable: it does not answer.
            PacsAnswerUnreadable: it tells of something without its UIDs, of what was not asked,
                or of more than is taken.
        """
        listed = await self.requestor.converse(lambda find: list_instances(find, study))
        told = await self.learner.complete(study, listed)
        images: dict[Uid, ImageDescription] = {}
        for one in told:
            image = self._description(one)
            images.setdefault(image.instance, image)
        return tuple(images.values())

    def _description(self, told: Texts) -> ImageDescription:
        try:
            return describe(
                told,
                patient_issuer=self.patient_id_issuer,
                accession_issuer=self.accession_issuer,
            )
        except InvalidValue as error:
            raise PacsAnswerUnreadable(f"the PACS tells of an instance whose {error}") from None


class PacsDirectory:
    """The PACS of the centre, asked in the order of the settings."""

    def __init__(self, pacs: Sequence[Pacs], *, clock: Clock = system_clock) -> None:
        self._pacs = [(one, _Turnstile(clock)) for one in pacs]

    async def describe(self, study: Uid, *, asked_after: int) -> PacsAnswered:
        """What all the PACS hold of the study; of an instance that several hold, the first tells.

        Raises:
            PacsUnavailable: at least one does not answer, or did not a moment ago: there may be
                more than the others tell. `PacsBusy` of it where one has no turn for the question.
            PacsAnswerUnreadable: at least one answers what cannot be understood.
        """
        held: dict[Uid, HeldByPacs] = {}
        for pacs, turnstile in self._pacs:
            try:
                with turnstile.passed():
                    images = await pacs.describe(study)
            except PacsUnavailable as error:
                kind = PacsBusy if isinstance(error, PacsBusy) else PacsUnavailable
                told = f"{pacs.ae_title}: {error}"
                raise kind(told, retry_after_s=error.retry_after_s) from error
            except PacsAnswerUnreadable as error:
                raise PacsAnswerUnreadable(f"{pacs.ae_title}: {error}") from error
            for image in images:
                held.setdefault(image.instance, HeldByPacs(pacs=pacs.ae_title, image=image))
        return PacsAnswered(study=study, held=tuple(held.values()), asked_after=asked_after)


class _Turnstile:
    """Keeps a PACS that failed from holding up everybody, each for the length of its timeouts.

    It is not asked for a while, and then by one alone until it answers.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._failed_at_ms: int | None = None
        self._failed_by = ""
        self._is_tried = False

    @contextmanager
    def passed(self) -> Iterator[None]:
        tries = self._failed_at_ms is not None
        if tries:
            self._ensure_free()
            self._is_tried = True
        try:
            yield
        except PacsBusy:  # with what we asked it before: it does not fail
            raise
        except PacsUnavailable as error:
            self._failed_at_ms, self._failed_by = self._clock(), str(error)
            raise
        except PacsAnswerUnreadable:
            self._failed_at_ms = None
            raise
        else:
            self._failed_at_ms = None
        finally:
            if tries:
                self._is_tried = False

    def _ensure_free(self) -> None:
        since_ms = self._clock() - (self._failed_at_ms or 0)
        if 0 <= since_ms < HOLD_MS:  # a clock that was set back holds nobody
            left_s = (HOLD_MS - since_ms) / 1000
            told = f"the PACS failed a moment ago: {self._failed_by}"
            raise PacsUnavailable(told, retry_after_s=left_s)
        if self._is_tried:
            told = f"the PACS failed and is being tried: {self._failed_by}"
            raise PacsUnavailable(told, retry_after_s=1.0)
