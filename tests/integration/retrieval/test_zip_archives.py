"""Instances as a zip archive: an extension, given to nobody who does not name it."""

import tracemalloc
from io import BytesIO
from pathlib import Path
from subprocess import run
from typing import Any
from zipfile import ZipFile

import aiohttp
import pytest
from pydicom import Dataset, dcmread
from pydicom.fileset import FileSet
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
)

from gateway.media.survey import look_over
from gateway.media.tree import MediaFile, open_medium
from gateway.model.access import AccessContext
from gateway.model.resource import Resource
from gateway.security.policy import OpenAccess, Verdict
from indexer.contract.identifiers import Ins
from tests.support.peers import peer
from tests.support.retrieval import REWRITTEN_BYTES_MAX, Bench, a_bench, a_slice, part10_of
from tests.support.studies import INS, OTHER_INS, SERIES, STUDY, a_patient, report_news

ZIP = "application/zip"
PARTS = 'multipart/related; type="application/dicom"; transfer-syntax=*'
MIB = 2**20
LEAFLETS = {"LISEZMOI.TXT", "README.TXT", "DICOMDIR"}
NOT_COMPARED = ("Offset", "SpecificCharacterSet")
"""What refers to other records has its own test; of plain texts DCMTK tells no character set."""


async def zipped(bench: Bench, path: str = f"/studies/{STUDY}") -> bytes:
    async with bench.get(path, accept=ZIP) as response:
        assert response.status == 200
        assert response.headers["Content-Type"] == ZIP
        return await response.read()


def instances_in(archive: bytes) -> list[Dataset]:
    with ZipFile(BytesIO(archive)) as opened:
        assert opened.testzip() is None
        names = [name for name in opened.namelist() if name.startswith("DICOM/")]
        assert set(opened.namelist()) - set(names) == LEAFLETS
        return [dcmread(BytesIO(opened.read(name))) for name in names]


def extracted(archive: bytes, folder: Path) -> Path:
    with ZipFile(BytesIO(archive)) as opened:
        opened.extractall(folder)
    return folder


async def report(bench: Bench, digest: str = "m1", **told: Any) -> None:
    news = report_news(digest, **told)
    await bench.stores.database.write(
        lambda tx: bench.stores.studies.report_received(tx, news, now_ms=0)
    )


async def test_a_study_is_given_with_all_its_instances(bench: Bench) -> None:
    await bench.push(a_slice(1))
    await bench.push(a_slice(2))
    await bench.push(a_slice(3, SeriesInstanceUID=f"{SERIES}.9"))

    archive = await zipped(bench)

    assert {one.SOPInstanceUID for one in instances_in(archive)} == {
        f"{SERIES}.1", f"{SERIES}.2", f"{SERIES}.3",
    }  # fmt: skip


async def test_a_series_and_an_instance_are_given_alone(bench: Bench) -> None:
    await bench.push(a_slice(1))
    await bench.push(a_slice(2))
    await bench.push(a_slice(3, SeriesInstanceUID=f"{SERIES}.9"))

    series = f"/studies/{STUDY}/series/{SERIES}"

    assert len(instances_in(await zipped(bench, series))) == 2
    assert len(instances_in(await zipped(bench, f"{series}/instances/{SERIES}.2"))) == 1


async def test_its_directory_leads_to_each_file(bench: Bench, tmp_path: Path) -> None:
    await bench.push(a_slice(1))
    await bench.push(a_slice(2, SeriesInstanceUID=f"{SERIES}.9"), JPEG2000Lossless)

    folder = extracted(await zipped(bench), tmp_path / "medium")

    found = FileSet(folder / "DICOMDIR")
    told = {(one.SOPInstanceUID, str(one.ReferencedTransferSyntaxUIDInFile)) for one in found}
    assert told == {
        (f"{SERIES}.1", ExplicitVRLittleEndian),
        (f"{SERIES}.2", JPEG2000Lossless),
    }
    for one in found:
        assert dcmread(one.path).SOPInstanceUID == one.SOPInstanceUID


async def test_our_own_reader_of_media_misses_nothing(bench: Bench, tmp_path: Path) -> None:
    await bench.push(a_slice(1))
    await bench.push(a_slice(2))
    path = tmp_path / "images.zip"
    path.write_bytes(await zipped(bench))

    tree = open_medium(path)

    assert look_over(tree).outcomes == ()
    assert {one.name for one in tree.walk() if isinstance(one, MediaFile)} == {
        *LEAFLETS, "DICOM/SE000001/IM000001", "DICOM/SE000001/IM000002",
    }  # fmt: skip
    tree.close()


