"""Writes manifests as Key Object Selection Documents (PS3.3 §A.35.4) of template TID 2010.

The French one is as the agency's samples write it: the patient by their INS, the order and the
frames of the instances in the evidence, key images beside the image, and a text that tells the
modality of each series. RetrieveAETitle, RetrieveLocationUID and ContentTemplateSequence, which
France does not ask for but IHE does, are added. That of IHE XDS-I.b keeps to the standard's
attributes. Neither has a place for regions, acts, or the date of a series.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from gateway.manifest import values
from gateway.manifest.concepts import KEY_OBJECT_DESCRIPTION, coded, standard
from gateway.manifest.description import write_description
from gateway.manifest.encoding import (
    EXPLICIT_UTF_8,
    IMPLICIT_LATIN_1,
    IMPLICIT_UTF_8,
    Encoding,
    Item,
    key_object_file,
)
from gateway.manifest.model import (
    Manifest,
    ManifestInstance,
    ManifestSeries,
    Request,
)
from indexer.contract.document import Identifier
from indexer.contract.identifiers import INS_NIA, INS_NIR, INS_NIR_DEMO, INS_NIR_TEST, Uid

SERIES_NUMBER: Final = "59"  # as in every sample; high enough to come after the images

_ISSUERS: Final = {
    INS_NIR: "ASIP-SANTE-INS-NIR",
    INS_NIR_TEST: "ASIP-SANTE-INS-NIR",
    INS_NIR_DEMO: "ASIP-SANTE-INS-NIR",
    INS_NIA: "ASIP-SANTE-INS-NIA",
}

_STORAGE = "1.2.840.10008.5.1.4.1.1."
_SUFFIXES_WITHOUT_PIXELS = (
    "4.2 11.1 11.2 11.3 11.4 11.5 66 66.1 66.2 66.3 66.4 66.5 67 68.1 68.2 88.59"
)
_WITHOUT_PIXELS: Final = frozenset(
    f"{_STORAGE}{suffix}" for suffix in _SUFFIXES_WITHOUT_PIXELS.split()
)
"""Admissible classes that the content tree names COMPOSITE: no image is shown for them. Of the
waveform classes none is admissible, so WAVEFORM is never written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnSeries:
    """What a key object document tells of itself, beside its UID."""

    series: Uid
    """New for each document; none of the series that it lists."""
    ae_title: str
    """From which its instances can be retrieved."""
    revision: int = 1
    """From 1, counts the manifests of the study."""


def write_french(manifest: Manifest, own: OwnSeries) -> bytes:
    """In Implicit VR, in Latin-1 as the samples, or in UTF-8 where a text does not fit it."""
    try:
        return key_object_file(_french(manifest, own, IMPLICIT_LATIN_1), IMPLICIT_LATIN_1)
    except UnicodeEncodeError:
        return key_object_file(_french(manifest, own, IMPLICIT_UTF_8), IMPLICIT_UTF_8)


def _french(manifest: Manifest, own: OwnSeries, encoding: Encoding) -> Item:
    place = manifest.patient.birth_place
    return {
        **header(manifest, own, encoding),
        # The national id alone, as in the samples.
        "OtherPatientIDsSequence": [_patient_id(one) for one in manifest.patient.ids[:1]],
        **({"PatientComments": place} if place else {}),
        **content(coded("113030", "DCM", "MANIFEST"), _tree(manifest)),
        "CurrentRequestedProcedureEvidenceSequence": [_french_evidence(manifest, own)],
    }


def write_xds_i(manifest: Manifest, own: OwnSeries) -> bytes:
    """In Explicit VR and UTF-8. The text is in it, too: nothing else tells modalities."""
    document = {
        **header(manifest, own, EXPLICIT_UTF_8),
        **sole_accession(manifest, EXPLICIT_UTF_8),
        **content(standard("113030"), _tree(manifest)),
        "CurrentRequestedProcedureEvidenceSequence": [
            {
                "StudyInstanceUID": manifest.study,
                "ReferencedSeriesSequence": [
                    {
                        **_place(one, own),
                        "RetrieveURL": one.retrieve_url,
                        "ReferencedSOPSequence": [reference(each) for each in one.instances],
                    }
                    for one in manifest.series
                ],
            }
        ],
    }
    return key_object_file(document, EXPLICIT_UTF_8)


