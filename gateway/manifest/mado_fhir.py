"""Writes MADO manifests as FHIR document Bundles (IHE RAD MADO, FHIR 4.0.1).

A Composition for readers, an ImagingStudy with all series and instances, and what they refer to.
The Bundle goes by the same identifier as the key object document of the same study would.

What a key object selects is left out, and FHIR has no time without a date.
"""

import html
from collections.abc import Iterable
from typing import Final
from uuid import NAMESPACE_OID, uuid5

import orjson

from gateway.manifest.concepts import DCM, LOINC, fhir_system
from gateway.manifest.fhir_times import write_day, write_instant, write_moment
from gateway.manifest.model import (
    Manifest,
    ManifestInstance,
    ManifestSeries,
    Request,
    service_url,
)
from gateway.manifest.names import modality_name
from gateway.model.sop_classes import KEY_OBJECTS
from indexer.contract.document import Code, Identifier
from indexer.contract.identifiers import INS_NIA, INS_NIR, INS_NIR_DEMO, INS_NIR_TEST

Json = dict[str, object]

PROFILE: Final = "https://profiles.ihe.net/RAD/MADO/StructureDefinition"
DEVICE_TYPES: Final = "https://profiles.ihe.net/RAD/MADO/CodeSystem/MadoDeviceType"
DICOM_UID: Final = "urn:dicom:uid"
URI: Final = "urn:ietf:rfc:3986"
V2_TYPES: Final = "http://terminology.hl7.org/CodeSystem/v2-0203"
STRUCTURES: Final = "1.2.250.1.71.4.2.2"
CONNECTIONS: Final = "http://terminology.hl7.org/CodeSystem/endpoint-connection-type"
PAYLOADS: Final = "http://terminology.hl7.org/CodeSystem/endpoint-payload-type"
CATEGORIES: Final = (
    "http://hl7.eu/fhir/eu-health-data-api/CodeSystem/eehrxf-document-priority-category-cs"
)
ABSENT: Final = "http://hl7.org/fhir/StructureDefinition/data-absent-reason"
NO_ADDRESS: Final = "http://notspecified"
STUDY_ID: Final = "Study ID"

_GENDERS: Final = {"M": "male", "F": "female", "O": "other"}
_NATIONAL: Final = frozenset({INS_NIR, INS_NIA, INS_NIR_TEST, INS_NIR_DEMO})


def write_mado_fhir(manifest: Manifest) -> bytes:
    """The Bundle as JSON; the same manifest, the same bytes."""
    return orjson.dumps(_Writer(manifest).bundle())


