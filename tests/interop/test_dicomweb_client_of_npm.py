"""The `dicomweb-client` of npm, on which viewers are built, searches and fetches in Chromium."""

from base64 import b64decode
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Page
from pydicom import dcmread

from tests.interop import dcmtk
from tests.interop.instances import Instance
from tests.interop.studies import Study, a_study
from tests.support.browser import Heard, a_page
from tests.support.peers import script
from tests.support.programs import Gateway, a_gateway
from tests.support.sites import Site, a_site

JPEG, PNG = b"\xff\xd8\xff", b"\x89PNG"
PAGE = '<!doctype html><title>a viewer</title><script src="/dicomweb-client.js"></script>'
CALL = """async ([root, name, options]) => {
    const client = new DICOMwebClient.api.DICOMwebClient({url: root});
    const read = (bytes) => new Promise((resolve) => {
        const reader = new FileReader();
        reader.onload = () => resolve(reader.result.split(",")[1]);
        reader.readAsDataURL(new Blob([bytes]));
    });
    const came = await client[name](options);
    if (came instanceof ArrayBuffer) return [await read(came)];
    const several = Array.isArray(came) && came.length && came[0] instanceof ArrayBuffer;
    return several ? await Promise.all(came.map(read)) : came;
}"""
"""Calls a method of the client; bytes come back in base64."""


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with a_site(script("dicomweb-client") / "build", start="/") as served:
        served.pages["/"] = ("text/html", PAGE)
        yield served


@pytest.fixture(scope="module")
def gateway(site: Site, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    settings = {"GATEWAY_CORS_ORIGINS": f'["{site.origin}"]'}
    with a_gateway(tmp_path_factory.mktemp("gateway"), settings=settings) as running:
        yield running


@pytest.fixture(scope="module")
def study(gateway: Gateway, tmp_path_factory: pytest.TempPathFactory) -> Study:
    """A CT in Explicit VR Little Endian, whose files are given as they are."""
    made = a_study(tmp_path_factory.mktemp("made"), "CT")
    run = dcmtk.run("dcmsend", *dcmtk.called(gateway.dicom), *made.files)
    assert run.returncode == 0, run.stdout
    return made


@pytest.fixture(scope="module")
def opened(gateway: Gateway, site: Site, study: Study) -> Iterator[tuple[Page, Heard]]:
    with a_page(gateway.url) as (page, heard):
        page.goto(site.origin)
        yield page, heard


@pytest.fixture
def call(opened: tuple[Page, Heard], gateway: Gateway) -> Iterator[Any]:
    """Calls a method of the client in the page, and sees that no request failed."""
    page, heard = opened
    heard.failed.clear()
    yield lambda name, **options: page.evaluate(CALL, [gateway.dicomweb, name, options])
    assert heard.failed == []


def data(came: list[str]) -> list[bytes]:
    return [b64decode(one) for one in came]


def place(study: Study) -> dict[str, str]:
    """Where the first instance is."""
    first = study.instances[0]
    return {
        "studyInstanceUID": study.uid,
        "seriesInstanceUID": str(first.header.SeriesInstanceUID),
        "sopInstanceUID": first.sop_instance,
    }


def named(found: list[dict[str, Any]], tag: str) -> set[str]:
    return {one[tag]["Value"][0] for one in found}


def test_it_searches_at_every_level(call: Any, study: Study) -> None:
    studies = call("searchForStudies", queryParams={"StudyInstanceUID": study.uid})
    series = call("searchForSeries", studyInstanceUID=study.uid)
    instances = call("searchForInstances", studyInstanceUID=study.uid)

    made = {str(one.header.SeriesInstanceUID) for one in study.instances}
    assert named(studies, "0020000D") == {study.uid}
    assert named(series, "0020000E") == made
    assert named(instances, "00080018") == set(study.digests)


def test_it_fetches_metadata_at_every_level(call: Any, study: Study) -> None:
    where = place(study)
    [of_one] = call("retrieveInstanceMetadata", **where)
    instance = where.pop("sopInstanceUID")
    of_series = call("retrieveSeriesMetadata", **where)
    of_study = call("retrieveStudyMetadata", studyInstanceUID=study.uid)

    assert of_one["00080018"]["Value"] == [instance]
    assert named(of_series, "00080018") < named(of_study, "00080018") == set(study.digests)


def test_it_fetches_instances_as_they_were_sent(call: Any, study: Study) -> None:
    whole = data(call("retrieveStudy", studyInstanceUID=study.uid))
    [one] = data(call("retrieveInstance", **place(study)))

    came = [Instance.of(each) for each in whole]
    assert {each.sop_instance: each.digest for each in came} == study.digests
    assert one in whole


def test_it_fetches_frames(call: Any, study: Study) -> None:
    frames = data(call("retrieveInstanceFrames", **place(study), frameNumbers=[1]))

    assert frames == [dcmread(study.files[0]).PixelData]


def test_it_fetches_pictures(call: Any, study: Study) -> None:
    where = place(study)

    jpeg, png = ([{"mediaType": f"image/{kind}"}] for kind in ("jpeg", "png"))

    [picture] = data(call("retrieveInstanceRendered", **where, mediaTypes=jpeg))
    [lossless] = data(call("retrieveInstanceRendered", **where, mediaTypes=png))
    rendered = {"frameNumbers": [1], "mediaTypes": jpeg}
    [frame] = data(call("retrieveInstanceFramesRendered", **where, **rendered))

    assert picture.startswith(JPEG)
    assert lossless.startswith(PNG)
    assert frame == picture