async def test_dcmtk_reads_the_directory(bench: Bench, tmp_path: Path) -> None:
    await bench.push(a_slice(1))
    folder = extracted(await zipped(bench), tmp_path / "medium")

    dumped = run(
        [peer("dcmdump"), folder / "DICOMDIR"], capture_output=True, encoding="latin-1", check=True
    )

    assert "E:" not in dumped.stderr + dumped.stdout
    for name in ("PATIENT", "STUDY", "SERIES", "IMAGE"):
        assert f"(0004,1430) CS [{name}" in dumped.stdout


async def test_dcmmkdir_makes_the_same_records(bench: Bench, tmp_path: Path) -> None:
    await bench.push(a_slice(1, StudyTime="101500", StudyID="7"))
    await bench.push(a_slice(2, StudyTime="101500", StudyID="7"))
    folder = extracted(await zipped(bench), tmp_path / "medium")

    theirs = folder / "THEIRS"
    run(
        [peer("dcmmkdir"), "+r", "+id", folder, "+D", theirs, "DICOM"],
        cwd=folder, capture_output=True, check=True,
    )  # fmt: skip

    assert records_of(folder / "DICOMDIR") == records_of(theirs)


def records_of(path: Path) -> list[tuple[object, ...]]:
    """Each record's own values."""
    return [
        tuple(
            (element.keyword, element.value)
            for element in record
            if not element.keyword.startswith(NOT_COMPARED) and element.value not in ("", None)
        )
        for record in dcmread(path).DirectoryRecordSequence
    ]


@pytest.mark.parametrize(
    "stored, given",
    [
        (ExplicitVRLittleEndian, ExplicitVRLittleEndian),
        (ImplicitVRLittleEndian, ExplicitVRLittleEndian),
        (ExplicitVRBigEndian, ExplicitVRLittleEndian),
        (DeflatedExplicitVRLittleEndian, ExplicitVRLittleEndian),
        (JPEG2000Lossless, JPEG2000Lossless),
    ],
)
async def test_instances_are_as_stored_unless_the_web_forbids_it(
    bench: Bench, stored: str, given: str
) -> None:
    await bench.push(a_slice(1), stored)
    await report(bench)

    [told] = instances_in(await zipped(bench))

    assert told.file_meta.TransferSyntaxUID == given
    assert told.OtherPatientIDsSequence[0].PatientID == INS.value


async def test_the_patient_is_named_by_ins_and_what_is_stored_is_not_touched(
    bench: Bench,
) -> None:
    await bench.push(a_slice(1))
    await report(bench)

    [told] = instances_in(await zipped(bench))

    assert [one.PatientID for one in told.OtherPatientIDsSequence] == [INS.value]
    assert told.PatientID == a_slice(1).PatientID
    async with bench.get(accept=PARTS) as response:
        assert part10_of(a_slice(1))[132 + 12 :][-200:] in await response.read()
        assert INS.value.encode() not in await response.read()


@pytest.mark.parametrize(
    "told",
    [
        None,
        {"identity_status": "PROV"},
        {"patient": a_patient(ins=None), "announced": a_patient(ins=None)},
    ],
)
async def test_nobody_is_named_by_an_ins_that_is_not_validated(
    bench: Bench, told: dict[str, Any] | None
) -> None:
    await bench.push(a_slice(1))
    if told is not None:
        await report(bench, **told)

    [given] = instances_in(await zipped(bench))

    assert "OtherPatientIDsSequence" not in given


async def test_nobody_is_named_where_two_reports_name_two_patients(bench: Bench) -> None:
    await bench.push(a_slice(1))
    await report(bench)
    other = a_patient(ins=OTHER_INS)
    await report(
        bench, "m2", document_id="1.2.250.1.999.4.2", set_id="1.2.250.1.999.5.2",
        patient=other, announced=other,
    )  # fmt: skip

    [given] = instances_in(await zipped(bench))

    assert "OtherPatientIDsSequence" not in given


async def test_what_is_too_large_to_be_written_anew_is_there_as_it_is_stored(
    bench: Bench,
) -> None:
    large = a_slice(1, Rows=1024, Columns=1024, PixelData=bytes(2 * REWRITTEN_BYTES_MAX))
    await bench.push(large, ImplicitVRLittleEndian)
    await bench.push(a_slice(2))
    await report(bench)

    archive = await zipped(bench)

    as_stored, named = sorted(instances_in(archive), key=lambda one: one.SOPInstanceUID)
    assert as_stored.file_meta.TransferSyntaxUID == ImplicitVRLittleEndian
    assert "OtherPatientIDsSequence" not in as_stored
    assert "OtherPatientIDsSequence" in named
    with ZipFile(BytesIO(archive)) as opened:
        [path] = [name for name in opened.namelist() if name.startswith("DICOM/OTHERS/")]
        assert path.split("/")[-1].encode() not in opened.read("DICOMDIR")


