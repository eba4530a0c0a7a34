"""A folder of DICOM files goes by the way of a C-STORE, and can be broken off anywhere."""

import asyncio
import os
from hashlib import sha256
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.uid import UID

from gateway.app.files import import_medium
from gateway.errors import InvalidRequest, StorageUnavailable
from gateway.media.tally import Fate
from gateway.settings import Settings
from gateway.storage.lock import FolderLock
from gateway.storage.objects import ObjectStore
from indexer.contract.identifiers import Uid
from simulators.synthetic.examination import make_examination
from simulators.synthetic.studies import save_study
from tests.support.gateway_stores import stores_in
from tests.support.media import a_zip
from tests.unit.media.test_dicomdir import a_directory


@pytest.fixture
def medium(tmp_path: Path) -> Path:
    """A folder with one study of several instances."""
    save_study(EXAMINATION, tmp_path / "medium" / "IMAGES")
    return tmp_path / "medium"


EXAMINATION = make_examination(41, 1, "CT")
STUDY = Uid(EXAMINATION.study_uid)


def files_of(medium: Path) -> dict[str, Path]:
    return {path.relative_to(medium).as_posix(): path for path in medium.rglob("*.dcm")}


def digest(path: Path) -> str:
    """Of the data set, as it was sent."""
    data = path.read_bytes()
    length = int.from_bytes(data[140:144], "little")
    return sha256(data[144 + length :]).hexdigest()


async def digests_in(settings: Settings) -> dict[str, str]:
    """What is kept of the study, by instance."""
    async with stores_in(settings.data_dir) as stores:
        snapshot = await stores.snapshot(STUDY)
        kept = {one.description.instance: one.stored for one in snapshot.images}
        paths = {uid: stores.objects.path(one.key) for uid, one in kept.items() if one}
        for uid, path in paths.items():
            stored = kept[uid]
            assert stored is not None
            assert sha256(path.read_bytes()[-stored.size_bytes :]).hexdigest() == stored.sha256
        return {uid: one.sha256 for uid, one in kept.items() if one is not None}


async def test_every_instance_is_kept_as_it_is_and_its_study_is_due(settings, medium, onlooker):
    files = files_of(medium)

    await import_medium(settings, medium, onlooker)

    assert onlooker.of(Fate.TAKEN).keys() == files.keys()
    assert onlooker.total == onlooker.advanced == len(files)
    wanted = {str(dcmread(path).SOPInstanceUID): digest(path) for path in files.values()}
    assert await digests_in(settings) == wanted
    async with stores_in(settings.data_dir) as stores:
        assert await stores.database.read(stores.standings.next_due_at_ms) is not None


async def test_an_archive_is_read_like_a_folder(settings, medium, onlooker, tmp_path):
    files = {name: path.read_bytes() for name, path in files_of(medium).items()}

    await import_medium(settings, a_zip(tmp_path / "medium.zip", files), onlooker)

    assert onlooker.of(Fate.TAKEN).keys() == files.keys()


async def test_what_is_in_is_passed_over_the_next_time(settings, medium, onlooker, monkeypatch):
    await import_medium(settings, medium, onlooker)
    before = await digests_in(settings)
    onlooker.outcomes.clear()
    monkeypatch.setattr(ObjectStore, "look_and_place", _must_not_be_called)

    await import_medium(settings, medium, onlooker)

    assert onlooker.of(Fate.KNOWN).keys() == files_of(medium).keys()
    assert await digests_in(settings) == before


async def _must_not_be_called(*_: object) -> str:
    raise AssertionError("what is in was kept again")


async def test_an_import_that_was_broken_off_goes_on_where_it_was(settings, medium, onlooker):
    files = files_of(medium)

    onlooker.breaks_off = asyncio.create_task(import_medium(settings, medium, onlooker))
    with pytest.raises(asyncio.CancelledError):
        await onlooker.breaks_off
    onlooker.outcomes.clear()
    onlooker.breaks_off = None
    await import_medium(settings, medium, onlooker)

    assert len(onlooker.of(Fate.KNOWN)) >= 3
    assert onlooker.of(Fate.KNOWN).keys() | onlooker.of(Fate.TAKEN).keys() == files.keys()
    assert list((settings.data_dir / "store/spool").iterdir()) == []
    assert len(await digests_in(settings)) == len(files)


async def test_losing_the_journal_costs_time_only(settings, medium, onlooker):
    await import_medium(settings, medium, onlooker)
    before = await digests_in(settings)
    for path in (settings.data_dir / "imports").iterdir():
        path.unlink()

    await import_medium(settings, medium, onlooker)

    assert await digests_in(settings) == before
    assert len(list((settings.data_dir / "store/objects").rglob("*/*"))) == len(before)


async def test_a_file_that_has_changed_is_taken_again(settings, medium, onlooker):
    await import_medium(settings, medium, onlooker)
    name, path = min(files_of(medium).items())
    ds = dcmread(path)
    ds.SeriesDescription = "corrected"
    ds.save_as(path)
    onlooker.outcomes.clear()

    await import_medium(settings, medium, onlooker)

    assert list(onlooker.of(Fate.TAKEN)) == [name]
    assert (await digests_in(settings))[str(ds.SOPInstanceUID)] == digest(path)


