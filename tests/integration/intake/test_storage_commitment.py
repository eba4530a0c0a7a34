"""Storage commitment (PS3.4 Annex J): what is promised, and that its result is told."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from pydicom import Dataset
from pydicom.uid import UID, generate_uid
from pynetdicom import AE, evt
from pynetdicom.presentation import build_context

from gateway.dimse.requesting import Listener
from gateway.intake import commitments
from gateway.model.notification import HeldByPacs, PacsAnswered, StudyAnnounced
from simulators.imaging_centre.commitment import PUSH_MODEL, CommitmentAsker, build_request
from simulators.imaging_centre.dimse import associate
from simulators.imaging_centre.modality import MadeInstance, look_at, send_study
from simulators.synthetic.examination import make_examination
from simulators.synthetic.studies import save_study
from tests.support.certificates import Centre
from tests.support.dicom_doors import HOST, RETRY_S, DicomDoors, dicom_doors
from tests.support.studies import STUDY, an_image
from tests.support.world import until

WITHIN_S = 20
MR = "1.2.840.10008.5.1.4.1.1.4"
NO_SUCH_INSTANCE, ANOTHER_CLASS = 0x0112, 0x0119


@pytest.fixture
def asker() -> Iterator[CommitmentAsker]:
    asker = CommitmentAsker("MODALITE")
    yield asker
    asker.close()


def at(port: int) -> dict[str, Listener]:
    """Where the modality listens."""
    return {"MODALITE": Listener(host=HOST, port=port)}


async def a_stored_study(doors: DicomDoors, folder: Path) -> list[MadeInstance]:
    files = save_study(make_examination(17, 1, "CR"), folder)
    await asyncio.to_thread(send_study, files, doors.address)
    return look_at(files)


async def until_told_all(doors: DicomDoors) -> None:
    async def ask() -> bool:
        return await doors.count("commitments") == 0

    await until(ask)


def request(doors: DicomDoors, ds: Dataset, *, action: int = 1, instance: str = "") -> Dataset:
    association = associate("MODALITE", doors.address, [build_context(PUSH_MODEL)])
    answer, _ = association.send_n_action(
        ds, action, UID(PUSH_MODEL), UID(instance or "1.2.840.10008.1.20.1.1")
    )
    association.release()
    return answer


async def test_what_is_durable_here_is_promised_on_the_association_that_asks(
    tmp_path: Path, asker: CommitmentAsker
) -> None:
    async with dicom_doors(tmp_path / "gateway") as doors:
        made = await a_stored_study(doors, tmp_path / "made")

        transaction = await asyncio.to_thread(asker.ask, made, doors.address, stay_s=WITHIN_S)
        outcome = asker.outcome(within_s=0)
        await until_told_all(doors)

    assert outcome.transaction_uid == transaction
    assert outcome.kept == {one.uid for one in made}
    assert outcome.failed == {}
    assert outcome.event_type == 1
    assert outcome.same_association


async def test_who_leaves_is_told_on_an_association_of_the_gateways_own(
    tmp_path: Path, asker: CommitmentAsker
) -> None:
    port = asker.start(HOST, 0)
    async with dicom_doors(tmp_path / "gateway", listening=at(port)) as doors:
        made = await a_stored_study(doors, tmp_path / "made")

        await asyncio.to_thread(asker.ask, made, doors.address)
        outcome = await asyncio.to_thread(asker.outcome, within_s=WITHIN_S)
        await until_told_all(doors)

    assert outcome.kept == {one.uid for one in made}
    assert not outcome.same_association


async def test_who_is_reached_by_tls_is_told_by_tls(tmp_path: Path, asker: CommitmentAsker) -> None:
    centre = Centre(tmp_path / "centre")
    port = asker.start(HOST, 0, tls=centre.listens(centre.modality))
    listening = {"MODALITE": Listener(host=HOST, port=port, tls=centre.opens())}
    async with dicom_doors(tmp_path / "gateway", listening=listening) as doors:
        made = await a_stored_study(doors, tmp_path / "made")

        await asyncio.to_thread(asker.ask, made, doors.address)
        outcome = await asyncio.to_thread(asker.outcome, within_s=WITHIN_S)
        await until_told_all(doors)

    assert outcome.kept == {one.uid for one in made}


async def test_what_is_not_here_or_of_another_class_is_not_promised(
    tmp_path: Path, asker: CommitmentAsker
) -> None:
    async with dicom_doors(tmp_path / "gateway") as doors:
        held, *_ = await a_stored_study(doors, tmp_path / "made")
        unknown = replace(held, uid=str(generate_uid()))
        asked = [held, replace(held, sop_class=MR), unknown]

        await asyncio.to_thread(asker.ask, asked, doors.address, stay_s=WITHIN_S)
        outcome = asker.outcome(within_s=0)

    assert outcome.event_type == 2
    assert outcome.kept == {held.uid}
    assert outcome.failed == {held.uid: ANOTHER_CLASS, unknown.uid: NO_SUCH_INSTANCE}


async def test_what_a_pacs_alone_holds_is_not_promised(
    tmp_path: Path, asker: CommitmentAsker
) -> None:
    image = an_image(1)
    announced = StudyAnnounced(study=STUDY)
    answer = PacsAnswered(study=STUDY, held=(HeldByPacs(pacs="PACS", image=image),), asked_after=1)
    async with dicom_doors(tmp_path / "gateway") as doors:
        write, studies = doors.stores.database.write, doors.stores.studies
        await write(lambda tx: studies.study_announced(tx, announced, now_ms=0))
        await write(lambda tx: studies.pacs_answered(tx, answer, now_ms=0))
        known = MadeInstance(image.instance, image.sop_class, "", image.series)

        await asyncio.to_thread(asker.ask, [known], doors.address, stay_s=WITHIN_S)
        outcome = asker.outcome(within_s=0)

    assert outcome.failed == {image.instance: NO_SUCH_INSTANCE}


async def lose(doors: DicomDoors, instance: str) -> None:
    """As a disk does that was not asked."""
    [row] = await doors.stores.database.read(
        lambda tx: tx.fetch(
            "SELECT object_key FROM instances WHERE instance_uid = :uid", uid=instance
        )
    )
    doors.stores.objects.path(str(row["object_key"])).write_bytes(b"")


async def test_what_the_disk_has_lost_is_not_promised(
    tmp_path: Path, asker: CommitmentAsker
) -> None:
    async with dicom_doors(tmp_path / "gateway") as doors:
        [lost, *kept] = await a_stored_study(doors, tmp_path / "made")
        await lose(doors, lost.uid)

        await asyncio.to_thread(asker.ask, [lost, *kept], doors.address, stay_s=WITHIN_S)
        outcome = asker.outcome(within_s=0)

    assert outcome.failed == {lost.uid: NO_SUCH_INSTANCE}
    assert outcome.kept == {one.uid for one in kept}


async def test_what_the_disk_has_lost_is_promised_once_it_was_sent_again(
    tmp_path: Path, asker: CommitmentAsker
) -> None:
    async with dicom_doors(tmp_path / "gateway") as doors:
        made = await a_stored_study(doors, tmp_path / "made")
        await lose(doors, made[0].uid)

        await a_stored_study(doors, tmp_path / "again")
        await asyncio.to_thread(asker.ask, made, doors.address, stay_s=WITHIN_S)
        outcome = asker.outcome(within_s=0)

    assert outcome.kept == {one.uid for one in made}


async def test_a_result_that_cannot_be_told_is_told_later(
    tmp_path: Path, asker: CommitmentAsker
) -> None:
    port = asker.start(HOST, 0)
    asker.close()
    async with dicom_doors(tmp_path / "gateway", listening=at(port)) as doors:
        made = await a_stored_study(doors, tmp_path / "made")
        await asyncio.to_thread(asker.ask, made, doors.address)
        await until_attempted(doors)

        asker.start(HOST, port)
        doors.wait(RETRY_S + 1)
        outcome = await asyncio.to_thread(asker.outcome, within_s=WITHIN_S)
        await until_told_all(doors)

    assert outcome.kept == {one.uid for one in made}


async def until_attempted(doors: DicomDoors) -> None:
    """Until the first attempt on an association of the gateway's own has ended."""

    async def ask() -> bool:
        [row] = await doors.stores.database.read(
            lambda tx: tx.fetch("SELECT attempts, due_at_ms FROM commitments")
        )
        return (row["attempts"], row["due_at_ms"]) == (1, RETRY_S * 1000)

    await until(ask)


