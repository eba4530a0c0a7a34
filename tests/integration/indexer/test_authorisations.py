"""Who may open a record is tested and declared as at the DMP, and both protocols go by it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import aiohttp
import pytest

from indexer.client.assertion import bearer, build_assertion
from indexer.client.mhd import MhdIndex
from indexer.contract.access import Authentication, Caller, Purpose
from indexer.contract.document import Person
from indexer.wire.hl7_values import write_patient
from indexer.wire.outcome import Json
from indexer.wire.xds.stored_query import QueryKind
from indexer.wire.xml import Element
from tests.support.dmp_messages import (
    DECLARE,
    TEST,
    a_declaration,
    a_test,
    attention,
    attribute,
    declared,
    existence,
    failure,
)
from tests.support.guarded import a_guarded_index, ask_as
from tests.support.health_pki import a_doctor, a_structure
from tests.support.pointers import ANNE, PAUL, a_submission
from tests.support.xds import APPROVED, QUERY, Reply, ask, query_body

DOCTOR = a_doctor()
OTHER = replace(DOCTOR, person=Person(number="899700000001", family="AUTRE"))
CENTRE = replace(DOCTOR, authentication=Authentication.INDIRECT)
PERSON = {"ins": ANNE.value, "oid": ANNE.oid}


@dataclass(frozen=True)
class Index:
    """An index that asks who one is."""

    url: str

    async def asks(self, caller: Caller, address: str, action: str, body: Element) -> Reply:
        shown = build_assertion(caller, a_structure(), now=datetime.now(UTC))
        return await ask_as(f"{self.url}/xds/{address}", action, body, shown)

    async def tests(self, caller: Caller) -> tuple[str, str, str]:
        return existence(await self.asks(caller, "patients", TEST, a_test()))

    async def declares(self, caller: Caller, action: str = "AJOUT", role: str = "") -> str:
        told = a_declaration(action, role)
        return declared(await self.asks(caller, "habilitations", DECLARE, told))[0]

    async def finds(self, caller: Caller) -> tuple[int, int]:
        """What a search finds by FHIR and by XDS.b; where it is refused, the status, and -1."""
        headers = {
            "Authorization": bearer(build_assertion(caller, a_structure(), now=datetime.now(UTC)))
        }
        search = {
            "patient.identifier": f"urn:oid:{ANNE.oid}|{ANNE.value}",
            "status": "current",
        }
        async with (
            aiohttp.ClientSession() as session,
            session.post(
                f"{self.url}/fhir/DocumentReference/_search", data=search, headers=headers
            ) as answer,
        ):
            told = await answer.json(content_type=None)
            by_fhir = len(told.get("entry", [])) if answer.status == 200 else answer.status
        query = query_body(
            QueryKind.FIND_DOCUMENTS,
            [
                ("$XDSDocumentEntryPatientId", f"'{write_patient(ANNE)}'"),
                ("$XDSDocumentEntryStatus", f"('{APPROVED}')"),
            ],
        )
        reply = await self.asks(caller, "registry", QUERY, query)
        return by_fhir, -1 if reply.errors else len(reply.ids("ExtrinsicObject"))


async def acted(url: str, act: str, **told: object) -> tuple[int, Json]:
    """What a patient's act is answered."""
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{url}/api/records/{act}", json=PERSON | told) as answer,
    ):
        return answer.status, await answer.json(content_type=None)


async def with_acts(folder: Path, *acts: tuple[str, Json]) -> None:
    """Have Anne do these about her record, in which a pointer lies."""
    async with a_guarded_index(folder, open_access=True) as url, aiohttp.ClientSession() as session:
        await MhdIndex(url, session).submit(a_submission())
        for act, told in acts:
            assert (await acted(url, act, **told))[0] == 200


@asynccontextmanager
async def guarded(folder: Path) -> AsyncIterator[Index]:
    async with a_guarded_index(folder) as url:
        yield Index(url)


async def test_who_declares_is_let_in_by_both_protocols_until_they_take_it_back(
    tmp_path: Path,
) -> None:
    await with_acts(tmp_path)

    async with guarded(tmp_path) as index:
        assert await index.tests(DOCTOR) == ("OK", "active", "INEXISTANTE")
        assert await index.finds(DOCTOR) == (403, -1)
        assert await index.declares(DOCTOR) == "DMPOk"
        assert await index.tests(DOCTOR) == ("OK", "active", "VALIDE")
        assert await index.finds(DOCTOR) == (1, 1)
        assert await index.finds(OTHER) == (403, -1)
        again = await index.asks(DOCTOR, "habilitations", DECLARE, a_declaration())
        assert declared(again) == ("DMPOk", "nothing was to be done")
        assert await index.declares(DOCTOR, "SUPPRESSION") == "DMPOk"
        assert await index.finds(DOCTOR) == (403, -1)


@pytest.mark.parametrize("act, told", [
    ("block", {"professional": DOCTOR.person.number}),
    ("choose", {"opposed": True}),
])  # fmt: skip
async def test_who_is_shut_out_cannot_declare(tmp_path: Path, act: str, told: Json) -> None:
    await with_acts(tmp_path, (act, told))

    async with guarded(tmp_path) as index:
        assert await index.tests(DOCTOR) == ("OK", "active", "INTERDIT")
        reply = await index.asks(DOCTOR, "habilitations", DECLARE, a_declaration())
        status, context = declared(reply)
        assert status == "XDSRegistryError"
        assert context.startswith("forbidden: the patient")
        assert await index.finds(DOCTOR) == (403, -1)