def header(manifest: Manifest, own: OwnSeries, encoding: Encoding) -> Item:
    """All but the content tree and the evidence."""
    codec = encoding.codec
    return {
        **_patient(manifest, codec),
        **_study(manifest, codec),
        **_document(manifest, own, codec),
        **_requests(manifest, codec),
    }


def _patient(manifest: Manifest, codec: str) -> Item:
    patient = manifest.patient
    others = [values.person_name(one, codec) for one in patient.other_names]
    ids = [_patient_id(one) for one in patient.ids]
    return {
        "PatientID": "",
        **(qualified_id(patient.ids[0]) if patient.ids else {}),
        "PatientName": values.person_name(patient.name, codec),
        "PatientBirthDate": patient.birth_date,
        "PatientSex": patient.sex,
        **({"OtherPatientNames": others} if others else {}),
        **({"OtherPatientIDsSequence": ids} if ids else {}),
    }


def _patient_id(told: Identifier) -> Item:
    return {**qualified_id(told), "TypeOfPatientID": "TEXT"}


def qualified_id(told: Identifier) -> Item:
    """A patient id with who gave it."""
    item: dict[str, object] = {
        "PatientID": values.identifier(told.value, "utf-8", length_max=values.LONG_LENGTH_MAX)
    }
    if told.authority:
        item["IssuerOfPatientIDQualifiersSequence"] = [authority(told.authority)]
    if told.authority in _ISSUERS:
        item["IssuerOfPatientID"] = _ISSUERS[told.authority]
    return item


def _study(manifest: Manifest, codec: str) -> Item:
    """The study, as the images tell it."""
    short = values.SHORT_LENGTH_MAX
    return {
        "StudyInstanceUID": manifest.study,
        "StudyDate": manifest.study_date,
        "StudyTime": manifest.study_time,
        "StudyDescription": values.long_string(manifest.description, codec),
        "StudyID": values.identifier(manifest.study_id, codec, length_max=short),
        "ReferringPhysicianName": values.person_name(manifest.referring_physician, codec),
        # Empty as in the samples: the accessions are in the request items, however many there are.
        "AccessionNumber": "",
    }


def _document(manifest: Manifest, own: OwnSeries, codec: str) -> Item:
    """The series and the document that are made now."""
    made_at = manifest.made_at
    date, time = (made_at.strftime("%Y%m%d"), made_at.strftime("%H%M%S")) if made_at else ("", "")
    organisation = manifest.organisation
    return {
        "SOPInstanceUID": manifest.identifier,
        "SeriesInstanceUID": own.series,
        "SeriesNumber": SERIES_NUMBER,
        "InstanceNumber": str(own.revision),
        "InstanceCreationDate": date,
        "InstanceCreationTime": time,
        "SeriesDate": date,
        "SeriesTime": time,
        "ContentDate": date,
        "ContentTime": time,
        "TimezoneOffsetFromUTC": made_at.strftime("%z") if made_at else "",
        "Modality": "KO",
        "Manufacturer": values.long_string(manifest.manufacturer, codec),
        "InstitutionName": values.institution(organisation.name, organisation.number, codec),
        "ReferencedPerformedProcedureStepSequence": [],
    }


def _requests(manifest: Manifest, codec: str) -> Item:
    items = [_request(manifest.study, one, codec) for one in manifest.requests]
    return {"ReferencedRequestSequence": items} if items else {}


def _request(study: Uid, told: Request, codec: str) -> Item:
    """One item of the Referenced Request Sequence (PS3.3 §C.17.2.1)."""
    order = values.identifier(told.order.value, codec, length_max=values.LONG_LENGTH_MAX)
    item: dict[str, object] = {
        "StudyInstanceUID": study,
        "ReferencedStudySequence": [],
        **_accession(told.accession, codec),
        "PlacerOrderNumberImagingServiceRequest": order,
        "FillerOrderNumberImagingServiceRequest": "",
        "RequestedProcedureID": "",
        "RequestedProcedureDescription": "",
        "RequestedProcedureCodeSequence": [],
    }
    if told.order.authority:
        item["OrderPlacerIdentifierSequence"] = [authority(told.order.authority)]
    return item


