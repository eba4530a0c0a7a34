"""Pointers leave with their archive and are taken over from it, once, by the next gateway."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import date, timedelta
from typing import cast

import pytest

from gateway.app.files import export_pointers, import_medium
from gateway.errors import Conflict, NotFound, StorageUnavailable
from gateway.media.tally import Fate
from gateway.model.act import ActKind
from gateway.model.report import Visibility
from gateway.model.resource import Resource
from gateway.publication.export import Wanted, Written
from gateway.publication.latest import LatestPointers
from gateway.settings import PacsSettings, Settings
from gateway.storage.lock import FolderLock
from indexer.contract.document import (
    SIZE_NOT_TOLD,
    EntryStatus,
    Identifier,
    ReferenceId,
    ReferenceKind,
    Submission,
)
from indexer.contract.identifiers import Uid
from tests.support.failing_index import IndexInMemory
from tests.support.gateway_stores import stores_in
from tests.support.manifests import STUDY as LISTED
from tests.support.media import CENTRE_OID, REPORT_ID, a_folder, a_pointer, an_archive
from tests.support.pointers import PAUL
from tests.support.publishing import Bench
from tests.support.retrieval import a_slice
from tests.support.studies import POLICY, STUDY, an_image
from tests.support.telling import tell_answer
from tests.support.web_doors import file_of

LATER_MS = 4_000_000_000_000  # after any import


async def out(settings: Settings) -> list[tuple[Uid, Submission]]:
    """The pointers that are out."""
    async with stores_in(settings.data_dir) as stores:
        latest = LatestPointers(stores.database.dialect)
        return await stores.database.read(lambda tx: latest.page(tx, after="", count_max=100))


@asynccontextmanager
async def a_bench(settings: Settings, index: IndexInMemory) -> AsyncIterator[Bench]:
    async with stores_in(settings.data_dir) as stores:
        yield Bench(stores, index)


async def publish(bench: Bench) -> None:
    """Have the study of the bench published."""
    await bench.tell_instance()
    await bench.tell_report()
    bench.stores.clock.now_ms += POLICY.settle_ms
    await bench.look()
    await bench.send()


async def test_a_pointer_is_taken_over_as_it_was_published(settings, onlooker, tmp_path):
    archive = a_folder(tmp_path / "usb", an_archive(a_pointer()))

    await import_medium(settings, archive, onlooker)

    assert [one.fate for one in onlooker.outcomes] == [Fate.TAKEN]
    assert await out(settings) == [(LISTED, a_pointer())]
    async with stores_in(settings.data_dir) as stores:
        standing = await stores.standing(LISTED)
        assert (standing["state"], standing["revision"]) == ("published", 1)
        rows = await stores.database.read(
            lambda tx: stores.standings.history.of(tx, LISTED, count_max=10, offset=0)
        )
    [detail] = [row["detail"] for row in rows if row["event"] == "taken_over"]
    assert cast("dict[str, str]", detail)["document_id"] == REPORT_ID


async def test_a_submission_set_that_is_not_whole_is_told(settings, onlooker, tmp_path):
    """A copy that was broken off may lack any file; without its metadata nothing tells of a set."""
    half = {"KA202601/IHE_XDM/SS000002/KOS_2_1.DCM": a_pointer().document}
    archive = a_folder(tmp_path / "usb", {**an_archive(a_pointer()), **half})

    await import_medium(settings, archive, onlooker)

    assert onlooker.of(Fate.FAILED) == {
        "KA202601/IHE_XDM/SS000002": "a submission set without its METADATA.XML"
    }
    assert len(onlooker.of(Fate.TAKEN)) == 1


async def test_images_that_lie_within_an_archive_are_taken(settings, onlooker, tmp_path):
    image = {"KA202601/IHE_XDM/SS000001/IMAGE": file_of(a_slice())}
    archive = a_folder(tmp_path / "usb", {**an_archive(a_pointer()), **image})

    await import_medium(settings, archive, onlooker)

    assert len(onlooker.outcomes) == len(onlooker.of(Fate.TAKEN)) == 2
    assert await held(settings) == [a_slice().SOPInstanceUID]


async def held(settings: Settings) -> list[Uid]:
    """The instances that are held of the slices' study."""
    async with stores_in(settings.data_dir) as stores:
        return [one.description.instance for one in (await stores.snapshot()).images]


async def test_its_images_are_served_from_the_pacs_as_the_manifest_lists_them(tmp_path, onlooker):
    pacs = PacsSettings(ae_title="PACS", host="127.0.0.1", port=1)
    settings = Settings(data_dir=tmp_path / "gateway", pacs=(pacs,))

    await import_medium(settings, a_folder(tmp_path / "usb", an_archive(a_pointer())), onlooker)

    async with stores_in(settings.data_dir) as stores:
        shown = await stores.database.read(
            lambda tx: stores.studies.shown(tx, Resource(study=LISTED))
        )
    assert {one.pacs for one in shown} == {"PACS"}
    assert [one.description.instance for one in shown] == [
        f"{LISTED}.1.1", f"{LISTED}.1.2", f"{LISTED}.2.1",
    ]  # fmt: skip
    [first, *_] = shown
    assert first.description.patient.local_id == Identifier(value="LOC900", authority=CENTRE_OID)
    assert first.description.accession.value == "ACN9001"


