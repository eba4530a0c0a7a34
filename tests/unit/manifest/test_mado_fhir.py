"""MADO's FHIR Bundle, and Bundles as others write them."""

import json
from dataclasses import replace
from typing import Any

import pytest

from gateway.errors import InvalidRequest
from gateway.manifest import fhir_reader, limits
from gateway.manifest.model import Manifest, ManifestForm
from gateway.manifest.reader import read_manifest
from gateway.model.pointer import PointerContent
from indexer.contract.document import Code, Identifier
from tests.support.manifests import (
    CONTENT,
    INS,
    LOCATION,
    SOP_INSTANCE,
    STUDY,
    composed,
    with_key_images,
    written,
)

BUNDLE = composed(with_key_images(CONTENT), form=ManifestForm.MADO_FHIR)
PROFILE = "https://profiles.ihe.net/RAD/MADO/StructureDefinition"


def bundle(manifest: Manifest = BUNDLE) -> dict[str, Any]:
    told = json.loads(written(manifest, ManifestForm.MADO_FHIR))
    assert isinstance(told, dict)
    return told


def of(content: PointerContent) -> dict[str, Any]:
    return bundle(composed(content, form=ManifestForm.MADO_FHIR))


def resources(told: dict[str, Any], name: str) -> list[dict[str, Any]]:
    entries = (one["resource"] for one in told["entry"])
    return [one for one in entries if one["resourceType"] == name]


def sole(told: dict[str, Any], name: str) -> dict[str, Any]:
    [found] = resources(told, name)
    return found


def read(told: dict[str, Any]) -> Manifest:
    return read_manifest(json.dumps(told).encode())


def test_it_is_a_document_that_begins_with_its_composition() -> None:
    told = bundle()

    assert (told["resourceType"], told["type"]) == ("Bundle", "document")
    assert told["timestamp"] == "2026-07-01T13:30:15+01:00"
    assert [one["resource"]["resourceType"] for one in told["entry"]] == [
        "Composition",
        "ImagingStudy",
        "Patient",
        "Device",
        "Organization",
        "Endpoint",
        "ServiceRequest",
    ]


def test_it_goes_by_the_identifier_of_the_key_object_document() -> None:
    told = bundle()

    identifier = {"system": "urn:ietf:rfc:3986", "value": f"urn:oid:{SOP_INSTANCE}"}
    assert told["identifier"] == sole(told, "Composition")["identifier"] == identifier


def test_the_study_goes_by_its_uid_and_counts_its_series_and_instances() -> None:
    study = sole(bundle(), "ImagingStudy")

    [uid, other] = study["identifier"]
    assert (uid["system"], uid["value"]) == ("urn:dicom:uid", f"urn:oid:{STUDY}")
    assert uid["type"]["coding"][0]["code"] == "110180"
    assert other == {"type": {"text": "Study ID"}, "value": "E12"}
    assert (study["numberOfSeries"], study["numberOfInstances"]) == (2, 3)
    assert study["started"] == "2026-01-15T10:11:12.5+01:00"
    assert [one["code"] for one in study["modality"]] == ["CT"]


def test_a_key_object_has_its_title_and_its_text() -> None:
    [instance] = sole(bundle(), "ImagingStudy")["series"][1]["instance"]

    [frames, title] = instance["extension"]
    assert instance["title"] == "Lésion suspecte"
    assert frames == {"url": f"{PROFILE}/MadoNumberOfFrames", "valueInteger": 1}
    assert title["url"] == f"{PROFILE}/MadoKeyObjectDocumentTitle"
    assert title["valueCodeableConcept"]["coding"][0]["code"] == "113000"


def test_the_endpoint_is_the_service_with_its_location_uid() -> None:
    endpoint = sole(bundle(), "Endpoint")

    assert endpoint["address"] == "https://gateway.example/box/dicom-web"
    assert endpoint["connectionType"]["code"] == "dicom-wado-rs"
    assert endpoint["extension"] == [
        {"url": f"{PROFILE}/MadoRetrieveLocationUIDExtension", "valueString": LOCATION}
    ]


def test_a_place_without_an_address_says_so() -> None:
    series = tuple(replace(one, retrieve_url="") for one in BUNDLE.series)

    endpoint = sole(bundle(replace(BUNDLE, series=series)), "Endpoint")

    assert endpoint["address"] == "http://notspecified"
    assert endpoint["_address"]["extension"][0]["valueCode"] == "unknown"


def test_the_patient_has_the_national_and_the_local_id() -> None:
    national, local = sole(bundle(), "Patient")["identifier"]

    assert (national["system"], national["value"]) == (f"urn:oid:{INS.oid}", INS.value)
    assert national["type"]["coding"][0]["code"] == "NI"
    assert (local["value"], local["type"]["coding"][0]["code"]) == ("LOC900", "PI")


