"""Our manifests, judged by programs that nobody here wrote: dicom3tools and highdicom."""

import io
import subprocess
from dataclasses import replace
from pathlib import Path

import highdicom
import pydicom
import pytest

from gateway.model.pointer import PointerContent
from gateway.model.report import ReportedPatient
from gateway.model.sop_classes import ADMISSIBLE
from indexer.contract.document import Identifier
from indexer.contract.identifiers import INS_NIA, Ins, Oid, Uid
from tests.support.manifests import CONTENT, INS, PATIENT, STUDY, a_manifest, a_series
from tests.support.peers import peer

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


@pytest.fixture(params=CONTENTS)
def content(request: pytest.FixtureRequest) -> PointerContent:
    return CONTENTS[request.param]


def test_dciodvfy_finds_no_error(content: PointerContent, tmp_path: Path) -> None:
    manifest = tmp_path / "manifest.dcm"
    manifest.write_bytes(a_manifest(content))

    told = subprocess.run([peer("dciodvfy"), manifest], capture_output=True, text=True, check=False)

    lines = (told.stdout + told.stderr).splitlines()
    assert "KeyObjectSelectionDocument" in lines
    assert [line for line in lines if line.startswith("Error")] == []


def test_highdicom_opens_it_and_resolves_every_reference(content: PointerContent) -> None:
    manifest = pydicom.dcmread(io.BytesIO(a_manifest(content)))

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