class _Writer:
    """The Bundle of one manifest, whose resources refer to each other."""

    def __init__(self, manifest: Manifest) -> None:
        self._manifest = manifest
        places = [_place(manifest, one) for one in manifest.series]
        self._endpoints = {
            place: f"endpoint-{number}" for number, place in enumerate(dict.fromkeys(places), 1)
        }

    def bundle(self) -> Json:
        manifest = self._manifest
        resources = {
            "composition": self._composition(),
            "study": self._study(),
            "patient": _patient(manifest),
            "device": self._device(),
            "organization": _organization(manifest),
            **{name: _wado(*place) for place, name in self._endpoints.items()},
            **({"viewer": _viewer(manifest.display_uri)} if manifest.display_uri else {}),
            **{
                f"request-{number}": self._request(one)
                for number, one in enumerate(manifest.requests, start=1)
            },
        }
        return {
            "resourceType": "Bundle",
            "meta": {"profile": [f"{PROFILE}/MadoFhirBundle"]},
            "identifier": _own_identifier(manifest),
            "type": "document",
            "timestamp": write_instant(manifest.made_at),
            "entry": [
                {"fullUrl": self._url(name), "resource": resource}
                for name, resource in resources.items()
            ],
        }

    def _url(self, name: str) -> str:
        return f"urn:uuid:{uuid5(NAMESPACE_OID, f'{self._manifest.identifier}/{name}')}"

    def _to(self, name: str) -> Json:
        return {"reference": self._url(name)}

    def _composition(self) -> Json:
        manifest = self._manifest
        return {
            "resourceType": "Composition",
            "meta": {"profile": [f"{PROFILE}/MadoComposition"]},
            "text": _narrative(_told_of_the_study(manifest)),
            "identifier": _own_identifier(manifest),
            "status": "final",
            "type": concept(Code(code="18748-4", scheme=LOINC, display="Diagnostic imaging study")),
            "category": [
                concept(Code(code="Medical-Imaging", scheme=CATEGORIES, display="Medical Imaging"))
            ],
            "subject": self._to("patient"),
            "date": write_instant(manifest.made_at),
            "author": [self._to("device"), self._to("organization")],
            "title": manifest.description or f"Imaging study of {manifest.study_date}",
            "event": [{"detail": [self._to("study")]}],
            "section": [
                {
                    "title": f"Series {one.number or place}",
                    "text": _narrative(_told_of_a_series(one)),
                    "entry": [self._to(self._endpoints[_place(manifest, one)])],
                }
                for place, one in enumerate(manifest.series, start=1)
            ],
        }

    def _study(self) -> Json:
        manifest = self._manifest
        regions = [
            {
                "url": f"{PROFILE}/MadoAnatomicalRegionExtension",
                "valueCodeableConcept": concept(one),
            }
            for one in manifest.regions
        ]
        return _told(
            resourceType="ImagingStudy",
            meta={"profile": [f"{PROFILE}/MadoImagingStudy"]},
            extension=regions,
            identifier=_study_identifiers(manifest),
            status="available",
            modality=[_modality(one) for one in manifest.modalities],
            subject=self._to("patient"),
            started=write_moment(manifest.study_date, manifest.study_time, manifest.made_at),
            basedOn=self._based_on(),
            referrer=_told(display=manifest.referring_physician),
            endpoint=[self._to("viewer")] if manifest.display_uri else [],
            numberOfSeries=len(manifest.series),
            numberOfInstances=sum(len(one.instances) for one in manifest.series),
            procedureCode=[concept(one) for one in manifest.acts],
            description=manifest.description,
            series=[self._series(one) for one in manifest.series],
        )

    def _based_on(self) -> list[Json]:
        """The orders; the profile has the accession number beside the reference, but for one."""
        requests = self._manifest.requests
        references = [self._to(f"request-{number}") for number, _ in enumerate(requests, start=1)]
        if len(requests) == 1 and requests[0].accession.value:
            references[0]["identifier"] = _accession(requests[0].accession)
        return references

    def _series(self, one: ManifestSeries) -> Json:
        return _told(
            uid=one.series,
            number=int(one.number) if one.number.isdigit() else None,
            # FHIR wants one: that there is none has to be said.
            modality=_modality(one.modality) if one.modality else _unknown(),
            description=one.description,
            numberOfInstances=len(one.instances),
            endpoint=[self._to(self._endpoints[_place(self._manifest, one)])],
            bodySite=None if one.region is None else coding(one.region),
            started=write_moment(one.date, one.time, self._manifest.made_at),
            instance=[_instance(each) for each in one.instances],
        )

    def _device(self) -> Json:
        return _told(
            resourceType="Device",
            meta={"profile": [f"{PROFILE}/MadoCreator"]},
            manufacturer=self._manifest.manufacturer,
            type=concept(Code(code="mado-creator", scheme=DEVICE_TYPES, display="MADO Creator")),
            owner=self._to("organization"),
        )

    def _request(self, told: Request) -> Json:
        identifiers = [_accession(told.accession)] if told.accession.value else []
        if told.order.value:
            placer = {"coding": [{"system": V2_TYPES, "code": "PLAC"}]}
            identifiers.append({"type": placer, **_identifier(told.order)})
        return {
            "resourceType": "ServiceRequest",
            "meta": {"profile": [f"{PROFILE}/MadoRequestedProcedure"]},
            "identifier": identifiers,
            "status": "completed",
            "intent": "order",
            "subject": self._to("patient"),
        }


def concept(code: Code) -> Json:
    """A CodeableConcept of one coding."""
    return {"coding": [coding(code)]}


def coding(code: Code) -> Json:
    """A Coding."""
    return _told(system=fhir_system(code.scheme), code=code.code, display=code.display)


def _told(**values: object) -> Json:
    """The values that tell something: FHIR has no empty ones (FHIR 4.0.1 §2.6.2)."""
    return {key: value for key, value in values.items() if value not in (None, "", [], {})}


def _modality(code: str) -> Json:
    return coding(Code(code=code, scheme=DCM, display=modality_name(code)))


def _identifier(told: Identifier) -> Json:
    return _told(system=fhir_system(told.authority) if told.authority else "", value=told.value)


def _own_identifier(manifest: Manifest) -> Json:
    return {"system": URI, "value": f"urn:oid:{manifest.identifier}"}


def _accession(told: Identifier) -> Json:
    codings = [{"system": V2_TYPES, "code": "ACSN"}]
    codings.append({"system": fhir_system(DCM), "code": "121022"})
    return {"type": {"coding": codings}, **_identifier(told)}


def _study_identifiers(manifest: Manifest) -> list[Json]:
    study = concept(Code(code="110180", scheme=DCM, display="Study Instance UID"))
    told: list[Json] = [{"type": study, "system": DICOM_UID, "value": f"urn:oid:{manifest.study}"}]
    if manifest.study_id:
        told.append({"type": {"text": STUDY_ID}, "value": manifest.study_id})
    return told