async def test_a_result_is_told_by_a_gateway_that_was_started_anew(
    tmp_path: Path, asker: CommitmentAsker
) -> None:
    async with dicom_doors(tmp_path / "gateway") as doors:  # where it listens is not known yet
        made = await a_stored_study(doors, tmp_path / "made")
        await asyncio.to_thread(asker.ask, made, doors.address)
        await until_attempted(doors)
    listening = at(asker.start(HOST, 0))

    async with dicom_doors(tmp_path / "gateway", listening=listening) as doors:
        doors.wait(RETRY_S + 1)
        outcome = await asyncio.to_thread(asker.outcome, within_s=WITHIN_S)
        await until_told_all(doors)

    assert outcome.kept == {one.uid for one in made}


async def test_who_is_never_reached_is_given_up(tmp_path: Path, asker: CommitmentAsker) -> None:
    async with dicom_doors(tmp_path / "gateway") as doors:
        made = await a_stored_study(doors, tmp_path / "made")
        await asyncio.to_thread(asker.ask, made, doors.address)
        await until_attempted(doors)

        doors.wait(commitments.GIVEN_UP_MS / 1000 + 1)

        await until_told_all(doors)


async def test_an_answer_other_than_success_is_told_again_on_another_association(
    tmp_path: Path, asker: CommitmentAsker
) -> None:
    port = asker.start(HOST, 0)
    refused = asyncio.Event()
    loop = asyncio.get_running_loop()

    def refuse(_event: evt.Event) -> tuple[int, None]:
        loop.call_soon_threadsafe(refused.set)
        return 0x0110, None

    async with dicom_doors(tmp_path / "gateway", listening=at(port)) as doors:
        made = await a_stored_study(doors, tmp_path / "made")
        association = await asyncio.to_thread(
            associate,
            "MODALITE",
            doors.address,
            [build_context(PUSH_MODEL)],
            handlers=[(evt.EVT_N_EVENT_REPORT, refuse)],
        )
        ds = build_request(str(generate_uid()), made)
        await asyncio.to_thread(
            association.send_n_action, ds, 1, UID(PUSH_MODEL), UID("1.2.840.10008.1.20.1.1")
        )
        async with asyncio.timeout(WITHIN_S):
            await refused.wait()
        outcome = await asyncio.to_thread(asker.outcome, within_s=WITHIN_S)
        await asyncio.to_thread(association.release)

    assert not outcome.same_association


