"""Our manifests, judged by what nobody here wrote: dicom3tools, highdicom and fhir.resources."""

import io
import json
from dataclasses import replace
from pathlib import Path

import highdicom
import pydicom
import pytest
from fhir.resources.R4B.bundle import Bundle

from gateway.manifest.model import MadoCodes, ManifestForm
from gateway.model.pointer import PointerContent
from gateway.model.report import ReportedPatient
from gateway.model.sop_classes import ADMISSIBLE
from indexer.contract.document import Identifier
from indexer.contract.identifiers import INS_NIA, Ins, Oid, Uid
from tests.interop.dicom3tools import OF_MADO, errors_of
from tests.support.manifests import (
    CONTENT,
    INS,
    PATIENT,
    SOP_INSTANCE,
    STUDY,
    a_manifest,
    a_series,
    composed,
    with_key_images,
    written,
)

NIA = Ins(value=INS.value, oid=Oid(INS_NIA))
LONG = "Œdème pulmonaire, contrôle après ponction, incidence de face et de profil, debout"

CONTENTS = {
    "usual": CONTENT,
    "bare": PointerContent(
        study=STUDY,
        ins=NIA,
        patient=ReportedPatient(ins=NIA),
        local_id=Identifier(value=""),
        accessions=(),
        orders=(),
        series=(a_series(1, modality=""),),
        acts=(),
        regions=(),
        visibility=frozenset(),
        started_at=None,
        ended_at=None,
        report_id="1.2",
        author=CONTENT.author,
        legal_authenticator=None,
        organisation=CONTENT.organisation,
        facility=CONTENT.facility,
        practice_setting=CONTENT.practice_setting,
    ),
    "long and utf-8": replace(
        CONTENT,
        study_description=LONG,
        study_id="S" * 20,
        referring_physician=f"{LONG}^{LONG}",
        patient=replace(PATIENT, birth_name=LONG, used_names=(LONG, f"^{LONG}"), sex="U"),
        series=(replace(a_series(1), description=LONG * 20),),
    ),
    "malformed": replace(
        CONTENT,
        study_date="2026-01-15",
        study_time="25:00",
        study_description="A\\B\r\nC\x1b",
        referring_physician="A\\B=C=D=E^F^G^H^I^J^K",
        patient=replace(PATIENT, birth_date="19550000", birth_name="A^B\\C"),
        accessions=(Identifier(value="A" * 17),),
    ),
    "key images": with_key_images(CONTENT),
    "several orders": replace(
        CONTENT,
        accessions=tuple(Identifier(value=one, authority="1.2.3") for one in "AB"),
        orders=tuple(Identifier(value=one, authority="1.2.4") for one in "OPQ"),
    ),
    "every class": replace(
        CONTENT,
        series=tuple(
            a_series(number, instances=1, sop_class=Uid(sop_class))
            for number, sop_class in enumerate(sorted(ADMISSIBLE), start=1)
        ),
    ),
}


OF_TODAY = pytest.mark.parametrize("form", [ManifestForm.FRENCH, ManifestForm.XDS_I])
"""The key object documents that the standard has: what MADO adds to it is a change proposal."""


@pytest.fixture(params=CONTENTS)
def content(request: pytest.FixtureRequest) -> PointerContent:
    return CONTENTS[request.param]


@OF_TODAY
def test_dciodvfy_finds_no_error(
    content: PointerContent, form: ManifestForm, tmp_path: Path
) -> None:
    assert errors_of(a_manifest(content, form=form), tmp_path) == set()


@pytest.mark.parametrize("codes", MadoCodes)
def test_dciodvfy_objects_to_nothing_in_mado_but_what_the_change_proposal_adds(
    content: PointerContent, codes: MadoCodes, tmp_path: Path
) -> None:
    manifest = composed(content, form=ManifestForm.MADO)

    errors = errors_of(written(manifest, ManifestForm.MADO, mado_codes=codes), tmp_path)

    assert errors == OF_MADO


def test_fhir_resources_takes_the_bundle_and_every_reference_leads_somewhere(
    content: PointerContent,
) -> None:
    document = a_manifest(content, form=ManifestForm.MADO_FHIR)

    Bundle.model_validate_json(document)  # raises what it finds

    told = json.loads(document)
    names = [one["resource"]["resourceType"] for one in told["entry"]]
    assert names[0] == "Composition"
    assert {"ImagingStudy", "Patient", "Device", "Organization", "Endpoint"} <= set(names)
    assert told["identifier"]["value"] == f"urn:oid:{SOP_INSTANCE}"
    urls = {one["fullUrl"] for one in told["entry"]}
    assert references_in(told) <= urls
    assert len(urls) == len(names)


def references_in(element: object) -> set[str]:
    if isinstance(element, list):
        return {one for inner in element for one in references_in(inner)}
    if not isinstance(element, dict):
        return set()
    own = {element["reference"]} if "reference" in element else set()
    return own | {one for inner in element.values() for one in references_in(inner)}


@OF_TODAY
def test_highdicom_opens_it_and_resolves_every_reference(
    content: PointerContent, form: ManifestForm
) -> None:
    manifest = pydicom.dcmread(io.BytesIO(a_manifest(content, form=form)))

    document = highdicom.ko.KeyObjectSelectionDocument.from_dataset(manifest)

    listed = {
        (content.study, one.series, instance.instance)
        for one in content.series
        for instance in one.instances
    }
    referenced = [
        one.ReferencedSOPSequence[0].ReferencedSOPInstanceUID
        for one in document.ContentSequence
        if "ReferencedSOPSequence" in one
    ]
    assert {document.resolve_reference(one) for one in referenced} == listed
    assert len(referenced) == len(listed)
