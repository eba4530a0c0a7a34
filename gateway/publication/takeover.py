"""Takes over pointers that another gateway of the centre published, when a centre changes its own.

What was published stays where it is. The study is known from then on, with its pointer: the next
revision replaces that entry, and its images are served as the manifest lists them.
"""

from collections.abc import Callable
from dataclasses import replace

from gateway.catalogue.standings import Conclusion, Standings
from gateway.catalogue.studies import Studies
from gateway.clock import Clock
from gateway.errors import InvalidRequest
from gateway.manifest.model import Manifest, ManifestSeries
from gateway.manifest.reader import read_manifest
from gateway.media.tally import Fate
from gateway.media.xdm import MediaPointer
from gateway.model.event import Event
from gateway.model.image import NOBODY, ImageDescription, ImagePatient
from gateway.model.notification import HeldByPacs, StudyAnnounced
from gateway.publication.latest import LatestPointer, LatestPointers
from gateway.publication.outbox import Outbox
from gateway.storage.database import Database, Transaction
from indexer.contract.document import (
    DocumentEntry,
    Identifier,
    ReferenceKind,
    Submission,
    of_document,
)
from indexer.contract.errors import InvalidValue


class PointerTakeover:
    """Makes pointers of another gateway this one's.

    Args:
        pacs: AE title of the PACS that the images are in; empty where the centre has none.
        submission_id: gives a fresh opaque id.
    """

    def __init__(
        self,
        database: Database,
        studies: Studies,
        standings: Standings,
        outbox: Outbox,
        latest: LatestPointers,
        *,
        pacs: str,
        submission_id: Callable[[], str],
        clock: Clock,
    ) -> None:
        self._database = database
        self._studies = studies
        self._standings = standings
        self._outbox = outbox
        self._latest = latest
        self._pacs = pacs
        self._submission_id = submission_id
        self._clock = clock

    async def take(self, pointer: MediaPointer) -> tuple[Fate, str]:
        """Take over one pointer; what became of it, and why it was not taken.

        Raises:
            InvalidRequest: manifest and metadata do not fit each other.
            StorageUnavailable: it could not be made durable.
        """
        submission = _checked(pointer.submission)
        manifest = read_manifest(submission.document)
        _check_manifest(manifest, submission.entry)
        return await self._database.write(
            lambda tx: self._adopt(tx, manifest, submission, pointer.report_id)
        )

    async def _adopt(
        self, tx: Transaction, manifest: Manifest, submission: Submission, report_id: str
    ) -> tuple[Fate, str]:
        study, now_ms = manifest.study, self._clock()
        before = _met(await self._latest.of(tx, study), submission.entry)
        if before is not None:
            return before
        news = StudyAnnounced(study=study, by="import")
        await self._studies.study_announced(tx, news, now_ms=now_ms)
        snapshot = await self._studies.snapshot(tx, study)
        standing = await self._standings.of(tx, study)
        assert snapshot is not None  # both are there since it was announced
        assert standing is not None
        if not snapshot.images:
            # Until the PACS is asked, which the next word of the study has done, or the night.
            held = _held(manifest, submission.entry, self._pacs)
            await self._studies.images_assumed(tx, study, held)
        revision = standing.revision + 1
        await self._outbox.adopt(
            tx, self._submission_id(), submission, study=study, revision=revision, now_ms=now_ms
        )
        taken = Conclusion(
            study=study,
            news=snapshot.news,
            known_revision=standing.revision,
            state="published",
            revision=revision,
            fingerprint="",  # the next look at it has another, and so replaces it
            # What was known here before may ask for another pointer, or for none.
            due_at_ms=now_ms if snapshot.news > 1 else None,
        )
        await self._standings.conclude(tx, taken, now_ms=now_ms)
        await self._standings.history.note(
            tx,
            study,
            Event.TAKEN_OVER,
            now_ms=now_ms,
            revision=revision,
            document=submission.entry.unique_id,
            document_id=report_id,
        )
        return Fate.TAKEN, ""


def _met(latest: LatestPointer | None, entry: DocumentEntry) -> tuple[Fate, str] | None:
    """What becomes of a pointer that meets another of its study; None if it is taken over."""
    if latest is None:
        return None
    if latest.unique_id == entry.unique_id:
        return Fate.KNOWN, ""
    if not latest.is_settled:
        return Fate.SKIPPED, "a pointer of the study is on its way to the index"
    if latest.created_at is None:
        return Fate.SKIPPED, "the pointer of the study was withdrawn here"
    if latest.created_at >= entry.created_at:
        return Fate.SKIPPED, "a later pointer of the study is known"
    return None


def _checked(submission: Submission) -> Submission:
    """The submission with hash and size of its document.

    Raises:
        InvalidRequest: the metadata tells others.
    """
    try:
        return replace(submission, entry=of_document(submission.entry, submission.document))
    except InvalidValue as error:
        raise InvalidRequest(str(error)) from None


def _check_manifest(manifest: Manifest, entry: DocumentEntry) -> None:
    if manifest.identifier != entry.unique_id:
        raise InvalidRequest("the metadata is that of another manifest")
    # Outside France a manifest names the patient of the images, which tells nothing of the INS.
    told = {one.value for one in manifest.patient.ids if one.authority == entry.patient.oid}
    if told and entry.patient.value not in told:
        raise InvalidRequest("the manifest is of another patient than its metadata")
    studies = {one.value for one in entry.reference_ids if one.kind is ReferenceKind.STUDY}
    if studies and manifest.study not in studies:
        raise InvalidRequest("the manifest is of another study than its metadata")


def _held(manifest: Manifest, entry: DocumentEntry, pacs: str) -> tuple[HeldByPacs, ...]:
    """What the manifest lists, as this PACS would tell it."""
    return tuple(
        HeldByPacs(pacs=pacs, image=image)
        for series in manifest.series
        for image in _images(series, manifest, entry)
    )


def _images(
    series: ManifestSeries, manifest: Manifest, entry: DocumentEntry
) -> list[ImageDescription]:
    accessions = [
        Identifier(value=one.value, authority=one.authority)
        for one in entry.reference_ids
        if one.kind is ReferenceKind.ACCESSION
    ]
    traits = entry.traits
    patient = ImagePatient(
        local_id=entry.local_patient,
        name=f"{traits.birth_name}^{traits.given_name}".strip("^"),
        birth_date=traits.birth_date,
        sex=traits.sex,
    )
    return [
        ImageDescription(
            series=series.series,
            instance=one.instance,
            sop_class=one.sop_class,
            patient=patient,
            # Of several nothing tells which goes with which image.
            accession=accessions[0] if len(accessions) == 1 else NOBODY,
            study_date=manifest.study_date,
            study_time=manifest.study_time,
            study_description=manifest.description,
            study_id=manifest.study_id,
            referring_physician=manifest.referring_physician,
            modality=series.modality,
            series_number=series.number,
            series_description=series.description,
            instance_number=one.number,
            frames=one.frames,
        )
        for one in series.instances
    ]
