"""What the index is told of a manifest (ITI TF-3 §4.2.3.2, with the codes of the CI-SIS)."""

import hashlib
from datetime import UTC, datetime
from typing import Final

from gateway.manifest import values
from gateway.manifest.centre import Centre
from gateway.manifest.forms import FORMATS
from gateway.manifest.model import ManifestForm
from gateway.manifest.names import modality_name
from gateway.model.pointer import PointerContent
from gateway.model.report import Visibility
from indexer.contract.document import (
    Code,
    DocumentEntry,
    Organisation,
    PatientTraits,
    ReferenceId,
    ReferenceKind,
    Submission,
)
from indexer.contract.identifiers import Oid, Uid

CLASS_CODE: Final = Code(code="31", scheme="1.2.250.1.213.1.1.4.1", display="Imagerie médicale")
TYPE_CODE: Final = Code(
    code="IMG-KOS",
    scheme="1.2.250.1.213.1.1.4.12",
    display="Reference d'objets d'un examen d'imagerie",
)
CONTENT_TYPE: Final = Code(code="04", scheme="1.2.250.1.213.2.2", display="Hospitalisation de jour")
NORMAL: Final = Code(code="N", scheme="2.16.840.1.113883.5.25", display="Normal")
MODALITY_SCHEME: Final = "1.2.840.10008.2.16.4"  # the code system; the value set's OID is another

_VISIBILITY_SCHEME = "1.2.250.1.213.1.1.4.13"
_VISIBILITY_NAMES: Final = {
    Visibility.HIDDEN_FROM_PROFESSIONALS: "Masqué aux professionnels de santé",
    Visibility.HIDDEN_FROM_PATIENT: "Non visible par le patient",
    Visibility.HIDDEN_FROM_GUARDIANS: "Non visible par les représentants légaux du patient",
}


def build_entry(
    content: PointerContent,
    *,
    document: bytes,
    sop_instance: Uid,
    made_at: datetime,
    centre: Centre,
    form: ManifestForm,
) -> DocumentEntry:
    """The index entry of the manifest `document`.

    Class and type are the French ones whatever its form, so that one search finds all manifests.
    The author is the report's, as is the structure in whose name they sign: the rights of the
    index are theirs. All times are in UTC and whole seconds, as XDS has no finer ones.

    Args:
        made_at: aware; the same that the manifest was built with.
    """
    patient = content.patient
    return DocumentEntry(
        unique_id=sop_instance,
        patient=content.ins,
        local_patient=content.local_id,
        traits=PatientTraits(
            birth_name=patient.birth_name,
            given_name=patient.first_given_name,
            birth_date=patient.birth_date,
            sex=values.sex(patient.sex).replace("O", "") or "U",
        ),
        class_code=CLASS_CODE,
        type_code=TYPE_CODE,
        format_code=FORMATS[form].code,
        mime_type=FORMATS[form].mime_type,
        confidentiality=_confidentiality(content),
        facility=content.facility,
        practice_setting=content.practice_setting,
        event_codes=_event_codes(content),
        reference_ids=_reference_ids(content),
        created_at=_utc(made_at),
        service_start=_service_start(content, centre),
        service_stop=None if content.ended_at is None else _utc(content.ended_at),
        language="fr-FR",
        title="Reference d'Objets d'un Examen d'Imagerie",
        comments="KOS",
        author=content.author,
        author_organisation=_organisation(content, centre),
        legal_authenticator=content.legal_authenticator,
        sha1=hashlib.sha1(document, usedforsecurity=False).hexdigest(),
        size_bytes=len(document),
    )


def build_submission(
    entry: DocumentEntry,
    *,
    document: bytes,
    submission_id: Uid,
    submitted_at: datetime,
    centre: Centre,
    replaces: str | None = None,
) -> Submission:
    """The submission set that carries one manifest.

    Args:
        submission_id: new for each submission set.
        submitted_at: aware.
        replaces: entry_id of the entry of the study's manifest before, if there is one.
    """
    return Submission(
        submission_id=submission_id,
        source_id=Oid(centre.location_uid),
        submitted_at=_utc(submitted_at),
        content_type=CONTENT_TYPE,
        entry=entry,
        document=document,
        replaces=replaces,
    )


def _confidentiality(content: PointerContent) -> tuple[Code, ...]:
    """Normal always, then whom it is hidden from."""
    hidden = (
        Code(code=one.value, scheme=_VISIBILITY_SCHEME, display=_VISIBILITY_NAMES[one])
        for one in sorted(content.visibility)
    )
    return NORMAL, *hidden


def _event_codes(content: PointerContent) -> tuple[Code, ...]:
    """Acts, regions and modalities, each once."""
    modalities = (
        Code(code=one, scheme=MODALITY_SCHEME, display=modality_name(one))
        for one in content.modalities
    )
    told = (*content.acts, *content.regions, *modalities)
    return tuple({(one.code, one.scheme): one for one in told}.values())


def _reference_ids(content: PointerContent) -> tuple[ReferenceId, ...]:
    """What else names the exam, of the three kinds that the DMP admits (JDV_J231).

    An order without its authority is left out: its CXi must have one (ITI TF-3 §4.2.3.1.7).
    """
    accessions = (
        ReferenceId(kind=ReferenceKind.ACCESSION, value=one.value, authority=one.authority)
        for one in content.accessions
    )
    orders = (
        ReferenceId(kind=ReferenceKind.ORDER, value=one.value, authority=one.authority)
        for one in content.orders
        if one.authority
    )
    study = ReferenceId(kind=ReferenceKind.STUDY, value=content.study)
    return *accessions, *orders, study


def _service_start(content: PointerContent, centre: Centre) -> datetime | None:
    """When the exam began: as the report tells, else as the images do."""
    if content.started_at is not None:
        return _utc(content.started_at)
    wall = values.wall_clock(content.study_date, content.study_time)
    try:
        return None if wall is None else _utc(wall.replace(tzinfo=centre.time_zone))
    except OverflowError:  # 00010101, a dummy date, has no UTC east of Greenwich
        return None


def _organisation(content: PointerContent, centre: Centre) -> Organisation:
    if content.organisation.number:
        return content.organisation
    return Organisation(number=centre.organisation_id, name=centre.organisation_name)


def _utc(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(microsecond=0)