def _instance(one: ManifestInstance) -> Json:
    told = one.selection
    extensions: list[Json] = []
    if one.frames is not None:
        extensions.append({"url": f"{PROFILE}/MadoNumberOfFrames", "valueInteger": one.frames})
    if told is not None and told.title is not None:
        url = f"{PROFILE}/MadoKeyObjectDocumentTitle"
        extensions.append({"url": url, "valueCodeableConcept": concept(told.title)})
    return _told(
        extension=extensions,
        uid=one.instance,
        sopClass={"system": URI, "code": f"urn:oid:{one.sop_class}"},
        number=int(one.number) if one.number.isdigit() else None,
        title=told.text if told is not None and one.sop_class == KEY_OBJECTS else "",
    )


def _patient(manifest: Manifest) -> Json:
    patient = manifest.patient
    names = [("official", patient.name), *(("usual", one) for one in patient.other_names)]
    return _told(
        resourceType="Patient",
        meta={"profile": [f"{PROFILE}/MadoPatient"]},
        identifier=[_patient_id(one) for one in patient.ids],
        name=[{"use": use, **_name(one)} for use, one in names if one],
        gender=_GENDERS.get(patient.sex, ""),
        birthDate=write_day(patient.birth_date),
    )


def _patient_id(told: Identifier) -> Json:
    code = "NI" if told.authority in _NATIONAL else "PI"
    return {"type": {"coding": [{"system": V2_TYPES, "code": code}]}, **_identifier(told)}


def _name(person_name: str) -> Json:
    family, _, given = person_name.partition("^")
    return _told(family=family, given=[given] if given else [])


def _organization(manifest: Manifest) -> Json:
    told = manifest.organisation
    number = Identifier(value=told.number, authority=STRUCTURES)
    return _told(
        resourceType="Organization",
        meta={"profile": [f"{PROFILE}/MadoCreatorOrganization"]},
        identifier=[_identifier(number)] if told.number else [],
        name=told.name,
    )


def _place(manifest: Manifest, one: ManifestSeries) -> tuple[str, str]:
    """The service that holds a series: its address and its location UID."""
    return service_url(one.retrieve_url, manifest.study, one.series), one.location_uid


def _wado(address: str, location_uid: str) -> Json:
    url = f"{PROFILE}/MadoRetrieveLocationUIDExtension"
    return _told(
        resourceType="Endpoint",
        meta={"profile": [f"{PROFILE}/MadoWadoEndpoint"]},
        extension=[{"url": url, "valueString": location_uid}] if location_uid else [],
        status="active",
        connectionType={"system": CONNECTIONS, "code": "dicom-wado-rs"},
        payloadType=[{"coding": [{"system": PAYLOADS, "code": "none"}], "text": "DICOM WADO-RS"}],
        address=address or NO_ADDRESS,
        _address=None if address else _unknown(),
    )


def _unknown() -> Json:
    return {"extension": [{"url": ABSENT, "valueCode": "unknown"}]}


def _viewer(address: str) -> Json:
    return {
        "resourceType": "Endpoint",
        "meta": {"profile": [f"{PROFILE}/MadoWebViewerEndpoint"]},
        "status": "active",
        "connectionType": {"system": CONNECTIONS, "code": "ihe-iid"},
        "payloadType": [{"coding": [{"system": PAYLOADS, "code": "none"}]}],
        "payloadMimeType": ["text/html"],
        "address": address,
    }


def _narrative(rows: Iterable[tuple[str, str]]) -> Json:
    """A table for whoever reads the document without a viewer (FHIR 4.0.1 §2.4.0)."""
    cells = "".join(
        f"<tr><th>{html.escape(name)}</th><td>{html.escape(text)}</td></tr>"
        for name, text in rows
        if text
    )
    div = f'<div xmlns="http://www.w3.org/1999/xhtml"><table>{cells}</table></div>'
    return {"status": "generated", "div": div}


def _told_of_the_study(manifest: Manifest) -> Iterable[tuple[str, str]]:
    yield "Study", manifest.study
    yield "Patient", manifest.patient.name.replace("^", " ")
    yield "Author", manifest.organisation.name
    yield "Date", write_day(manifest.study_date)
    yield "Manifest of", write_instant(manifest.made_at)
    yield "Type", "Diagnostic imaging study"
    yield "Category", "Medical Imaging"
    yield "Description", manifest.description
    yield "Modalities", ", ".join(modality_name(one) for one in manifest.modalities)
    yield "Regions", ", ".join(one.display for one in manifest.regions)
    accessions = (one.accession.value for one in manifest.requests)
    yield "Accession numbers", ", ".join(dict.fromkeys(one for one in accessions if one))
    yield "Series", str(len(manifest.series))


def _told_of_a_series(one: ManifestSeries) -> Iterable[tuple[str, str]]:
    yield "Series", one.series
    yield "Modality", modality_name(one.modality)
    yield "Description", one.description
    yield "Instances", str(len(one.instances))