async def test_a_pointer_that_is_there_is_not_taken_over_twice(settings, onlooker, tmp_path):
    archive = a_folder(tmp_path / "usb", an_archive(a_pointer()))
    await import_medium(settings, archive, onlooker)

    await import_medium(settings, archive, onlooker)

    assert [one.fate for one in onlooker.outcomes] == [Fate.TAKEN, Fate.KNOWN]
    assert len(await out(settings)) == 1


@pytest.fixture
async def heir_at_work(settings, heir, index, onlooker, tmp_path) -> Settings:
    """The heir, which took over what was published before it."""
    async with a_bench(settings, index) as bench:
        await publish(bench)
    await export_pointers(settings, tmp_path / "out.zip", Wanted(), onlooker)
    await import_medium(heir, tmp_path / "out.zip", onlooker)
    return heir


async def test_the_next_revision_replaces_what_was_taken_over(heir_at_work, index):
    async with a_bench(heir_at_work, index) as bench:
        bench.stores.clock.now_ms = LATER_MS
        await bench.tell_instance()
        await bench.tell_report(visibility=frozenset({Visibility.HIDDEN_FROM_PATIENT}))
        bench.stores.clock.now_ms += POLICY.settle_ms
        await bench.look()
        await bench.send()

    first, second = index.held
    entry = await index.find_by_unique_id(first.entry.unique_id)
    assert entry is not None
    assert (second.replaces, entry.status) == (entry.entry_id, EntryStatus.DEPRECATED)
    assert second.entry.unique_id != first.entry.unique_id


async def test_a_person_takes_back_what_was_taken_over(heir_at_work, index):
    async with a_bench(heir_at_work, index) as bench:
        bench.stores.clock.now_ms = LATER_MS
        await bench.tell_instance()
        await bench.act(ActKind.WITHDRAW)
        await bench.look()
        await bench.send()

    assert len(index.withdrawn) == 1
    assert await out(heir_at_work) == []


async def test_what_goes_out_and_comes_in_goes_out_the_same(
    settings, heir, index, onlooker, tmp_path
):
    async with a_bench(settings, index) as bench:
        await publish(bench)
    await export_pointers(settings, tmp_path / "first.zip", Wanted(), onlooker)
    await import_medium(heir, tmp_path / "first.zip", onlooker)

    written = await export_pointers(heir, tmp_path / "second.zip", Wanted(), onlooker)

    assert written == Written(pointers=1, left_behind=0)
    assert (tmp_path / "first.zip").read_bytes() == (tmp_path / "second.zip").read_bytes()
    [(_, submission)] = await out(heir)
    assert submission.entry.unique_id == index.held[0].entry.unique_id
    assert submission.document == index.held[0].document


async def test_a_pointer_that_was_withdrawn_does_not_go_out(settings, index, onlooker, tmp_path):
    async with a_bench(settings, index) as bench:
        await publish(bench)
        await bench.act(ActKind.WITHDRAW)
        await bench.look()

    written = await export_pointers(settings, tmp_path / "out", Wanted(), onlooker)

    assert written.pointers == 0


async def test_only_what_is_wanted_goes_out(settings, index, onlooker, tmp_path):
    async with a_bench(settings, index) as bench:
        await publish(bench)

    async def written(number: int, wanted: Wanted) -> int:
        to = tmp_path / f"{number}.zip"
        return (await export_pointers(settings, to, wanted, onlooker)).pointers

    assert await written(1, Wanted(studies={STUDY})) == 1
    assert await written(2, Wanted(studies={STUDY}, since=date(2026, 1, 1))) == 0
    assert await written(3, Wanted(since=date(1970, 1, 1))) == 1
    assert await written(4, Wanted(since=date(2026, 1, 1))) == 0


async def test_how_many_leave_images_behind_is_told(settings, index, onlooker, tmp_path):
    async with a_bench(settings, index) as bench:
        await publish(bench)
    pushed = await export_pointers(settings, tmp_path / "pushed", Wanted(), onlooker)
    async with a_bench(settings, index) as bench:
        await tell_answer(bench.stores, an_image())

    in_the_pacs = await export_pointers(settings, tmp_path / "in the PACS", Wanted(), onlooker)

    assert (pushed.left_behind, in_the_pacs.left_behind) == (1, 0)


