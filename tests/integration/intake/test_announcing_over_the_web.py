"""The study webhook on a real server."""

import json

from indexer.contract.identifiers import Uid
from tests.support.studies import STUDY
from tests.support.web_doors import WebDoors

PATH = "/notifications/studies"
OTHER = Uid("1.2.3")


async def test_a_study_that_is_told_of_is_asked_for(doors: WebDoors) -> None:
    answer = await doors.post(PATH, json.dumps({"study_uid": STUDY}))

    assert answer.status == 202
    assert answer.told == {"announced": 1}
    assert (await doors.stores.snapshot()).ask_pacs_after == 1


async def test_a_list_is_told_of_whole(doors: WebDoors) -> None:
    many = [f"1.2.{number}" for number in range(250)]

    answer = await doors.post(PATH, json.dumps([*many, *many]))

    assert answer.told == {"announced": 250}
    assert (await doors.stores.snapshot(Uid("1.2.249"))).ask_pacs_after == 1


async def test_of_a_list_with_a_fault_nothing_is_told(doors: WebDoors) -> None:
    answer = await doors.post(PATH, json.dumps([OTHER, "EXEMPLE^CAMILLE"]))

    assert answer.status == 400
    assert b"EXEMPLE" not in answer.body
    found = await doors.stores.database.read(lambda tx: doors.stores.studies.snapshot(tx, OTHER))
    assert found is None


async def test_the_type_that_the_body_says_it_is_does_not_matter(doors: WebDoors) -> None:
    """Lua of Orthanc posts as a form where its script names no type."""
    kind = "application/x-www-form-urlencoded"

    answer = await doors.post(PATH, json.dumps({"StudyInstanceUID": STUDY}), Content_Type=kind)

    assert answer.status == 202


async def test_longer_than_a_notification_can_be_is_refused(doors: WebDoors) -> None:
    answer = await doors.post(PATH, b" " * (5 * 2**20))

    assert answer.status == 413
