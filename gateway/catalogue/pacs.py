"""Asks the centre's PACS what they hold of a study (C-FIND, Study Root, PS3.4 §C.6.2)."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from pydicom import Dataset

from gateway.catalogue.header import describe, text
from gateway.dimse.scu import DimseRequestor, QueryLevel
from gateway.errors import PacsUnavailable
from gateway.model.image import ImageDescription
from gateway.model.notification import PacsAnswered
from indexer.contract.errors import InvalidValue
from indexer.contract.identifiers import Uid

INSTANCES_MAX: Final = 100_000
"""Instances of one study that an answer may list."""

SERIES_MAX: Final = 10_000

_STUDY_KEYS: Final = (
    "PatientID", "IssuerOfPatientID", "PatientName", "PatientBirthDate", "PatientSex",
    "AccessionNumber", "StudyDate", "StudyTime", "StudyDescription", "StudyID",
    "ReferringPhysicianName",
)  # fmt: skip
_SERIES_KEYS: Final = ("SeriesInstanceUID", "Modality", "SeriesNumber", "SeriesDescription")
_IMAGE_KEYS: Final = (
    "SOPInstanceUID", "SOPClassUID", "InstanceNumber", "NumberOfFrames", "Rows", "Columns",
    "BitsAllocated",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Pacs:
    """One PACS of the centre, with the authorities of the ids that it gives (OIDs, or empty)."""

    requestor: DimseRequestor
    patient_id_issuer: str = ""
    accession_issuer: str = ""

    @property
    def ae_title(self) -> str:
        """What it is called by."""
        return self.requestor.called_ae

    async def describe(self, study: Uid) -> tuple[ImageDescription, ...]:
        """Every instance that it holds of the study; none if it does not know the study.

        Raises:
            PacsUnavailable: it does not answer, or its answers cannot be read.
        """
        found = await self._find(QueryLevel.STUDY, _STUDY_KEYS, 2, study=study)
        if not found:
            return ()
        images: list[ImageDescription] = []
        for series in await self._find(QueryLevel.SERIES, _SERIES_KEYS, SERIES_MAX, study=study):
            uid = text(series, "SeriesInstanceUID")
            room = INSTANCES_MAX - len(images)
            answers = await self._find(QueryLevel.IMAGE, _IMAGE_KEYS, room, study=study, series=uid)
            images += [self._description((found[0], series, answer)) for answer in answers]
        return tuple(images)

    async def _find(
        self,
        level: QueryLevel,
        keys: Iterable[str],
        answers_max: int,
        *,
        study: Uid,
        series: str = "",
    ) -> list[Dataset]:
        """Ask at one level; the unique keys of the levels above are given (PS3.4 §C.4.1.2.1)."""
        asked: dict[str, str | list[Dataset]] = dict.fromkeys(keys, "")
        asked["StudyInstanceUID"] = study
        if series:
            asked["SeriesInstanceUID"] = series
        return await self.requestor.find(asked, level=level, answers_max=answers_max)

    def _description(self, levels: Sequence[Dataset]) -> ImageDescription:
        """One instance, from the answers of its study, its series and itself."""
        whole = Dataset()
        for level in levels:
            whole.update(level)
        try:
            return describe(
                whole,
                patient_issuer=self.patient_id_issuer,
                accession_issuer=self.accession_issuer,
            )
        except InvalidValue:
            raise PacsUnavailable("an answer of the PACS names no instance") from None


class PacsDirectory:
    """The PACS of the centre, asked in the order of the settings."""

    def __init__(self, pacs: Sequence[Pacs]) -> None:
        self._pacs = list(pacs)

    @property
    def requestors(self) -> dict[str, DimseRequestor]:
        """Whom to ask to move instances, by AE title."""
        return {pacs.ae_title: pacs.requestor for pacs in self._pacs}

    async def describe(self, study: Uid, *, asked_after: int) -> PacsAnswered:
        """What the first PACS that knows the study holds of it.

        Raises:
            PacsUnavailable: none knows it, and at least one does not answer.
        """
        failure: PacsUnavailable | None = None
        for pacs in self._pacs:
            try:
                images = await pacs.describe(study)
            except PacsUnavailable as error:
                failure = error
                continue
            if images:
                return PacsAnswered(
                    study=study, pacs=pacs.ae_title, images=images, asked_after=asked_after
                )
        if failure is not None:
            raise failure
        return PacsAnswered(study=study, pacs="", images=(), asked_after=asked_after)