async def test_images_that_the_pacs_holds_are_archived_as_they_come(bench: Bench) -> None:
    await bench.hold_in_pacs(a_slice(1), a_slice(2), a_slice(3))

    archive = await zipped(bench)

    assert len(instances_in(archive)) == 3


async def test_an_archive_that_breaks_off_is_not_taken_for_whole(bench: Bench) -> None:
    await bench.hold_in_pacs(a_slice(1), a_slice(2), a_slice(3))
    bench.pacs.dies_after = 2

    with pytest.raises(aiohttp.ClientPayloadError):
        await zipped(bench)


async def test_an_archive_says_what_is_known_to_be_missing(bench: Bench) -> None:
    await bench.hold_in_pacs(*(a_slice(n) for n in range(1, 5)))
    bench.pacs.leaves_out = 1
    with pytest.raises(aiohttp.ClientPayloadError):
        await zipped(bench)
    await bench.pulled()

    async with bench.get(accept=ZIP) as response:
        archive, warning = await response.read(), response.headers["Warning"]

    assert len(instances_in(archive)) == 3
    assert "1 of the instances could not be had" in warning
    with ZipFile(BytesIO(archive)) as opened:
        assert "incomplète. 1 image(s)" in opened.read("LISEZMOI.TXT").decode()
        assert "not complete. 1 image(s)" in opened.read("README.TXT").decode()


@pytest.mark.parametrize("accept", ["*/*", "application/*", PARTS, f"{PARTS}, {ZIP}; q=0.5"])
async def test_nobody_gets_an_archive_without_asking_for_it_first(
    bench: Bench, accept: str
) -> None:
    await bench.push(a_slice(1))

    async with bench.get(f"/studies/{STUDY}/series/{SERIES}", accept=accept) as response:
        assert ZIP not in response.headers["Content-Type"]


@pytest.mark.parametrize(
    "path, accept",
    [
        (f"/studies/{STUDY}?accept={ZIP}", "*/*"),
        (f"/studies/{STUDY}?accept={ZIP}", "text/html, */*; q=0.8"),
        (f"/studies/{STUDY}", f"{ZIP}, */*; q=0.1"),
        (f"/studies/{STUDY}", f"{PARTS}; q=0.5, {ZIP}"),
    ],
)
async def test_an_archive_is_asked_for_by_header_or_parameter(
    bench: Bench, path: str, accept: str
) -> None:
    await bench.push(a_slice(1))

    async with bench.get(path, accept=accept) as response:
        assert response.headers["Content-Type"] == ZIP
        assert response.headers["Content-Disposition"] == 'attachment; filename="images.zip"'


async def test_head_tells_that_there_is_an_archive(bench: Bench) -> None:
    await bench.push(a_slice(1))

    url = f"{bench.root}/studies/{STUDY}"
    async with bench.http.head(url, headers={"Accept": ZIP}) as response:
        assert (response.status, response.headers["Content-Type"]) == (200, ZIP)
    async with bench.http.head(f"{url}.9", headers={"Accept": ZIP}) as response:
        assert response.status == 404


async def test_of_a_study_that_is_not_there_no_archive_is_begun(bench: Bench) -> None:
    async with bench.get(accept=ZIP) as response:
        assert response.status == 404


async def test_an_archive_is_not_held_in_memory(bench: Bench) -> None:
    pixels = 32 * MIB
    await bench.push(a_slice(1, Rows=4096, Columns=4096, PixelData=bytes(pixels)))
    await report(bench)
    asked = bench.get(accept=ZIP)

    tracemalloc.start()
    async with asked as response:
        size_bytes = sum([len(chunk) async for chunk in response.content.iter_chunked(MIB)])
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert size_bytes > pixels
    assert peak_bytes < pixels / 2


async def test_the_leaflets_name_nobody(bench: Bench) -> None:
    await bench.push(a_slice(1))
    await report(bench)

    with ZipFile(BytesIO(await zipped(bench))) as archive:
        texts = [archive.read(name).decode("utf-8-sig") for name in sorted(LEAFLETS - {"DICOMDIR"})]

    assert [text.splitlines()[0] for text in texts] == ["IMAGES MÉDICALES", "MEDICAL IMAGES"]
    for secret in ("EXEMPLE", INS.value, STUDY, a_slice(1).PatientID):
        assert not any(secret in text for text in texts)


class Hides(OpenAccess):
    async def decide(self, access: AccessContext, target: Resource | Ins) -> Verdict:
        return Verdict(permitted=False, reason="hidden")


async def test_what_policy_refuses_is_not_archived(tmp_path: Path) -> None:
    async with a_bench(tmp_path, Hides()) as bench:
        await bench.push(a_slice(1))

        async with bench.get(accept=ZIP) as response:
            assert response.status == 403
