"""Store transactions on a real server: what is kept, what is refused, and what each is told."""

import asyncio
import logging
import tracemalloc
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from pydicom import Dataset, dcmread
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
)

from gateway.errors import StorageUnavailable
from gateway.intake import stow
from gateway.model.sop_classes import KEY_OBJECTS
from gateway.security.callers import Callers
from gateway.security.policy import RefuseAll
from tests.support.retrieval import a_slice
from tests.support.studies import CT, SERIES, STUDY
from tests.support.web_doors import (
    BODY,
    INSTANCE_BYTES_MAX,
    PUBLIC_URL,
    STUDIES,
    WebDoors,
    body_of,
    file_of,
    web_doors,
)
from tests.support.world import until

FIRST, SECOND, THIRD = (f"{SERIES}.{number}" for number in (1, 2, 3))
OF_STUDY = f"{STUDIES}/{STUDY}"
UNREADABLE, NO_CLASS, NO_SYNTAX = 0xC000, 0x0122, 0xC122
NO_MATCH, OTHER_STUDY, NO_ROOM, BUG = 0xA900, 0xC409, 0xA700, 0x0110


@pytest.mark.parametrize("path", [STUDIES, OF_STUDY])
async def test_what_is_told_as_stored_is_stored(doors: WebDoors, path: str) -> None:
    files = [file_of(a_slice(1)), file_of(a_slice(2))]

    answer = await doors.push(*files, path=path)

    assert answer.status == 200
    assert answer.headers["Content-Type"] == "application/dicom+json"
    assert answer.stored == [FIRST, SECOND]
    assert answer.failed == []
    assert answer.told["00081190"]["Value"] == [f"{PUBLIC_URL}{OF_STUDY}"]
    held = await doors.held()
    assert list(held) == [FIRST, SECOND]
    for sent, kept in zip(files, held.values(), strict=True):
        data_set = sent[sent.index(b"\x08\0\x05\0CS") :]
        assert kept.endswith(data_set)
    assert doors.spooled == []


@pytest.mark.parametrize(
    "syntax",
    [
        ImplicitVRLittleEndian,
        ExplicitVRBigEndian,
        DeflatedExplicitVRLittleEndian,
        JPEG2000Lossless,
    ],
)
async def test_every_transfer_syntax_is_kept_as_it_was_sent(doors: WebDoors, syntax: str) -> None:
    sent = file_of(a_slice(), syntax)

    answer = await doors.push(sent)

    assert answer.status == 200
    [kept] = (await doors.held()).values()
    tail = sent[-200:]
    assert kept.endswith(tail)
    folder = doors.stores.objects.new_spool().parent
    path = folder / "kept"
    path.write_bytes(kept)
    assert dcmread(path).file_meta.TransferSyntaxUID == syntax


async def test_the_same_instance_again_changes_nothing(doors: WebDoors) -> None:
    sent = file_of(a_slice())
    await doors.push(sent)
    before, objects = await doors.stores.snapshot(), doors.objects

    again = await doors.push(sent, sent)

    assert again.status == 200
    assert again.stored == [FIRST, FIRST]
    assert await doors.stores.snapshot() == before
    assert doors.objects == objects
    assert doors.spooled == []


async def test_one_instance_fails_alone(doors: WebDoors) -> None:
    answer = await doors.push(
        file_of(a_slice(1)), b"%PDF-1.7", file_of(a_slice(2, StudyInstanceUID="")), path=OF_STUDY
    )

    assert answer.status == 202
    assert answer.stored == [FIRST]
    assert answer.failed == [(SECOND, UNREADABLE)]
    assert answer.references("0008119A") == [("", UNREADABLE)]
    assert answer.warnings == [
        '299 drim-gateway "the part is no DICOM file: it ends within its head"',
        '299 drim-gateway "the instance\'s StudyInstanceUID is absent"',
    ]
    assert list(await doors.held()) == [FIRST]
    assert doors.spooled == []


