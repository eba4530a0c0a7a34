"""The viewer OHIF, as it is published, opens a study of each modality in Chromium."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from playwright.sync_api import Page
from pydicom import dcmread

from tests.interop import dcmtk
from tests.interop.studies import a_study
from tests.support.browser import Heard, a_page
from tests.support.peers import shared_data
from tests.support.programs import Gateway, a_gateway
from tests.support.sites import Site, an_ohif, ohif_looks_at

IS_SHOWN = """() => {
    const canvas = document.querySelector("canvas.cornerstone-canvas");
    if (!canvas || !canvas.width || !canvas.height) return false;
    const context = canvas.getContext("2d");
    const pixels = context.getImageData(0, 0, canvas.width, canvas.height).data;
    const seen = new Set();
    for (let at = 0; at < pixels.length; at += 400) seen.add(pixels[at]);
    return seen.size > 16;
}"""
"""Whether the viewport holds a picture: more shades than an empty one or its frame has."""


@pytest.fixture(scope="module")
def ohif() -> Iterator[Site]:
    with an_ohif() as viewer:
        yield viewer


@pytest.fixture(scope="module")
def gateway(ohif: Site, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway that lets the viewer's pages ask it."""
    settings = {"GATEWAY_CORS_ORIGINS": f'["{ohif.origin}"]'}
    with a_gateway(tmp_path_factory.mktemp("gateway"), settings=settings) as running:
        ohif_looks_at(ohif, running.dicomweb)
        yield running


@pytest.fixture(scope="module")
def opened(gateway: Gateway) -> Iterator[tuple[Page, Heard]]:
    with a_page(gateway.url) as (page, heard):
        yield page, heard


@pytest.fixture
def shown(
    opened: tuple[Page, Heard], ohif: Site, gateway: Gateway
) -> Callable[[str, Sequence[Path]], list[str]]:
    """Sends files and has the viewer show their study; returns the addresses that it asked for."""
    page, heard = opened

    def show(study: str, files: Sequence[Path]) -> list[str]:
        run = dcmtk.run("dcmsend", *dcmtk.called(gateway.dicom), *files)
        assert run.returncode == 0, run.stdout
        heard.answered.clear()
        page.goto(f"{ohif.origin}/viewer?StudyInstanceUIDs={study}")
        page.wait_for_function(IS_SHOWN, polling=500)
        page.wait_for_load_state("networkidle")
        assert heard.failed == []
        return [response.url for response in heard.answered]

    return show


@pytest.mark.parametrize("modality", ["CT", "MR", "CR", "US", "MG", "NM", "XA"])
def test_a_study_of_each_modality_is_shown(
    shown: Callable[[str, Sequence[Path]], list[str]], modality: str, tmp_path: Path
) -> None:
    study = a_study(tmp_path, modality)

    asked = shown(study.uid, study.files)

    assert any("/frames/" in url for url in asked)
    assert any(url.endswith("/metadata") for url in asked)


@pytest.mark.parametrize(
    "name",
    [
        "xa-96-frames/jpeg8bit.dcm",
        "ctimage-16-syntaxes/CT1_J2KR",
        "pydicom-data/RG3_J2KI.dcm",
        "ctimage-16-syntaxes/no-pixel-spacing.dcm",
    ],
)
def test_a_published_file_is_shown(
    shown: Callable[[str, Sequence[Path]], list[str]], name: str
) -> None:
    file = shared_data() / "dicom" / name
    study = str(dcmread(file, stop_before_pixels=True).StudyInstanceUID)

    asked = shown(study, [file])

    assert any("/frames/" in url for url in asked)
