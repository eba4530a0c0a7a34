"""Pointers to exams, as many as one asks for: the same number always gives the same exam.

The document is a manifest that `gateway.manifest` wrote; what tells one exam from another in it are
UIDs of one length, so that they can be put into its bytes.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from gateway.manifest.centre import Centre
from gateway.manifest.compose import build_manifest
from gateway.manifest.document_entry import build_entry, build_submission
from gateway.manifest.forms import write_manifest
from gateway.manifest.kos import OwnSeries
from gateway.manifest.model import MadoCodes, ManifestForm
from gateway.model.pointer import ListedInstance, ListedSeries, PointerContent
from gateway.model.report import ReportedPatient
from indexer.contract.document import (
    Code,
    Identifier,
    Organisation,
    Person,
    ReferenceId,
    ReferenceKind,
    Submission,
)
from indexer.contract.identifiers import INS_NIR_TEST, Ins, Oid, Uid, ins_key

PATIENTS_MAX: Final = 2 * 100 * 12 * 9 * 999
FIRST_DAY: Final = datetime(2026, 1, 1, tzinfo=UTC)
SPAN: Final = timedelta(days=20 * 365)
"""Exams lie within this much time."""

_CT: Final = Uid("1.2.840.10008.5.1.4.1.1.2")
_CENTRE: Final = Centre(
    public_url="https://drimbox.example",
    ae_title="DRIMBOX",
    location_uid=Uid("2.25.7"),
    organisation_id="1990000127",
    organisation_name="Centre d'imagerie de l'Échantillon",
    time_zone=ZoneInfo("Europe/Paris"),
    manufacturer="DRIM gateway",
)
_ACCESSIONS: Final = "1.2.250.1.213.4.5.2.5"


def _uid(kind: int, number: int) -> Uid:
    """One of 44 characters, whatever the number."""
    return Uid(f"2.25.{kind}{number:038}")


def ins_of(number: int) -> Ins:
    """The identity of the `number`-th patient, who cannot be real: no commune is 75991 or later.

    Raises:
        ValueError: there are not so many.
    """
    if number >= PATIENTS_MAX:
        raise ValueError(f"there are {PATIENTS_MAX} patients at most")
    number, sex = divmod(number, 2)
    number, year = divmod(number, 100)
    number, month = divmod(number, 12)
    order, place = divmod(number, 9)
    value = f"{sex + 1}{year:02}{month + 1:02}75{991 + place}{order + 1:03}"
    return Ins(value=f"{value}{ins_key(value):02}", oid=Oid(INS_NIR_TEST))


@dataclass(frozen=True, slots=True)
class Exams:
    """Exams that differ by their number alone."""

    _model: Submission
    """The exam numbered 0."""

    @classmethod
    def of(cls, references: int) -> "Exams":
        """Exams whose manifests list so many instances, at least one, in series of a hundred."""
        return cls(_model_exam(references))

    def submission(self, number: int, *, patient: int, of: int) -> Submission:
        """The submission of one exam.

        Args:
            number: from 1; it also decides when, in the span of time, the exam was.
            patient: the number of whose it is.
            of: how many exams there are.
        """
        model, study, manifest = self._model, _uid(1, number), _uid(2, number)
        document = model.document.replace(_uid(1, 0).encode(), study.encode())
        document = document.replace(_uid(2, 0).encode(), manifest.encode())
        made_at = FIRST_DAY + timedelta(seconds=round(SPAN.total_seconds() * number / (of + 1)))
        started_at = made_at - timedelta(hours=1)
        entry = replace(
            model.entry,
            unique_id=manifest,
            patient=ins_of(patient),
            local_patient=Identifier(value=f"IPP{patient:09}", authority="1.2.250.1.213.4.5.2.4"),
            reference_ids=(
                ReferenceId(
                    kind=ReferenceKind.ACCESSION, value=f"A{number:011}", authority=_ACCESSIONS
                ),
                ReferenceId(kind=ReferenceKind.STUDY, value=study),
            ),
            created_at=made_at,
            service_start=started_at,
            service_stop=started_at + timedelta(minutes=20),
            sha1=hashlib.sha1(document, usedforsecurity=False).hexdigest(),
            size_bytes=len(document),
        )
        return replace(
            model,
            submission_id=_uid(3, number),
            submitted_at=made_at,
            entry=entry,
            document=document,
        )

    def one_each(self, count: int, *, first: int = 1) -> Iterator[Submission]:
        """Exams in a row, each of a patient of its own."""
        last = first + count
        return (self.submission(one, patient=one, of=last) for one in range(first, last))


def _model_exam(references: int) -> Submission:
    content, form = _content(references), ManifestForm.FRENCH
    manifest = build_manifest(
        content, identifier=_uid(2, 0), made_at=FIRST_DAY, centre=_CENTRE, form=form
    )
    own = OwnSeries(series=Uid(f"{_uid(1, 0)}.59"), ae_title=_CENTRE.ae_title)
    document = write_manifest(manifest, form, own=own, mado_codes=MadoCodes.TRIAL)
    entry = build_entry(
        content,
        document=document,
        sop_instance=_uid(2, 0),
        made_at=FIRST_DAY,
        centre=_CENTRE,
        form=form,
    )
    return build_submission(
        entry,
        document=document,
        submission_id=_uid(3, 0),
        submitted_at=FIRST_DAY,
        centre=_CENTRE,
    )


def _content(references: int) -> PointerContent:
    patient = ReportedPatient(
        ins=ins_of(0),
        birth_name="FICTIF",
        first_given_name="ANNE",
        given_names="ANNE",
        birth_date="19500101",
        sex="M",
    )
    return PointerContent(
        study=_uid(1, 0),
        ins=ins_of(0),
        patient=patient,
        local_id=Identifier(value="IPP000000000", authority="1.2.250.1.213.4.5.2.4"),
        study_date="20260101",
        study_time="080000",
        study_description="Scanner du thorax sans injection",
        study_id="E0",
        referring_physician="ESSAI^ELODIE",
        accessions=(Identifier(value="A00000000000", authority=_ACCESSIONS),),
        orders=(),
        series=tuple(_series(references)),
        acts=(Code(code="24627-2", scheme="2.16.840.1.113883.6.1", display="CT thorax"),),
        regions=(
            Code(
                code="67734004",
                scheme="2.16.840.1.113883.6.96",
                display="segment thoracique du tronc",
            ),
        ),
        visibility=frozenset(),
        started_at=FIRST_DAY,
        ended_at=FIRST_DAY,
        report_id="2.25.8",
        author=Person(number="810999000002", family="TESTEUR", given="ANNE"),
        legal_authenticator=Person(number="810999000002", family="TESTEUR", given="ANNE"),
        organisation=Organisation(number="1990000127", name=_CENTRE.organisation_name),
        facility=Code(code="SA05", scheme="1.2.250.1.71.4.2.4", display="Centre de santé"),
        practice_setting=Code(
            code="AMBULATOIRE", scheme="1.2.250.1.213.1.1.4.9", display="Ambulatoire"
        ),
    )


def _series(references: int) -> Iterator[ListedSeries]:
    for number, first in enumerate(range(0, references, 100), start=1):
        series = Uid(f"{_uid(1, 0)}.{number}")
        yield ListedSeries(
            series=series,
            modality="CT",
            number=str(number),
            description="Axial",
            instances=tuple(
                ListedInstance(
                    instance=Uid(f"{series}.{one}"), sop_class=_CT, number=str(one), frames=1
                )
                for one in range(1, min(100, references - first) + 1)
            ),
        )