async def test_an_asker_that_accepts_without_a_word_on_roles_is_told(tmp_path: Path) -> None:
    entity = AE("MODALITE")
    entity.add_supported_context(PUSH_MODEL)
    told = asyncio.Event()
    loop = asyncio.get_running_loop()

    def note(_event: evt.Event) -> tuple[int, None]:
        loop.call_soon_threadsafe(told.set)
        return 0, None

    server = entity.start_server(
        (HOST, 0), block=False, evt_handlers=[(evt.EVT_N_EVENT_REPORT, note)]
    )
    assert server is not None
    listening = at(int(server.server_address[1]))
    async with dicom_doors(tmp_path / "gateway", listening=listening) as doors:
        made = await a_stored_study(doors, tmp_path / "made")
        await asyncio.to_thread(CommitmentAsker("MODALITE").ask, made, doors.address)

        async with asyncio.timeout(WITHIN_S):
            await told.wait()
        await until_told_all(doors)
    await asyncio.to_thread(server.shutdown)


async def test_the_same_request_again_waits_once(tmp_path: Path) -> None:
    async with dicom_doors(tmp_path / "gateway") as doors:
        made = await a_stored_study(doors, tmp_path / "made")
        transaction = str(generate_uid())

        for _ in range(2):
            answer = await asyncio.to_thread(request, doors, build_request(transaction, made))
            assert answer.Status == 0

        assert await doors.count("commitments") == 1


async def test_a_transaction_that_waits_stands_for_nothing_else(tmp_path: Path) -> None:
    async with dicom_doors(tmp_path / "gateway") as doors:
        made = await a_stored_study(doors, tmp_path / "made")
        transaction = str(generate_uid())
        await asyncio.to_thread(request, doors, build_request(transaction, made))

        other = build_request(transaction, [replace(made[0], uid="1.2.3")])
        answer = await asyncio.to_thread(request, doors, other)

    assert answer.Status == 0x0110
    assert answer.ErrorComment == "the transaction UID is in use"


async def test_too_many_that_wait_leave_no_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commitments, "WAITING_INSTANCES_MAX", 2)
    made = [MadeInstance(f"1.2.{n}", MR, "", "1.2") for n in range(2)]
    async with dicom_doors(tmp_path / "gateway") as doors:
        first = await asyncio.to_thread(request, doors, build_request("1.1", made))
        second = await asyncio.to_thread(request, doors, build_request("1.2", made))

    assert first.Status == 0
    assert second.Status == 0x0213


async def test_another_instance_or_action_is_refused(tmp_path: Path) -> None:
    ds = build_request("1.1", [MadeInstance("1.2", MR, "", "1.2")])
    async with dicom_doors(tmp_path / "gateway") as doors:
        instance = await asyncio.to_thread(request, doors, ds, instance="1.2.3")
        action = await asyncio.to_thread(request, doors, ds, action=2)
        nothing = await asyncio.to_thread(request, doors, build_request("1.1", []))

    assert instance.Status == 0x0112
    assert action.Status == 0x0123
    assert (nothing.Status, nothing.ErrorComment) == (0x0115, "ReferencedSOPSequence is empty")
