"""What a patient does about their record, and who may not do it for them."""

from datetime import UTC, datetime
from pathlib import Path

import aiohttp
import pytest

from indexer.client.assertion import bearer, build_assertion
from indexer.wire.outcome import Json
from tests.support.guarded import a_guarded_index
from tests.support.health_pki import a_doctor, a_structure
from tests.support.indexes import a_served_index
from tests.support.pointers import ANNE

PERSON = {"ins": ANNE.value, "oid": ANNE.oid}
DOCTOR = "899700367909"


async def act(url: str, name: str, told: Json, **headers: str) -> tuple[int, Json]:
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{url}/api/records/{name}", json=told, headers=headers) as answer,
    ):
        return answer.status, await answer.json(content_type=None)


async def test_what_a_holder_chooses_is_shown_and_the_rest_stays(
    tmp_path: Path, database_url: str
) -> None:
    async with a_served_index(tmp_path, database_url=database_url) as url:
        await act(url, "choose", PERSON | {"excluded": ["bris_de_glace"], "opposed": True})
        _, shown = await act(url, "choose", PERSON | {"treating_doctor": DOCTOR})
        _, after = await act(url, "choose", PERSON | {"treating_doctor": "", "opposed": False})

    assert shown == {
        "state": "open",
        "opposed": True,
        "refuses_documents": False,
        "excluded": ["bris_de_glace"],
        "masked_in_emergency": False,
        "treating_doctor": DOCTOR,
        "professionals": [],
    }
    assert (after["opposed"], after["treating_doctor"]) == (False, "")


async def test_a_professional_is_let_in_until_a_time_and_shut_out_again(
    tmp_path: Path, database_url: str
) -> None:
    told = PERSON | {"professional": DOCTOR}
    async with a_served_index(tmp_path, database_url=database_url) as url:
        _, granted = await act(url, "grant", told | {"until": "2026-12-01T00:00:00+01:00"})
        _, blocked = await act(url, "block", told)
        _, unblocked = await act(url, "unblock", told)
        _, again = await act(url, "grant", told)
        _, revoked = await act(url, "revoke", told)

    assert granted["professionals"][0]["granted_until"] == "2026-11-30T23:00:00+00:00"
    [shut] = blocked["professionals"]
    assert shut["granted_at"] is None
    assert shut["blocked_at"] is not None
    assert unblocked["professionals"] == revoked["professionals"] == []
    assert again["professionals"][0]["granted_until"] is None


async def test_a_record_is_closed_and_opened_again(tmp_path: Path, database_url: str) -> None:
    async with a_served_index(tmp_path, database_url=database_url) as url:
        _, closed = await act(url, "close", PERSON)
        status, refused = await act(url, "choose", PERSON | {"opposed": True})
        _, opened = await act(url, "open", PERSON)

    assert (closed["state"], opened["state"]) == ("closed", "open")
    assert status == 422
    assert refused["issue"][0]["details"]["coding"][0]["code"] == "record-closed"


async def test_the_treating_doctor_is_not_shut_out(tmp_path: Path, database_url: str) -> None:
    async with a_served_index(tmp_path, database_url=database_url) as url:
        await act(url, "choose", PERSON | {"treating_doctor": DOCTOR})
        status, refused = await act(url, "block", PERSON | {"professional": DOCTOR})

    assert status == 422
    assert "name another" in refused["issue"][0]["diagnostics"]


@pytest.mark.parametrize("name, told, status", [
    ("show", {}, 400),
    ("show", {"ins": "1", "oid": ANNE.oid}, 400),
    ("choose", PERSON | {"opposed": "yes"}, 400),
    ("choose", PERSON | {"excluded": ["normal"]}, 400),
    ("choose", PERSON | {"treating_doctor": "a b"}, 400),
    ("grant", PERSON, 400),
    ("grant", PERSON | {"professional": DOCTOR, "until": "tomorrow"}, 400),
    ("block", PERSON | {"professional": "9" * 65}, 400),
    ("block", PERSON | {"professional": "9" * 5000}, 413),
])  # fmt: skip
async def test_what_cannot_be_read_is_refused(
    tmp_path: Path, database_url: str, name: str, told: Json, status: int
) -> None:
    async with a_served_index(tmp_path, database_url=database_url) as url:
        answered, refused = await act(url, name, told)

    assert answered == status
    assert ANNE.value not in str(refused)


async def test_an_act_that_says_more_than_it_may_does_nothing(
    tmp_path: Path, database_url: str
) -> None:
    async with a_served_index(tmp_path, database_url=database_url) as url:
        status, refused = await act(url, "choose", PERSON | {"oposed": True, "opposed": True})
        _, shown = await act(url, "show", PERSON)

    assert (status, shown["opposed"]) == (400, False)
    told = refused["issue"][0]["diagnostics"]
    assert ("oposed" in told, "treating_doctor" in told) == (False, True)


async def test_an_act_is_told_in_json(tmp_path: Path) -> None:
    async with (
        a_served_index(tmp_path) as url,
        aiohttp.ClientSession() as session,
        session.post(f"{url}/api/records/show", data=PERSON) as answer,
    ):
        refused = await answer.json(content_type=None)

    assert (answer.status, refused["issue"][0]["diagnostics"]) == (
        415,
        "the body must be application/json",
    )


async def test_nobody_else_does_it_for_them(tmp_path: Path, database_url: str) -> None:
    async with a_guarded_index(tmp_path) as url:
        nobody, _ = await act(url, "close", PERSON)
        shown = bearer(build_assertion(a_doctor(), a_structure(), now=datetime.now(UTC)))
        doctor, refused = await act(url, "close", PERSON, Authorization=shown)

    assert (nobody, doctor) == (401, 403)
    assert refused["issue"][0]["code"] == "forbidden"