async def test_a_study_that_has_no_pointer_out_is_not_passed_over_in_silence(
    settings, index, onlooker, tmp_path
):
    async with a_bench(settings, index) as bench:
        await publish(bench)

    for named in ({"1.2.3"}, {STUDY, "1.2.3"}, {"no UID", "1.2.3"}):
        with pytest.raises(NotFound, match=f"is out of {len(named - {STUDY})} of the"):
            await export_pointers(settings, tmp_path / "out", Wanted(studies=named), onlooker)

    assert not (tmp_path / "out").exists()


async def test_a_folder_that_no_gateway_worked_in_has_nothing_to_give(settings, onlooker, tmp_path):
    """More likely the wrong folder than a gateway without a pointer."""
    with pytest.raises(NotFound, match=r"no gateway has worked in .*: see GATEWAY_DATA_DIR"):
        await export_pointers(settings, tmp_path / "out", Wanted(), onlooker)

    assert not settings.data_dir.exists()


async def test_the_pointers_of_a_gateway_at_work_do_not_go_out(settings, onlooker, tmp_path):
    settings.data_dir.mkdir()

    with (
        FolderLock(settings.data_dir),
        pytest.raises(StorageUnavailable, match=f"process {os.getpid()} uses "),
    ):
        await export_pointers(settings, tmp_path / "out", Wanted(), onlooker)


async def test_nothing_that_is_there_is_written_over(settings, onlooker, tmp_path):
    settings.data_dir.mkdir()

    with pytest.raises(Conflict, match="is there already"):
        await export_pointers(settings, tmp_path, Wanted(), onlooker)


async def test_a_later_pointer_of_an_archive_goes_before_an_earlier(settings, onlooker, tmp_path):
    entry = a_pointer().entry
    later = a_pointer(created_at=entry.created_at + timedelta(days=1))
    earlier_files = an_archive(a_pointer())
    await import_medium(settings, a_folder(tmp_path / "late", an_archive(later)), onlooker)
    other = rewritten(earlier_files)

    await import_medium(settings, a_folder(tmp_path / "early", other), onlooker)

    assert onlooker.outcomes[-1].fate is Fate.SKIPPED
    assert onlooker.outcomes[-1].reason == "a later pointer of the study is known"


async def test_a_later_pointer_replaces_an_earlier_that_was_taken_over(
    settings, onlooker, tmp_path
):
    files = an_archive(a_pointer())
    await import_medium(settings, a_folder(tmp_path / "early", files), onlooker)
    later = rewritten(files, days=1)

    await import_medium(settings, a_folder(tmp_path / "late", later), onlooker)

    [(study, submission)] = await out(settings)
    assert (study, submission.entry.unique_id) == (LISTED, "2.25.1009")
    async with stores_in(settings.data_dir) as stores:
        assert (await stores.standing(LISTED))["revision"] == 2


async def test_what_a_person_took_back_does_not_come_back(settings, index, onlooker, tmp_path):
    archive = tmp_path / "out.zip"
    async with a_bench(settings, index) as bench:
        await publish(bench)
        await export_pointers(settings, archive, Wanted(), onlooker)
        await bench.act(ActKind.WITHDRAW)
        await bench.look()

        await import_medium(settings, archive, onlooker)
        await bench.send()
        await import_medium(settings, archive, onlooker)

    assert [(one.fate, one.reason) for one in onlooker.outcomes] == [
        (Fate.SKIPPED, "a pointer of the study is on its way to the index"),
        (Fate.SKIPPED, "the pointer of the study was withdrawn here"),
    ]
    assert await out(settings) == []


def rewritten(files: dict[str, bytes], *, days: int = 0) -> dict[str, bytes]:
    """The archive with a manifest of another UID, as long as the first."""
    document = next(data for name, data in files.items() if name.endswith(".DCM"))
    changed = document.replace(b"2.25.1001", b"2.25.1009")
    pointer = a_pointer()
    entry = replace(pointer.entry, unique_id=Uid("2.25.1009"), sha1="", size_bytes=SIZE_NOT_TOLD)
    entry = replace(entry, created_at=entry.created_at + timedelta(days=days))
    return an_archive(replace(pointer, entry=entry, document=changed))


@pytest.mark.parametrize(
    "told, reason",
    [
        ({"sha1": "0" * 40}, "the document's hash is not the one that its metadata tells"),
        ({"size_bytes": 1}, "the document is not of the size that its metadata tells"),
        ({"unique_id": Uid("2.25.9")}, "the metadata is that of another manifest"),
        (
            {"reference_ids": (ReferenceId(kind=ReferenceKind.STUDY, value="1.2.3"),)},
            "the manifest is of another study than its metadata",
        ),
        ({"patient": PAUL}, "the manifest is of another patient than its metadata"),
    ],
)
async def test_what_does_not_fit_its_manifest_is_not_taken_over(
    settings, onlooker, tmp_path, told, reason
):
    archive = a_folder(tmp_path / "usb", an_archive(a_pointer(**told)))

    await import_medium(settings, archive, onlooker)

    assert [(one.fate, one.reason) for one in onlooker.outcomes] == [(Fate.FAILED, reason)]
    assert await out(settings) == []
