"""What a person compares of a study: what its reports say, and what its images say.

Both patients and both exams, side by side, as `GET /api/set-aside/{study_uid}` shows them. Whoever
confirms a patient sends the identities back as they were shown, so that nothing is confirmed that
nobody has seen.
"""

from collections.abc import Iterable
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from gateway.model.image import ImageDescription, ImagePatient
from gateway.model.report import Report, ReportedPatient
from gateway.model.study import StudySnapshot
from indexer.contract.document import Identifier
from indexer.contract.identifiers import Uid

EXAMS_SHOWN_MAX: Final = 100
"""Exams of one side; who meets more looks in the PACS or the RIS."""

PATIENTS_MAX: Final = 100
"""Patients that are sent back, and numbers of one."""

Told = Annotated[str, StringConstraints(max_length=1024)]


class LocalId(BaseModel):
    """A number of the centre's own, with the OID of who gives it, or an empty one."""

    model_config = ConfigDict(extra="forbid")

    local_id: Told
    authority: Told = ""

    @classmethod
    def of(cls, one: Identifier) -> "LocalId":
        """As a patient has it."""
        return cls.model_construct(local_id=one.value, authority=one.authority)


class Patient(LocalId):
    """A patient as images name them."""

    name: Told = ""
    birth_date: Told = ""
    sex: Told = ""

    @classmethod
    def named(cls, one: ImagePatient) -> "Patient":
        """As this image has them."""
        return cls.model_construct(
            local_id=one.local_id.value,
            authority=one.local_id.authority,
            name=one.name,
            birth_date=one.birth_date,
            sex=one.sex,
        )

    @property
    def image_patient(self) -> ImagePatient:
        """The patient whom the images would have to name."""
        return ImagePatient(
            local_id=Identifier(value=self.local_id, authority=self.authority),
            name=self.name,
            birth_date=self.birth_date,
            sex=self.sex,
        )


class Reported(BaseModel):
    """A patient as reports, or what speaks in their place, name them."""

    model_config = ConfigDict(extra="forbid")

    ins: Told | None
    ins_oid: Told | None
    local_ids: Annotated[list[LocalId], Field(max_length=PATIENTS_MAX)]
    birth_name: Told
    first_given_name: Told
    birth_date: Told
    sex: Told
    birth_place: Told

    @classmethod
    def named(cls, one: ReportedPatient) -> "Reported":
        """As this report has them."""
        return cls.model_construct(
            ins=None if one.ins is None else one.ins.value,
            ins_oid=None if one.ins is None else one.ins.oid,
            local_ids=[LocalId.of(local_id) for local_id in one.local_ids],
            birth_name=one.birth_name,
            first_given_name=one.first_given_name,
            birth_date=one.birth_date,
            sex=one.sex,
            birth_place=one.birth_place,
        )


def compared(snapshot: StudySnapshot, reports: Iterable[Report]) -> dict[str, object]:
    """Both sides of a study: patients first, then exams."""
    told = list(reports)
    patients = {image.patient for image in snapshot.told}
    return {
        "reported_patients": [
            one.model_dump() for one in reported_patients(report.patient for report in told)
        ],
        "image_patients": [
            Patient.named(one).model_dump()
            for one in sorted(patients, key=lambda one: one.local_id.value)
        ],
        "reported_exams": [_reported_exam(one, snapshot.study) for one in told[-EXAMS_SHOWN_MAX:]],
        "image_exams": _image_exams(snapshot.told),
    }


def reported_patients(patients: Iterable[ReportedPatient]) -> list[Reported]:
    """Each patient once, in the order of the reports."""
    return [Reported.named(one) for one in dict.fromkeys(patients)]


def _reported_exam(report: Report, study: Uid) -> dict[str, object]:
    about = report.about(study)
    acts = () if about is None else about.acts
    started_at = None if about is None else about.started_at
    return {
        "accessions": [
            {"accession": one.value, "authority": one.authority} for one in report.accessions
        ],
        "acts": [one.display or one.code for one in acts],
        "started_at": None if started_at is None else started_at.isoformat(),
        "written_at": None if report.written_at is None else report.written_at.isoformat(),
    }


def _image_exams(images: Iterable[ImageDescription]) -> list[dict[str, object]]:
    """What is told of the exam, once for all images of which the same is told."""
    exams = {(one.accession, one.study_date, one.modality, one.study_description) for one in images}
    return [
        {
            "accession": accession.value,
            "authority": accession.authority,
            "study_date": study_date,
            "modality": modality,
            "study_description": description,
        }
        for accession, study_date, modality, description in sorted(
            exams, key=lambda one: (one[0].value, one[0].authority, *one[1:])
        )[:EXAMS_SHOWN_MAX]
    ]