async def test_whom_the_patient_allows_by_name_needs_to_declare_nothing(tmp_path: Path) -> None:
    allowed = {"professional": DOCTOR.person.number, "until": "2999-01-01T00:00:00Z"}
    await with_acts(tmp_path, ("grant", allowed), ("choose", {"opposed": True}))

    async with guarded(tmp_path) as index:
        assert (await index.tests(DOCTOR))[2] == "VALIDE"
        assert await index.finds(DOCTOR) == (1, 1)
        assert await index.finds(OTHER) == (403, -1)


async def test_a_doctor_may_be_the_treating_doctor_and_a_nurse_may_not(tmp_path: Path) -> None:
    await with_acts(tmp_path)
    nurse = replace(OTHER, role=replace(DOCTOR.role, code="60") if DOCTOR.role else None)

    async with guarded(tmp_path) as index:
        assert await index.declares(nurse, role="MEDECIN_TRAITANT") == "XDSRegistryError"
        assert await index.declares(DOCTOR, role="MEDECIN_TRAITANT") == "DMPOk"
        reply = await index.asks(DOCTOR, "patients", TEST, a_test())
        assert attention(reply, "STATUT_MT") == "true"
        assert await index.declares(DOCTOR, "SUPPRESSION", "MEDECIN_TRAITANT") == "DMPOk"
        assert await index.finds(DOCTOR) == (1, 1)  # still of the care team


async def test_a_structure_is_told_whether_it_may_publish(tmp_path: Path) -> None:
    await with_acts(tmp_path, ("choose", {"refuses_documents": True}))

    async with guarded(tmp_path) as index:
        assert (await index.tests(CENTRE))[2] == "INTERDIT"
        assert await index.declares(CENTRE) == "XDSRegistryError"


async def test_a_closed_record_and_one_that_is_absent_are_told_apart(tmp_path: Path) -> None:
    await with_acts(tmp_path, ("close", {}))

    async with guarded(tmp_path) as index:
        assert await index.tests(CENTRE) == ("OK", "terminated", "INTERDIT")
        assert await index.finds(DOCTOR) == (0, 0)
        assert await index.declares(DOCTOR) == "XDSUnknownPatientId"
    async with a_guarded_index(tmp_path / "listed", open_access=True, records="listed") as url:
        reply = await ask(f"{url}/xds/patients", TEST, a_test())
        assert existence(reply) == ("NF", "", "")
        assert (await acted(url, "show"))[1]["state"] == "absent"
        assert (await acted(url, "close"))[0] == 422
        assert (await acted(url, "open"))[1]["state"] == "open"
        assert existence(await ask(f"{url}/xds/patients", TEST, a_test()))[0] == "OK"


async def test_the_answer_of_an_existence_test_refers_to_its_question(tmp_path: Path) -> None:
    async with a_guarded_index(tmp_path, open_access=True) as url:
        reply = await ask(f"{url}/xds/patients", TEST, a_test())

    target = attribute(reply, "v3:acknowledgement/v3:targetMessage/v3:id", "extension")
    query = attribute(reply, "v3:controlActProcess/v3:queryAck/v3:queryId", "extension")
    assert (reply.status, target, query) == (200, "message-1", "query-1")
    assert reply.envelope.findtext(".//{*}Action") == "urn:hl7-org:v3:PRPA_IN201308UV02"


async def test_what_is_no_existence_test_is_told_so(tmp_path: Path) -> None:
    async with guarded(tmp_path) as index:
        other = await index.asks(DOCTOR, "patients", TEST, a_test(reason="CONS_ADM"))
        of_paul = await index.asks(DOCTOR, "patients", TEST, a_test(PAUL))
        unread = await index.asks(DOCTOR, "patients", TEST, a_declaration())
        nothing = await index.asks(DOCTOR, "habilitations", DECLARE, a_declaration("TOUT"))

    assert failure(other) == ("AE", "the reasonCode is not TEST_EXST")
    assert failure(of_paul) == ("AE", "forbidden: the proof is for another patient")
    assert failure(unread) == ("AE", "the body is no PRPA_IN201307UV02")
    assert declared(nothing)[1] == "the action is none of AJOUT, SUPPRESSION"


async def test_nobody_declares_anything_where_nobody_is_asked(tmp_path: Path) -> None:
    async with a_guarded_index(tmp_path, open_access=True) as url:
        reply = await ask(f"{url}/xds/habilitations", DECLARE, a_declaration())

    assert declared(reply)[1].startswith("forbidden: nobody says who they are")


async def test_an_emergency_needs_no_declaration_and_the_patient_sees_who_it_was(
    tmp_path: Path,
) -> None:
    await with_acts(tmp_path, ("choose", {"excluded": ["centre_15"]}))
    emergency = replace(DOCTOR, purpose=Purpose.BREAK_GLASS, reason="inconscient")

    async with guarded(tmp_path) as index:
        assert await index.finds(emergency) == (1, 1)
        assert await index.finds(replace(emergency, purpose=Purpose.CENTRE_15)) == (403, -1)
    async with a_guarded_index(tmp_path, open_access=True) as url:
        _, told = await acted(url, "alerts")

    [alert] = told["alerts"]
    assert alert["times"] == 2
    assert (alert["professional"], alert["purpose"]) == (DOCTOR.person.number, "bris_de_glace")
    assert (alert["name"], alert["reason"]) == ("Alain PAT-SIX", "inconscient")
