"""What is pulled is compared with what its study is published by, before anybody has it."""

from dataclasses import replace

import aiohttp
import pytest

from gateway.model.decision import SetAside
from gateway.model.notification import PatientTold
from gateway.model.patient import PatientWord
from gateway.model.publishing import publishable
from gateway.storage.database import Transaction
from indexer.contract.document import Identifier
from tests.support.pointers import a_submission
from tests.support.retrieval import Bench, a_slice
from tests.support.studies import (
    LOCAL_ID,
    SERIES,
    STUDY,
    WITH_PACS,
    a_patient,
    report_news,
)

INSTANCES = f"/studies/{STUDY}/series/{SERIES}/instances"


async def test_what_did_not_fit_is_given_to_nobody_until_it_is_settled(bench: Bench) -> None:
    studies, write = bench.stores.studies, bench.stores.database.write
    await write(lambda tx: studies.report_received(tx, report_news(), now_ms=0))
    await bench.hold_in_pacs(a_slice(1), a_slice(2, PatientID="SOMEONE-ELSE"))
    async with bench.get() as broken_off:
        with pytest.raises(aiohttp.ClientPayloadError):
            await broken_off.read()
    await bench.pulled()
    sent, news = bench.pacs.sent, (await bench.stores.snapshot()).news

    async with bench.get(f"{INSTANCES}/{SERIES}.1") as stored:
        assert stored.status == 409
    async with bench.get(f"{INSTANCES}/{SERIES}.2") as in_pacs:
        assert in_pacs.status == 409
    asked_since = bench.pacs.sent - sent
    told_since = (await bench.stores.snapshot()).news - news
    again = replace(report_news(), message_digest="again")
    await write(lambda tx: studies.report_received(tx, again, now_ms=0))
    async with bench.get(f"{INSTANCES}/{SERIES}.1") as settled:
        assert settled.status == 200

    assert (asked_since, told_since) == (0, 0)


async def test_another_patients_images_do_not_leave_by_a_pointer_without_report(
    bench: Bench,
) -> None:
    """It was taken over from another gateway: nobody here speaks for the study but the pointer."""
    await bench.hold_in_pacs(a_slice(1, PatientID="SOMEONE-ELSE"))
    await publish(bench)

    async with bench.get() as response:
        text = await response.text()

    decision = publishable(await bench.stores.snapshot(), WITH_PACS, now_ms=0)
    assert response.status == 409
    assert "SOMEONE-ELSE" not in text
    assert isinstance(decision, SetAside)
    assert (decision.code, decision.withdraws) == ("patient_differs", True)
    await bench.tidied()


async def test_the_pointers_own_patients_images_leave_by_it(bench: Bench) -> None:
    await bench.hold_in_pacs(a_slice(1))
    await publish(bench)

    [came] = await bench.fetched()

    assert came.PatientID == LOCAL_ID.value


async def test_images_under_an_id_that_was_merged_into_the_patients_leave(bench: Bench) -> None:
    await bench.hold_in_pacs(a_slice(1, PatientID="MERGED"))
    await publish(bench)
    word = PatientWord(
        event="A40",
        told_at=None,
        identity_status="VALI",
        patient=a_patient(),
        merged=(Identifier(value="MERGED", authority=LOCAL_ID.authority),),
    )
    told = PatientTold(message_digest="merge", word=word)
    studies = bench.stores.studies
    await bench.stores.database.write(lambda tx: studies.patient_told(tx, told, now_ms=0))

    [came] = await bench.fetched()

    assert came.PatientID == "MERGED"


async def test_a_copy_is_not_given_once_its_report_names_another_patient(bench: Bench) -> None:
    """The patient was corrected after the images were pulled; the PACS has not been yet."""
    studies, write = bench.stores.studies, bench.stores.database.write
    await write(lambda tx: studies.report_received(tx, report_news(), now_ms=0))
    await bench.hold_in_pacs(a_slice(1))
    await bench.fetched()
    await bench.pulled()
    other = (Identifier(value="OTHER", authority=LOCAL_ID.authority),)
    patient = replace(a_patient(), local_ids=other)
    corrected = report_news("m2", version=2, announced=patient, patient=patient)

    await write(lambda tx: studies.report_received(tx, corrected, now_ms=0))

    async with bench.get() as response:
        assert response.status == 409


async def publish(bench: Bench) -> None:
    """Have the study's pointer be out, for the patient of `tests.support.studies`."""
    submission = a_submission()
    entry = replace(submission.entry, local_patient=LOCAL_ID)
    taken = replace(submission, entry=entry)

    async def work(tx: Transaction) -> None:
        await bench.stores.outbox.adopt(tx, "taken", taken, study=STUDY, revision=1, now_ms=0)
        decided = "UPDATE studies SET revision = 1, state = 'published' WHERE study_uid = :study"
        await tx.fetch(decided, study=STUDY)

    await bench.stores.database.write(work)