def _accession(told: Identifier, codec: str) -> Item:
    value = values.identifier(told.value, codec, length_max=values.SHORT_LENGTH_MAX)
    issuer = {"IssuerOfAccessionNumberSequence": [authority(told.authority)]}
    return {"AccessionNumber": value, **(issuer if told.authority else {})}


def sole_accession(manifest: Manifest, encoding: Encoding) -> Item:
    """The accession number at the root, if there is only one: IHE's manifests repeat it there."""
    told = {one.accession for one in manifest.requests if one.accession.value}
    return _accession(told.pop(), encoding.codec) if len(told) == 1 else {}


def authority(oid: str) -> Item:
    """A Hierarchic Designator by its OID (PS3.3 §10.17)."""
    return {"UniversalEntityID": oid, "UniversalEntityIDType": "ISO"}


def content(title: Item, items: list[Item]) -> Item:
    """The root of the SR tree (PS3.3 §C.17.3)."""
    return {
        "ValueType": "CONTAINER",
        "ConceptNameCodeSequence": [title],
        "ContinuityOfContent": "SEPARATE",
        "ContentTemplateSequence": [{"MappingResource": "DCMR", "TemplateIdentifier": "2010"}],
        "ContentSequence": items,
    }


def _tree(manifest: Manifest) -> list[Item]:
    """Each instance, and the text last."""
    text: Item = {
        "RelationshipType": "CONTAINS",
        "ValueType": "TEXT",
        "ConceptNameCodeSequence": [standard(KEY_OBJECT_DESCRIPTION)],
        "TextValue": write_description(manifest),
    }
    return [*references(manifest.series), text]


def references(series: Iterable[ManifestSeries]) -> list[Item]:
    """An item of the tree for each instance."""
    return [contained(one) for listed in series for one in listed.instances]


def contained(one: ManifestInstance) -> dict[str, object]:
    """The item of the tree that points at an instance."""
    return {
        "RelationshipType": "CONTAINS",
        "ValueType": "COMPOSITE" if one.sop_class in _WITHOUT_PIXELS else "IMAGE",
        "ReferencedSOPSequence": [reference(one)],
    }


def reference(one: ManifestInstance) -> dict[str, object]:
    """An instance by its class and UID (PS3.3 §10.8)."""
    return {"ReferencedSOPClassUID": one.sop_class, "ReferencedSOPInstanceUID": one.instance}


def _place(listed: ManifestSeries, own: OwnSeries) -> Item:
    """Where a series can be had (PS3.3 §C.17.2.1)."""
    return {
        "SeriesInstanceUID": listed.series,
        "RetrieveAETitle": own.ae_title,
        "RetrieveLocationUID": listed.location_uid,
    }


def _french_evidence(manifest: Manifest, own: OwnSeries) -> Item:
    selected = _selected(manifest)
    return {
        "StudyInstanceUID": manifest.study,
        "ReferencedSeriesSequence": [
            {
                **_place(one, own),
                "RetrieveURL": one.retrieve_url,
                **({"SeriesNumber": one.number} if one.number else {}),
                "ReferencedSOPSequence": [
                    _french_instance(each, selected.get(each.instance)) for each in one.instances
                ],
            }
            for one in manifest.series
        ],
    }


def _french_instance(one: ManifestInstance, selected: list[Item] | None) -> Item:
    """Number and frames are French additions: a viewer orders the images by them."""
    item = reference(one)
    if one.number:
        item["InstanceNumber"] = one.number
    if one.frames is not None:
        item["NumberOfFrames"] = str(one.frames)
    if selected:
        item["ReferencedSOPSequence"] = selected
    return item


def _selected(manifest: Manifest) -> dict[Uid, list[Item]]:
    """By key image, the key object documents that select it, as in the agency's sample `KIN`."""
    found: dict[Uid, list[Item]] = defaultdict(list)
    for listed in manifest.series:
        for one in listed.instances:
            if (told := one.selection) is None:
                continue
            item: dict[str, object] = {
                **reference(one),
                "SeriesInstanceUID": listed.series,
            }
            if told.title is not None:
                title = coded(told.title.code, "DCM", told.title.display)
                item["ConceptNameCodeSequence"] = [title]
            if told.text:
                item["ContentSequence"] = [{"TextValue": told.text}]
            for image in told.instances:
                found[image].append(item)
    return found
