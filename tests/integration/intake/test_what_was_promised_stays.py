"""What a storage commitment promised is held, whatever befalls an instance later (PS3.4 §J.3)."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from pathlib import Path

import pytest
from pydicom import dcmread

from gateway.lifecycle import READERS_GRACE_MS, Janitor
from gateway.model.act import Act, ActKind
from gateway.model.notification import PacsAnswered, PersonActed
from indexer.contract.identifiers import Uid
from simulators.imaging_centre.commitment import CommitmentAsker
from simulators.imaging_centre.modality import look_at, send_study
from simulators.imaging_centre.rejection import TITLES, save_rejection_note
from simulators.synthetic.examination import make_examination
from simulators.synthetic.studies import save_study
from tests.support.dicom_doors import DicomDoors, dicom_doors

WITHIN_S = 20
EXAMINATION = make_examination(17, 1, "CR")
STUDY = Uid(EXAMINATION.study_uid)

Befalls = Callable[[DicomDoors, Sequence[Path]], Awaitable[object]]


async def sent_again(doors: DicomDoors, files: Sequence[Path]) -> None:
    await asyncio.to_thread(send_study, files, doors.address)


async def corrected(doors: DicomDoors, files: Sequence[Path]) -> None:
    for path in files:
        ds = dcmread(path)
        ds.StudyDescription = "Radiographie, corrigée"
        ds.save_as(path)
    await asyncio.to_thread(send_study, files, doors.address)


async def rejected(doors: DicomDoors, files: Sequence[Path], *, code: str) -> None:
    note = save_rejection_note(files, code, files[0].parent / "note.dcm")
    await asyncio.to_thread(send_study, [note], doors.address)


async def decided_by_a_person(doors: DicomDoors, _files: Sequence[Path], *, kind: ActKind) -> None:
    act = PersonActed(study=STUDY, act=Act(kind=kind, reason="mauvais patient", by="somebody"))
    studies = doors.stores.studies
    await doors.stores.database.write(lambda tx: studies.person_acted(tx, act, now_ms=1))


async def unknown_to_every_pacs(doors: DicomDoors, _files: Sequence[Path]) -> None:
    answer = PacsAnswered(study=STUDY, held=(), asked_after=1_000)
    await doors.stores.database.write(
        lambda tx: doors.stores.studies.pacs_answered(tx, answer, now_ms=0)
    )


async def tidied_up_long_after(doors: DicomDoors) -> None:
    stores = doors.stores
    stores.clock.now_ms = int(time.time() * 1000) + 10 * READERS_GRACE_MS
    janitor = Janitor(stores.database, stores.discards, stores.objects, clock=stores.clock)
    await janitor.tidy()
    await janitor.sweep(older_than_s=0)


async def promised(doors: DicomDoors, files: Sequence[Path]) -> frozenset[str]:
    asker = CommitmentAsker()
    await asyncio.to_thread(asker.ask, look_at(files), doors.address, stay_s=WITHIN_S)
    return asker.outcome(within_s=0).kept


@pytest.mark.parametrize(
    "befalls",
    [
        sent_again,
        corrected,
        *(partial(rejected, code=code) for code in TITLES),
        *(partial(decided_by_a_person, kind=kind) for kind in (ActKind.DROP, ActKind.WITHDRAW)),
        unknown_to_every_pacs,
    ],
    ids=["again", "corrected", *TITLES, "dropped", "withdrawn", "in no PACS"],
)
async def test_what_was_promised_is_held_whatever_befalls_it(
    tmp_path: Path, befalls: Befalls
) -> None:
    files = list(save_study(EXAMINATION, tmp_path / "made"))
    everything = {one.uid for one in look_at(files)}
    async with dicom_doors(tmp_path / "gateway") as doors:
        await asyncio.to_thread(send_study, files, doors.address)
        assert await promised(doors, files) == everything

        await befalls(doors, files)
        await tidied_up_long_after(doors)

        assert await promised(doors, files) == everything
