"""Every manifest that others wrote and published, and what damage does to it."""

import random
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest

from gateway.errors import InvalidRequest
from gateway.manifest.reader import read_manifest
from tests.support.peers import shared_data

XDM = "ans/XDM/KA202401/IHE_XDM/SS000001"


@dataclass(frozen=True)
class Told:
    """What a file is known to hold."""

    issuer: str
    modalities: tuple[str, ...]
    series: tuple[tuple[str, str, int], ...]
    """Modality, description and number of instances of each."""
    locations: int
    """How many series name the gateway that holds them."""


FILES = {
    "ans/KOS/ko.dcm": Told(
        "1.2.250.1.213.1.4.10",
        ("MR",),
        (("MR", "T2 Ax Space Iso RT", 10), ("MR", "T2 Ax Space Iso RT", 10)),
        0,
    ),
    f"{XDM}/KOS_1_1.DCM": Told(
        "1.2.250.1.213.1.4.10", ("MR",), (("MR", "T2 Ax Space Iso RT", 10),), 0
    ),
    "dicom/drimbox-poc/kos.dcm": Told(
        "1.2.250.1.213.1.4.10", ("CT",), (("CT", "Dentascan  0.75  H60s", 1),), 0
    ),
    "dicom/ihe-mado/MADO_KOS_A.dcm": Told(
        "1.3.6.1.4.1.19376.1.1.100.1",
        ("CT",),
        (("CT", "Series A1", 50), ("CT", "Series A2", 36)),
        2,
    ),
    "dicom/ihe-mado/MADO_KOS_B.dcm": Told(
        "1.3.6.1.4.1.19376.1.1.100.1",
        ("CT",),
        (("CT", "Series B1", 20), ("KO", "Series B2 (Significant images)", 1)),
        2,
    ),
}


@pytest.fixture(params=FILES)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def document(name: str) -> bytes:
    return (shared_data() / name).read_bytes()


def test_a_manifest_of_others_is_read(name: str, document: bytes) -> None:
    manifest = read_manifest(document)

    told = FILES[name]
    assert [one.authority for one in manifest.patient.ids if one.value] == [told.issuer]
    assert manifest.modalities == told.modalities
    assert told.series == tuple(
        (one.modality, one.description, len(one.instances)) for one in manifest.series
    )
    assert sum(1 for one in manifest.series if one.location_uid) == told.locations
    for series in manifest.series:
        assert f"/studies/{manifest.study}/series/{series.series}" in series.retrieve_url


def test_the_image_library_tells_the_number_of_each_instance() -> None:
    manifest = read_manifest((shared_data() / "dicom/ihe-mado/MADO_KOS_A.dcm").read_bytes())

    numbers = [[one.number for one in series.instances] for series in manifest.series]

    assert numbers == [[str(one) for one in range(1, size + 1)] for size in (50, 36)]


def test_a_mado_manifest_tells_orders_regions_key_images_and_where_to_look() -> None:
    manifest = read_manifest((shared_data() / "dicom/ihe-mado/MADO_KOS_B.dcm").read_bytes())

    images, key_objects = manifest.series
    assert [one.accession.value for one in manifest.requests] == [
        "8529258169397744",
        "9426932401715315",
    ]
    assert {one.order.value for one in manifest.requests} == {"3712777189356881"}
    assert [one.code for one in manifest.regions] == ["63337009"]
    assert images.region == manifest.regions[0]
    assert (images.date, images.time, images.number) == ("20231018", "164758.337000", "1")
    [key_object] = key_objects.instances
    assert key_object.selection is not None
    assert key_object.selection.title is not None
    assert key_object.selection.title.code == "113000"
    assert key_object.selection.text == "Significant DICOM Instances"
    assert manifest.display_uri.startswith("https://dicomviewer/IHEInvokeImageDisplay?")
    assert manifest.made_at == datetime(2026, 2, 24, 23, 57, 59, tzinfo=UTC)


def test_a_manifest_of_others_that_is_cut_off_is_refused(document: bytes) -> None:
    for end in range(0, len(document), 331):
        with pytest.raises(InvalidRequest):
            read_manifest(document[:end])


def test_damage_is_read_or_refused_and_never_another_error(name: str, document: bytes) -> None:
    chance = random.Random(name)  # the same damage in every run

    for _ in range(100):
        damaged = bytearray(document)
        for _ in range(chance.randint(1, 8)):
            damaged[chance.randrange(128, len(damaged))] = chance.randrange(256)
        try:
            read_manifest(bytes(damaged))
        except InvalidRequest:
            continue
