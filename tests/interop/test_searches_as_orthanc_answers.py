"""Where the standard leaves no choice, the gateway finds and tells what Orthanc does."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from benchmarks.gateway.archive import build, save
from benchmarks.kit.peers import DICOMWEB, Server, orthanc, our_gateway

STUDIES = 40
UID = build(0).StudyInstanceUID.rpartition(".")[0]
TOLD_OTHERWISE = {
    "00080005",  # Orthanc's own character set; ours is UTF-8
    "00081190",  # each names itself
}


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, Server]]:
    folder = tmp_path_factory.mktemp("searched")
    files = save(folder / "files", STUDIES)
    with our_gateway(folder) as ours, orthanc(folder) as peer:
        ours.store(files)
        peer.store(files)
        yield ours, peer


def found(server: Server, path: str) -> dict[str, dict[str, Any]]:
    """Results by the unique id of each."""
    _, body = server.get(f"{DICOMWEB}{path}", accept="application/dicom+json")
    # Orthanc answers in Latin-1, which has no such letter.
    results = json.loads(body.decode().replace("Œ", ""))
    return {_uid(one): one for one in results}


def _uid(told: dict[str, Any]) -> str:
    tags = [tag for tag in ("00080018", "0020000E", "0020000D") if tag in told]
    return str(told[tags[0]]["Value"][0])


@pytest.mark.parametrize(
    "path",
    [
        "/studies?PatientID=P0000003",
        "/studies?PatientID=P000000*&limit=100",
        "/studies?PatientID=*3",
        "/studies?PatientID=P000000?",
        "/studies?AccessionNumber=A0000001?",
        "/studies?StudyDate=20130101-20161231",
        "/studies?StudyDate=-20121231",
        "/studies?StudyDate=20200101-",
        "/studies?StudyDate=20150301",
        "/studies?StudyTime=100000-120000",
        "/studies?PatientBirthDate=19300101-19351231",
        f"/studies?StudyInstanceUID={UID}.3",
        "/studies?PatientName=MARTIN*",
        "/studies?PatientName=martin*",
        "/studies?PatientName=*^000000?",
        "/studies?ModalitiesInStudy=CT&PatientID=P0000001",
        "/studies?ModalitiesInStudy=MR",
        "/studies?StudyDescription=Scanner*&StudyID=7",
        "/series?Modality=CT&PatientID=P0000002",
        f"/studies/{UID}.5/series",
        f"/studies/{UID}.5/instances",
        f"/instances?SOPInstanceUID={UID}.6.1.1",
    ],
)
def test_both_find_the_same(servers: tuple[Server, Server], path: str) -> None:
    ours, theirs = (found(one, path) for one in servers)

    assert ours.keys() == theirs.keys()
    for uid, told in theirs.items():
        common = told.keys() & ours[uid].keys() - TOLD_OTHERWISE
        assert {tag: ours[uid][tag] for tag in common} == {tag: told[tag] for tag in common}


def test_something_is_found_that_others_are_not(servers: tuple[Server, Server]) -> None:
    ours, _ = servers

    assert len(found(ours, "/studies?limit=100")) == STUDIES
    assert 0 < len(found(ours, "/studies?StudyDate=20130101-20161231")) < STUDIES
