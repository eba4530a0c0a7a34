"""The manifest of a real publication, as a viewer gets it from the index, judged by others."""

import io
from pathlib import Path
from urllib.parse import urlsplit

import highdicom
import pydicom
import pytest

from tests.interop import dcmtk
from tests.interop.dicom3tools import errors_of
from tests.interop.instances import Instance
from tests.interop.studies import Study, a_study, document_of, published
from tests.interop.wire import AS_STORED, asked, segment, told
from tests.support.programs import Gateway, Index


@pytest.fixture(scope="module", params=["CT", "MR", "CR", "US", "MG"])
def study(
    request: pytest.FixtureRequest, open_gateway: Gateway, tmp_path_factory: pytest.TempPathFactory
) -> Study:
    """A study that was pushed, reported and published."""
    made = a_study(tmp_path_factory.mktemp("published"), request.param)
    to = dcmtk.called(open_gateway.dicom)
    run = dcmtk.run("dcmsend", "--decompress-never", *to, *made.files)
    assert run.returncode == 0, run.stdout
    [answer] = told(open_gateway.mllp, made.report)
    assert segment(answer, "MSA")[1] == "AA"
    published(open_gateway, made)
    return made


@pytest.fixture
def manifest(study: Study, index: Index) -> bytes:
    _, document = document_of(study, index)
    return document


def test_dciodvfy_finds_no_error(manifest: bytes, tmp_path: Path) -> None:
    assert errors_of(manifest, tmp_path) == set()


def test_highdicom_resolves_every_reference_to_what_was_made(study: Study, manifest: bytes) -> None:
    ds = pydicom.dcmread(io.BytesIO(manifest))

    document = highdicom.ko.KeyObjectSelectionDocument.from_dataset(ds)

    referenced = [
        item.ReferencedSOPSequence[0].ReferencedSOPInstanceUID
        for item in document.ContentSequence
        if "ReferencedSOPSequence" in item
    ]
    made = {
        (study.uid, str(one.header.SeriesInstanceUID), one.sop_instance) for one in study.instances
    }
    assert {document.resolve_reference(one) for one in referenced} == made
    assert len(referenced) == len(made)


def test_what_the_manifest_lists_is_what_the_gateway_gives(
    study: Study, manifest: bytes, open_gateway: Gateway
) -> None:
    ds = pydicom.dcmread(io.BytesIO(manifest))
    [evidence] = ds.CurrentRequestedProcedureEvidenceSequence
    came: dict[str, str] = {}

    for series in evidence.ReferencedSeriesSequence:
        url = urlsplit(series.RetrieveURL)
        assert url.port == open_gateway.http
        parts = asked(open_gateway.http, url.path, accept=AS_STORED).parts
        instances = [Instance.of(content) for _kind, content in parts]
        listed = {one.ReferencedSOPInstanceUID for one in series.ReferencedSOPSequence}
        assert {one.sop_instance for one in instances} == listed
        came |= {one.sop_instance: one.digest for one in instances}

    assert came == study.digests
