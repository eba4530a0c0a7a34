"""The scripted viewer finds its way from an INS to every instance, and says what went wrong."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession, MultipartWriter, web
from aiohttp.test_utils import TestServer
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import ImplicitVRLittleEndian

from simulators.imaging_centre.modality import MadeInstance, look_at
from simulators.synthetic.examination import Examination
from simulators.viewers.index_search import UnexpectedAnswer
from simulators.viewers.manifest import UnreadableManifest
from simulators.viewers.scripted import AS_STORED, ScriptedViewer

DOCUMENT_ID = "2.25.77"
KEY_OBJECT_SELECTION = "1.2.840.10008.5.1.4.1.1.88.59"


@dataclass
class World:
    """A gateway and an index in one small server, which tests may spoil."""

    examination: Examination
    files: dict[str, Path]
    listed: list[str]
    base_url: str = ""
    document: bytes = b""
    pointers: list[dict[str, str]] = field(default_factory=list)
    entries: list[dict[str, Any]] = field(default_factory=list)
    retrieve_status: int = 200
    seen: list[web.Request] = field(default_factory=list)

    async def search_pointers(self, request: web.Request) -> web.Response:
        self.seen.append(request)
        patient = self.examination.patient
        assert await request.json() == {"ins": patient.ins, "oid": patient.ins_oid}
        return web.json_response({"pointers": self.pointers})

    async def search_index(self, request: web.Request) -> web.Response:
        patient = self.examination.patient
        asked = await request.post()
        assert asked["patient.identifier"] == f"urn:oid:{patient.ins_oid}|{patient.ins}"
        entries = [{"resource": entry} for entry in self.entries]
        return web.json_response({"resourceType": "Bundle", "type": "searchset", "entry": entries})

    async def give_document(self, request: web.Request) -> web.Response:
        return web.Response(body=self.document, content_type="application/dicom")

    async def give_series(self, request: web.Request) -> web.StreamResponse:
        assert request.headers["Accept"] == AS_STORED
        if self.retrieve_status != 200:
            return web.Response(status=self.retrieve_status)
        with MultipartWriter("related") as parts:
            for path in self.files.values():
                parts.append(path.read_bytes(), {"Content-Type": "application/dicom"})
        return web.Response(
            body=parts, headers={"Content-Type": parts.content_type + '; type="application/dicom"'}
        )

    def manifest(self) -> bytes:
        ds = Dataset()
        ds.SOPClassUID, ds.SOPInstanceUID = KEY_OBJECT_SELECTION, DOCUMENT_ID
        series, study = Dataset(), Dataset()
        series.SeriesInstanceUID = "2.25.1"
        series.RetrieveURL = f"{self.base_url}/series"
        series.ReferencedSOPSequence = Sequence([_reference(uid) for uid in self.listed])
        study.StudyInstanceUID = self.examination.study_uid
        study.ReferencedSeriesSequence = Sequence([series])
        ds.CurrentRequestedProcedureEvidenceSequence = Sequence([study])
        ds.file_meta = FileMetaDataset()
        ds.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
        ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID
        ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
        file = BytesIO()
        ds.save_as(file, enforce_file_format=True)
        return file.getvalue()


def _reference(uid: str) -> Dataset:
    item = Dataset()
    item.ReferencedSOPInstanceUID = uid
    return item


@pytest.fixture
async def world(
    a_study: Callable[[str], tuple[Examination, tuple[Path, ...]]],
) -> AsyncIterator[World]:
    examination, files = a_study("MR")
    by_uid = {made.uid: path for made, path in zip(look_at(files), files, strict=True)}
    world = World(examination, by_uid, list(by_uid))
    application = web.Application()
    application.router.add_post("/api/pointers/search", world.search_pointers)
    application.router.add_post("/fhir/DocumentReference/_search", world.search_index)
    application.router.add_get("/fhir/Binary/1", world.give_document)
    application.router.add_get("/series", world.give_series)
    async with TestServer(application) as server:
        world.base_url = str(server.make_url("/")).rstrip("/")
        world.document = world.manifest()
        world.pointers = [{"document_id": DOCUMENT_ID, "study_uid": examination.study_uid}]
        world.entries = [
            {
                "resourceType": "DocumentReference",
                "masterIdentifier": {"value": f"urn:oid:{DOCUMENT_ID}"},
                "type": {"coding": [{"code": "IMG-KOS"}]},
                "content": [{"attachment": {"url": "Binary/1"}}],
            }
        ]
        yield world


async def view(world: World) -> list[Any]:
    async with ClientSession() as session:
        viewer = ScriptedViewer(session, gateway_url=world.base_url, index_url=world.base_url)
        patient = world.examination.patient
        return await viewer.view(ins=patient.ins, oid=patient.ins_oid)


async def test_every_instance_comes_back_as_it_was_made(world: World) -> None:
    made: list[MadeInstance] = look_at(list(world.files.values()))

    [study] = await view(world)

    assert study.faults == ()
    assert study.study_uid == world.examination.study_uid
    assert study.listed == {instance.uid for instance in made}
    assert study.digests == {instance.uid: instance.digest for instance in made}
    assert study.bytes_fetched == sum(path.stat().st_size for path in world.files.values())


async def test_a_patient_without_pointers_has_no_studies(world: World) -> None:
    world.pointers = []

    assert await view(world) == []


async def test_a_listed_instance_that_does_not_come_is_a_fault(world: World) -> None:
    world.files.pop(world.listed[0])

    [study] = await view(world)

    assert study.faults == ("1 of 6 listed instances did not come",)


async def test_an_instance_that_the_manifest_leaves_out_comes_with_its_series(
    world: World,
) -> None:
    left_out = world.listed.pop()
    world.document = world.manifest()

    [study] = await view(world)

    assert study.faults == ()
    assert left_out not in study.listed
    assert left_out in study.digests


async def test_a_retrieve_url_that_fails_is_a_fault(world: World) -> None:
    world.retrieve_status = 404

    [study] = await view(world)

    assert study.faults == ("a RetrieveURL was answered 404",)
    assert study.digests == {}


async def test_an_instance_that_comes_cut_short_is_a_fault(world: World) -> None:
    path = world.files[world.listed[0]]
    path.write_bytes(path.read_bytes()[:-1000])

    [study] = await view(world)

    assert study.faults == ("an instance cannot be read",)


async def test_a_pointer_that_the_index_does_not_show_is_refused(world: World) -> None:
    world.entries = []

    with pytest.raises(UnexpectedAnswer):
        await view(world)


async def test_a_manifest_of_another_study_is_refused(world: World) -> None:
    world.pointers[0]["study_uid"] = "2.25.9"

    with pytest.raises(UnexpectedAnswer):
        await view(world)


async def test_a_document_that_is_no_manifest_is_refused(world: World) -> None:
    world.document = next(iter(world.files.values())).read_bytes()

    with pytest.raises(UnreadableManifest):
        await view(world)
