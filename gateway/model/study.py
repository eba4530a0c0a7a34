"""All that the gateway was told of one study, as one value.

The facts are kept as sets of rows, so the value does not depend on the order in which news came,
nor on how often it was repeated. Where a later word replaces an earlier one, what the messages
themselves carry decides; where they carry nothing, the number of the news does.
"""

from dataclasses import dataclass
from datetime import datetime

from gateway.model.act import Act, ActKind
from gateway.model.agreement import Disagreement, same_person
from gateway.model.image import ImageDescription, ImagePatient, KnownImage
from gateway.model.order import CANCELLED, Order
from gateway.model.patient import PatientWord
from gateway.model.report import Report, ReportedPatient
from indexer.contract.identifiers import Uid


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberedReport:
    """A report with the number of the news that last said so."""

    news: int
    report: Report
    said_at: datetime | None = None
    """When it was last said (MSH-7), aware; None where no message of it told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberedWord:
    """A word about a patient, and when it was heard; `number` is the order of hearing."""

    number: int
    heard_at: datetime
    word: PatientWord


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberedAct:
    """What a person did, with the number of that news."""

    news: int
    act: Act


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberedDisagreement:
    """What did not fit when images were fetched, with the number of that news."""

    news: int
    found: Disagreement


@dataclass(frozen=True, slots=True, kw_only=True)
class StudySnapshot:
    """What is known of a study at one moment. News is numbered from 1 within the study."""

    study: Uid
    news: int
    images: tuple[KnownImage, ...] = ()
    """Sorted by series and instance."""
    reports: tuple[NumberedReport, ...] = ()
    """Those that name the study, and those that replace one which did."""
    orders: tuple[Order, ...] = ()
    """The last word of each order that names the study or an accession of its images."""
    words: tuple[NumberedWord, ...] = ()
    """What was told of the patients that its images, reports and orders name."""
    acts: tuple[NumberedAct, ...] = ()
    """What people decided about it, in that order."""
    last_pushed_at_ms: int | None = None
    """When the last instance was pushed here."""
    waiting_since_ms: int | None = None
    """When the report first had no images to go with; None while it is not waiting for any."""
    ask_pacs_after: int = 0
    """Number of the last news on which the PACS has to be asked."""
    pacs_asked_after: int = -1
    """Number of the last news that was known when the PACS gave its last answer; -1: never."""
    patient_changed_by: int = 0
    """Number of the last news that put another patient into an image; 0: none did."""
    spoken_by: int = 0
    """Number of the last news by which a message spoke of the study: a report or an order."""
    disagreement: NumberedDisagreement | None = None
    """The last thing that did not fit when images were fetched."""
    was_decided: bool = False
    """At least one revision of its pointer was once to go."""
    seeks_images: bool = False
    """Its pointer was taken over, and images that its manifest lists were looked for in vain."""

    @property
    def standing_images(self) -> list[KnownImage]:
        """Its images without those that were rejected, and without the notes that reject."""
        return [image for image in self.images if not image.rejected and not image.is_rejection]

    @property
    def told(self) -> list[ImageDescription]:
        """Everything that is told of the standing images, by their headers and by the PACS."""
        return [description for image in self.standing_images for description in image.told]

    @property
    def descriptions(self) -> list[ImageDescription]:
        """What is known of each standing image."""
        return [image.description for image in self.standing_images]

    @property
    def pushed(self) -> list[KnownImage]:
        """The images whose bytes were sent here, but for those that were dropped since."""
        return [image for image in self.images if image.stored is not None and not image.copied]

    @property
    def is_told_deleted(self) -> bool:
        """The last word of its order is that the exam was deleted, and no PACS says otherwise."""
        deleted = any(
            order.exam_changed and order.control in CANCELLED and self.study in order.studies
            for order in self.orders
        )
        return deleted and not any(image.pacs for image in self.images)

    @property
    def is_blocked(self) -> bool:
        """A person took it back, and none has lifted that."""
        kinds = [one.act.kind for one in self.acts]
        last = [kind for kind in kinds if kind in (ActKind.WITHDRAW, ActKind.LIFT)][-1:]
        return last == [ActKind.WITHDRAW]

    @property
    def is_dropped(self) -> bool:
        """A person left it unpublished, and no message spoke of it since."""
        blocking = (ActKind.WITHDRAW, ActKind.LIFT)  # they begin and end something else
        acts = [one for one in self.acts if one.act.kind not in blocking]
        last = acts[-1] if acts else None
        return last is not None and last.act.kind is ActKind.DROP and last.news > self.spoken_by

    def confirmed_as(self, reported: ReportedPatient) -> frozenset[ImagePatient]:
        """Patients of images of which a person said that they are this one."""
        return frozenset(
            one.act.patient
            for one in self.acts
            if one.act.patient is not None
            and any(same_person(reported, told) for told in one.act.reported)
        )

    @property
    def settled_by(self) -> int:
        """Number of the last news by which a report, or a person, settled what did not fit."""
        reported_by = max((one.news for one in self.reports), default=self.spoken_by)
        return max(reported_by, self.looked_at_by)

    @property
    def unsettled(self) -> Disagreement | None:
        """What did not fit when images were fetched, and nobody has settled since."""
        if self.disagreement is None or self.disagreement.news <= self.settled_by:
            return None
        return self.disagreement.found

    @property
    def looked_at_by(self) -> int:
        """Number of the last act by which a person said that what was wrong is mended."""
        mending = (ActKind.RETRY, ActKind.CONFIRM_PATIENT, ActKind.MATCH)
        return max((one.news for one in self.acts if one.act.kind in mending), default=0)