async def test_a_file_whose_head_names_another_instance_goes_by_its_data_set(
    settings, medium, onlooker
):
    path = min(files_of(medium).values())
    ds = dcmread(path)
    ds.file_meta.MediaStorageSOPInstanceUID = UID("2.25.7")
    ds.save_as(path)

    await import_medium(settings, medium, onlooker)

    assert onlooker.of(Fate.FAILED) == {}
    assert str(ds.SOPInstanceUID) in await digests_in(settings)
    assert list((settings.data_dir / "store/spool").iterdir()) == []


async def test_what_is_no_instance_is_skipped_with_its_reason(settings, medium, onlooker):
    (medium / "AUTORUN.INF").write_text("[autorun]")
    (medium / "empty").touch()
    os.mkfifo(medium / "pipe")
    names = [name.split("/") for name in files_of(medium)]
    (medium / "DICOMDIR").write_bytes(a_directory(*names))

    await import_medium(settings, medium, onlooker)

    assert onlooker.of(Fate.FAILED) == {}
    assert onlooker.of(Fate.SKIPPED) == {
        "AUTORUN.INF": "not a DICOM file",
        "empty": "not a DICOM file",
        "pipe": "a link or a device",
        "DICOMDIR": "a DICOMDIR",
    }


async def test_an_instance_that_cannot_be_taken_is_told_and_leaves_nothing(
    settings, medium, onlooker
):
    whole = min(files_of(medium).values()).read_bytes()
    (medium / "head only.dcm").write_bytes(whole[:200])
    (medium / "private.dcm").write_bytes(
        whole.replace(b"1.2.840.10008.5.1.4.1.1.2\0", b"1.2.3" * 5 + b"\0", 1)
    )
    nameless = dcmread(min(files_of(medium).values()))
    del nameless.StudyInstanceUID
    nameless.save_as(medium / "nameless.dcm")

    await import_medium(settings, medium, onlooker)

    failed = onlooker.of(Fate.FAILED)
    assert failed.keys() == {"head only.dcm", "private.dcm", "nameless.dcm"}
    assert failed["nameless.dcm"] == "the instance's StudyInstanceUID is absent"
    assert failed["private.dcm"] == "its SOP class is none that is stored here"
    assert list((settings.data_dir / "store/spool").iterdir()) == []


async def test_an_instance_that_is_too_long_is_not_read(tmp_path, medium, onlooker):
    settings = Settings(data_dir=tmp_path / "gateway", instance_mib_max=1)
    [first, *_] = files_of(medium).values()
    with first.open("ab") as file:
        file.truncate(2**20 + 1)

    await import_medium(settings, medium, onlooker)

    assert list(onlooker.of(Fate.FAILED).values()) == ["longer than GATEWAY_INSTANCE_MIB_MAX"]


async def test_what_a_dicomdir_lists_and_is_not_there_is_told(settings, medium, onlooker):
    (medium / "DICOMDIR").write_bytes(a_directory(["IMAGES", "0001.DCM"], ["IMAGES", "LOST"]))

    await import_medium(settings, medium, onlooker)

    assert onlooker.of(Fate.FAILED) == {"IMAGES/LOST": "listed in the DICOMDIR and not there"}


async def test_a_dicomdir_that_cannot_be_read_hinders_nothing(settings, medium, onlooker):
    files = files_of(medium)
    (medium / "DICOMDIR").write_bytes(b"damaged")

    await import_medium(settings, medium, onlooker)

    assert onlooker.of(Fate.TAKEN).keys() == files.keys()
    assert onlooker.of(Fate.FAILED) == {"DICOMDIR": "no DICOMDIR: its prefix is missing"}


async def test_a_gateway_at_work_is_not_disturbed(settings, medium, onlooker):
    settings.data_dir.mkdir()

    with (
        FolderLock(settings.data_dir),
        pytest.raises(StorageUnavailable, match=f"process {os.getpid()} uses "),
    ):
        await import_medium(settings, medium, onlooker)

    assert onlooker.outcomes == []


async def test_a_full_disk_ends_the_import_and_loses_nothing(
    settings, medium, onlooker, monkeypatch
):
    with monkeypatch.context() as full:
        full.setattr(ObjectStore, "look_and_place", _full)
        with pytest.raises(StorageUnavailable):
            await import_medium(settings, medium, onlooker)

    await import_medium(settings, medium, onlooker)

    assert onlooker.of(Fate.TAKEN).keys() == files_of(medium).keys()


async def _full(*_: object) -> str:
    await asyncio.sleep(0)
    raise StorageUnavailable("the disk is full")


async def test_what_is_no_medium_is_refused(settings, onlooker, tmp_path):
    (tmp_path / "file").write_text("hello")

    with pytest.raises(InvalidRequest, match="not a folder or a zip archive"):
        await import_medium(settings, tmp_path / "file", onlooker)
