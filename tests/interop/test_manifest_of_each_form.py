"""A study published in each form of its manifest, found and fetched by way of it."""

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from fhir.resources.R4B.bundle import Bundle

from gateway.manifest.model import ManifestForm
from gateway.manifest.reader import read_manifest
from tests.interop import dcmtk
from tests.interop.dicom3tools import OF_MADO, errors_of
from tests.interop.instances import Instance
from tests.interop.studies import Study, a_study, document_of, published
from tests.interop.wire import AS_STORED, asked, segment, told
from tests.support.programs import Gateway, Index, a_gateway

IHE = [ManifestForm.XDS_I, ManifestForm.MADO, ManifestForm.MADO_FHIR]


@pytest.fixture(scope="module", params=IHE)
def form(request: pytest.FixtureRequest) -> ManifestForm:
    assert isinstance(request.param, ManifestForm)
    return request.param


@pytest.fixture(scope="module")
def gateway(
    form: ManifestForm, index: Index, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Gateway]:
    """A gateway that publishes in this form."""
    settings = {
        "GATEWAY_INDEX_URL": index.url,
        "GATEWAY_STUDY_SETTLE_S": "0.2",
        "GATEWAY_MANIFEST": form.value,
    }
    with a_gateway(tmp_path_factory.mktemp("gateway"), settings=settings) as running:
        yield running


@pytest.fixture(scope="module")
def study(form: ManifestForm, gateway: Gateway, tmp_path_factory: pytest.TempPathFactory) -> Study:
    """A study that was pushed and reported."""
    made = a_study(tmp_path_factory.mktemp("study"), "MR")
    to = dcmtk.called(gateway.dicom)
    run = dcmtk.run("dcmsend", "--decompress-never", *to, *made.files)
    assert run.returncode == 0, run.stdout
    [answer] = told(gateway.mllp, made.report)
    assert segment(answer, "MSA")[1] == "AA"
    return made


def test_a_viewer_finds_the_study_and_fetches_all_of_it(study: Study, gateway: Gateway) -> None:
    pointer = published(gateway, study)

    assert pointer["modalities"] == ["MR"]
    came: dict[str, str] = {}
    for url in pointer["retrieve_urls"]:
        parts = asked(gateway.http, urlsplit(url).path, accept=AS_STORED).parts
        instances = [Instance.of(content) for _kind, content in parts]
        came |= {one.sop_instance: one.digest for one in instances}
    assert came == study.digests


def test_the_document_in_the_index_is_what_its_format_says(
    form: ManifestForm, study: Study, gateway: Gateway, index: Index, tmp_path: Path
) -> None:
    published(gateway, study)

    content, document = document_of(study, index)

    kind = content["attachment"]["contentType"]
    assert read_manifest(document).study == study.uid
    if form is ManifestForm.MADO_FHIR:
        assert content["format"]["code"] == "urn:ihe:rad:MADO:fhir-manifest:2026"
        Bundle.model_validate_json(document)  # raises what it finds
        return
    assert (kind, content["format"]["code"]) == (
        "application/dicom",
        "1.2.840.10008.5.1.4.1.1.88.59",
    )
    assert errors_of(document, tmp_path) == (OF_MADO if form is ManifestForm.MADO else set())