def faulty(fault: str) -> bytes:
    """A file with this fault."""
    whole = file_of(a_slice(2))
    match fault:
        case "another study":
            return file_of(a_slice(2, StudyInstanceUID="1.2.3"))
        case "another class than its head names":
            return whole.replace(b"5.1.4.1.1.2\0", b"5.1.4.1.1.4\0", 1)
        case "a class that is not stored":
            return file_of(a_slice(2, SOPClassUID="1.2.840.10008.1.1"))
        case "a transfer syntax that nobody knows":
            return whole.replace(b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.1.9.9\0", 1)
        case "more than is taken":
            return file_of(a_slice(2, PixelData=bytes(INSTANCE_BYTES_MAX)))
        case "no end":
            return file_of(a_slice(2), ImplicitVRLittleEndian)[:-10]
    raise AssertionError(fault)


@pytest.mark.parametrize(
    "fault, status, reason",
    [
        ("another study", 409, OTHER_STUDY),
        ("another class than its head names", 409, NO_MATCH),
        ("a class that is not stored", 409, NO_CLASS),
        ("a transfer syntax that nobody knows", 409, NO_SYNTAX),
        ("more than is taken", 413, NO_ROOM),
        ("no end", 409, UNREADABLE),
    ],
)
async def test_an_instance_is_refused_with_its_reason_and_leaves_nothing(
    doors: WebDoors, fault: str, status: int, reason: int
) -> None:
    alone = await doors.push(faulty(fault), path=OF_STUDY)
    among = await doors.push(file_of(a_slice(1)), faulty(fault), path=OF_STUDY)

    assert (alone.status, alone.stored) == (status, [])
    assert [one for _, one in alone.failed] == [reason]
    assert (among.status, among.stored, among.failed) == (202, [FIRST], alone.failed)
    assert len(doors.objects) == 1
    assert doors.spooled == []


async def test_an_instance_that_its_head_misnames_is_kept_under_its_own_name(
    doors: WebDoors,
) -> None:
    whole = file_of(a_slice(2, PixelData=bytes(90_000)))

    answer = await doors.push(whole.replace(SECOND.encode(), THIRD.encode(), 1))
    again = await doors.push(whole)

    assert (answer.status, answer.stored) == (200, [SECOND])
    assert again.stored == [SECOND]
    [kept] = (await doors.held()).values()
    assert THIRD.encode() not in kept
    assert kept.endswith(whole[whole.index(b"\x08\0\x05\0CS") :])
    assert len(doors.objects) == 1
    assert doors.spooled == []


async def test_a_part_of_another_kind_is_no_instance(doors: WebDoors) -> None:
    answer = await doors.push(file_of(a_slice()), kind="application/dicom+json")

    assert answer.status == 409
    assert answer.references("0008119A") == [("", UNREADABLE)]


@pytest.mark.parametrize(
    "content_type",
    [
        "application/dicom",
        "application/json",
        "multipart/form-data; boundary=b",
        'multipart/related; type="application/dicom+json"; boundary=b',
        'multipart/related; type="application/dicom+xml"; boundary=b',
    ],
)
async def test_metadata_with_bulk_data_is_not_taken(doors: WebDoors, content_type: str) -> None:
    answer = await doors.push(file_of(a_slice()), Content_Type=content_type)

    assert answer.status == 415
    assert "application/dicom" in answer.told["detail"]
    assert await doors.held() == {}


async def test_a_body_that_is_compressed_is_not_taken(doors: WebDoors) -> None:
    answer = await doors.push(file_of(a_slice()), Content_Encoding="gzip")

    assert answer.status == 415


@pytest.mark.parametrize(
    "body",
    [b"", b"--b--\r\n", b"x" * 100, body_of([file_of(a_slice())]).removesuffix(b"--\r\n")],
    ids=["empty", "no part", "no multipart", "cut short"],
)
async def test_a_body_that_is_not_whole_is_refused(doors: WebDoors, body: bytes) -> None:
    answer = await doors.post(STUDIES, body, Content_Type=BODY)

    assert answer.status == 400
    assert doors.spooled == []


async def test_an_address_that_names_no_study_is_refused(doors: WebDoors) -> None:
    assert (await doors.push(file_of(a_slice()), path=f"{STUDIES}/none")).status == 400


async def test_an_answer_that_cannot_be_given_is_refused_before_anything_is_stored(
    doors: WebDoors,
) -> None:
    answer = await doors.push(file_of(a_slice()), Accept="image/png")

    assert answer.status == 406
    assert await doors.held() == {}


async def test_the_answer_comes_in_xml_to_who_asks_for_it(doors: WebDoors) -> None:
    answer = await doors.push(file_of(a_slice()), Accept="application/dicom+xml")

    assert answer.status == 200
    assert answer.headers["Content-Type"] == "application/dicom+xml"
    assert f'<Value number="1">{FIRST}</Value>'.encode() in answer.body


async def test_a_client_that_leaves_leaves_nothing_behind(doors: WebDoors) -> None:
    whole = body_of([file_of(a_slice(1)), file_of(a_slice(2, PixelData=bytes(50_000)))])
    host, _, port = doors.url.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    head = f"POST {STUDIES} HTTP/1.1\r\nHost: x\r\nContent-Type: {BODY}\r\n"
    writer.write(f"{head}Content-Length: {len(whole)}\r\n\r\n".encode() + whole[:-1000])
    await writer.drain()
    await until(doors.held)  # the first is kept while the second still comes

    writer.close()
    await until(lambda: nothing_in(doors))

    assert list(await doors.held()) == [FIRST]
    assert await reader.read() == b""


async def test_a_disk_that_takes_nothing_asks_the_client_to_come_again(
    doors: WebDoors, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def keep(*_: object) -> None:
        raise StorageUnavailable("the disk is full")

    monkeypatch.setattr(doors.stores.objects, "look_and_place", keep)
    answer = await doors.push(file_of(a_slice()))

    assert answer.status == 503
    assert answer.failed == [(FIRST, NO_ROOM)]
    assert int(answer.headers["Retry-After"]) > 0
    assert doors.spooled == []


async def test_a_bug_of_ours_is_not_told_as_success(
    doors: WebDoors, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def keep(*_: object) -> None:
        raise RuntimeError("EXEMPLE^CAMILLE")

    monkeypatch.setattr(doors.stores.objects, "look_and_place", keep)
    answer = await doors.push(file_of(a_slice()))

    assert answer.status == 500
    assert answer.failed == [(FIRST, BUG)]
    assert b"EXEMPLE" not in answer.body
    assert "EXEMPLE" not in "".join(answer.warnings)


async def test_more_bodies_at_once_than_are_taken_are_turned_away(
    doors: WebDoors, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stow, "BODIES_MAX", 0)

    answer = await doors.push(file_of(a_slice()))

    assert answer.status == 503
    assert int(answer.headers["Retry-After"]) > 0


async def test_more_instances_than_are_taken_are_refused(
    doors: WebDoors, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stow, "PARTS_MAX", 1)

    answer = await doors.push(file_of(a_slice(1)), file_of(a_slice(2)))

    assert answer.status == 400
    assert list(await doors.held()) == [FIRST]


async def test_who_is_not_known_is_told_nothing_else(tmp_path: Path) -> None:
    nobody = RefuseAll(callers=Callers([]), hl7_senders=frozenset())
    async with web_doors(tmp_path, nobody) as doors:
        statuses = {
            (await doors.push(file_of(a_slice()))).status,
            (await doors.push(b"", path=f"{STUDIES}/none", Content_Type="text/plain")).status,
            (await doors.post("/notifications/studies", b"no json")).status,
        }

        assert statuses == {401}
        assert await doors.held() == {}


def a_note(*, rejects: str, **told: object) -> Dataset:
    """A note that rejects an instance for its quality (IHE RAD-66)."""
    title, instance, series, study = Dataset(), Dataset(), Dataset(), Dataset()
    title.CodeValue, title.CodingSchemeDesignator = "113001", "DCM"
    instance.ReferencedSOPClassUID, instance.ReferencedSOPInstanceUID = CT, rejects
    series.SeriesInstanceUID, series.ReferencedSOPSequence = SERIES, [instance]
    study.StudyInstanceUID, study.ReferencedSeriesSequence = STUDY, [series]
    note = a_slice(9, SOPClassUID=KEY_OBJECTS, SeriesInstanceUID=f"{SERIES}.9", Modality="KO")
    note.ConceptNameCodeSequence = [title]
    note.CurrentRequestedProcedureEvidenceSequence = [study]
    for keyword, value in told.items():
        setattr(note, keyword, value)
    return note


async def test_a_body_of_many_faults_costs_a_line_of_the_log_for_each_kind(
    doors: WebDoors, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        await doors.push(*[b"none"] * 200, faulty("no end"), file_of(a_slice(1)))
        broken_off = body_of([b"none"] * 200).removesuffix(b"--\r\n")
        await doors.post(STUDIES, broken_off, Content_Type=BODY)

    told = [(one.__dict__["cause"], one.__dict__["instances"]) for one in caplog.records]
    no_file = "the part is no DICOM file: it ends within its head"
    assert told == [(no_file, 200), ("the data set is cut short", 1), (no_file, 200)]


async def test_a_rejection_note_rejects(doors: WebDoors) -> None:
    files = [file_of(a_slice(1)), file_of(a_note(rejects=FIRST)), file_of(a_slice(2))]

    answer = await doors.push(*files)

    assert answer.status == 200
    snapshot = await doors.stores.snapshot()
    assert {one.told[0].instance for one in snapshot.images if one.rejected} == {FIRST}


async def test_a_rejection_note_that_is_not_whole_is_refused(doors: WebDoors) -> None:
    note = a_note(rejects=FIRST, CurrentRequestedProcedureEvidenceSequence=[])

    answer = await doors.push(file_of(a_slice(1)), file_of(note))

    assert (answer.status, answer.stored) == (202, [FIRST])
    assert [reason for _, reason in answer.failed] == [UNREADABLE]
    assert not any(one.rejected for one in (await doors.stores.snapshot()).images)


async def nothing_in(doors: WebDoors) -> bool:
    """Whether the spool is empty."""
    return not doors.spooled


async def test_a_long_body_is_never_held(doors: WebDoors) -> None:
    count, pixels = 200, bytes(90_000)

    async def body() -> AsyncIterator[bytes]:
        for number in range(1, count + 1):
            yield body_of([file_of(a_slice(number, PixelData=pixels))]).removesuffix(b"--b--\r\n")
        yield b"--b--\r\n"

    tracemalloc.start()
    try:
        answer = await doors.post(STUDIES, body(), Content_Type=BODY)
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert len(answer.stored) == count
    assert peak_bytes < count * len(pixels) / 4