def test_each_request_has_its_accession_number_and_its_order() -> None:
    told = bundle()

    accession, placer = sole(told, "ServiceRequest")["identifier"]
    assert {one["code"] for one in accession["type"]["coding"]} == {"ACSN", "121022"}
    assert (accession["system"], accession["value"]) == ("urn:oid:1.2.250.1.999.3", "ACN9001")
    assert placer["type"]["coding"][0]["code"] == "PLAC"
    [based_on] = sole(told, "ImagingStudy")["basedOn"]
    assert based_on["identifier"] == accession


def test_several_requests_are_referred_to_without_a_number() -> None:
    several = tuple(Identifier(value=one, authority="1.2.3") for one in "AB")

    told = of(replace(CONTENT, accessions=several))

    assert len(resources(told, "ServiceRequest")) == 2
    assert all("identifier" not in one for one in sole(told, "ImagingStudy")["basedOn"])


def test_a_text_of_others_cannot_end_the_narrative() -> None:
    told = of(replace(CONTENT, study_description="<script>alert('&')</script>"))

    for text in (
        sole(told, "Composition")["text"],
        sole(told, "Composition")["section"][0]["text"],
    ):
        assert "<script>" not in text["div"]
    assert "&lt;script&gt;" in sole(told, "Composition")["text"]["div"]


@pytest.mark.parametrize(
    "time, started",
    [
        ("", "2026-01-15"),
        ("10", "2026-01-15T10:00:00+01:00"),
        ("101112.5", "2026-01-15T10:11:12.5+01:00"),
    ],
)
def test_a_time_is_told_to_the_second(time: str, started: str) -> None:
    told = of(replace(CONTENT, study_time=time))

    assert sole(told, "ImagingStudy")["started"] == started


def of_ihe(told: dict[str, Any]) -> dict[str, Any]:
    """The Bundle as IHE's samples are: named after its resources, by an identifier of its own."""
    text = json.dumps(told)
    for number, entry in enumerate(told["entry"]):
        text = text.replace(entry["fullUrl"], f"urn:{entry['resource']['resourceType']}/{number}")
    text = text.replace(
        "urn:ietf:rfc:3986", "http://dicom.nema.org/resources/CodeSystem/DICOM_UIDs"
    )
    changed: dict[str, Any] = json.loads(text)
    changed["identifier"] = {"system": "http://example.org/ids", "value": "bundle-7"}
    return changed


def test_a_bundle_in_the_way_of_ihes_samples_is_read() -> None:
    meant = read(bundle())

    assert read(of_ihe(bundle())) == replace(meant, identifier="bundle-7")


def test_a_procedure_that_is_only_a_text_is_read() -> None:
    told = bundle()
    sole(told, "ImagingStudy")["procedureCode"] = [{"text": "Head CT"}]

    assert read(told).acts == (Code(code="", scheme="", display="Head CT"),)


def test_an_order_that_is_not_in_the_bundle_is_known_by_the_reference() -> None:
    told = bundle()
    told["entry"] = told["entry"][:-1]

    [request] = read(told).requests

    assert request.accession == BUNDLE.requests[0].accession


def without_study(told: dict[str, Any]) -> None:
    told["entry"] = [one for one in told["entry"] if one["resource"] != sole(told, "ImagingStudy")]


def with_two_studies(told: dict[str, Any]) -> None:
    told["entry"] += [{"resource": sole(told, "ImagingStudy")}]


def without_instances(told: dict[str, Any]) -> None:
    del sole(told, "ImagingStudy")["series"]


def without_uid(told: dict[str, Any]) -> None:
    sole(told, "ImagingStudy")["identifier"] = []


def of_another_type(told: dict[str, Any]) -> None:
    told["resourceType"] = "Patient"


@pytest.mark.parametrize(
    "change, reason",
    [
        (without_study, "describes no study"),
        (with_two_studies, "or several"),
        (without_instances, "lists no instance"),
        (without_uid, "not a UID"),
        (of_another_type, "not a Bundle"),
    ],
)
def test_what_is_no_manifest_is_refused_with_its_reason(change: Any, reason: str) -> None:
    told = bundle()
    change(told)

    with pytest.raises(InvalidRequest, match=reason):
        read(told)


@pytest.mark.parametrize("data", [b"{", b"{}", b'{"resourceType": "Bundle"}', b"{" * 100_000])
def test_json_that_is_no_bundle_is_refused(data: bytes) -> None:
    with pytest.raises(InvalidRequest):
        read_manifest(data)


def test_a_bundle_that_is_cut_off_is_refused() -> None:
    document = written(BUNDLE, ManifestForm.MADO_FHIR)

    for end in range(0, len(document), 97):
        with pytest.raises(InvalidRequest):
            read_manifest(document[:end])


def test_a_bundle_beyond_a_limit_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "INSTANCES_MAX", 2)
    with pytest.raises(InvalidRequest, match="more than 2 instances"):
        read(bundle())

    monkeypatch.setattr(fhir_reader, "ENTRIES_MAX", 2)
    with pytest.raises(InvalidRequest, match="more than 2 resources"):
        read(bundle())
