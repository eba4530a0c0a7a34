"""A record's holder reads its journal as FHIR AuditEvents, which other programs understand."""

from datetime import datetime
from itertools import cycle, product
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from gateway.storage.sqlite import SqliteDatabase
from indexer.contract.access import Caller, CallerKind, Purpose
from indexer.contract.document import Code, Organisation, Person
from indexer.server.acts import Act, Exchange
from indexer.server.columns import patient_key
from indexer.server.journal.audit_event import audit_event
from indexer.server.journal.chain import next_line
from indexer.server.journal.deed import Deed, written
from indexer.wire.fhir.journal_search import read_journal_search
from indexer.wire.xds.stored_query import QueryKind
from tests.support.custody import custody_of
from tests.support.fhir_answers import expect_fhir
from tests.support.pointers import ANNE, PAUL
from tests.support.xds import a_set, provide, query

WHOSE = f"urn:oid:{ANNE.oid}|{ANNE.value}"
FORM = {"patient.identifier": WHOSE}


async def asked(
    session: aiohttp.ClientSession, url: str, form: dict[str, str], *, status: int = 200
) -> dict[str, Any]:
    async with session.post(url, data=form) as answer:
        assert answer.status == status
        told: dict[str, Any] = await answer.json(content_type=None)
        return told


def transactions(bundle: dict[str, Any]) -> list[str]:
    """The last subtype of each event: its transaction, or its act."""
    return [one["resource"]["subtype"][-1]["code"] for one in bundle.get("entry", [])]


async def test_it_tells_what_was_done_by_both_protocols(
    index_url: str, session: aiohttp.ClientSession
) -> None:
    await provide(index_url, a_set(1))
    whose = (f"$XDSDocumentEntry{'PatientId'}", f"'{ANNE.value}^^^&{ANNE.oid}&ISO'")
    status = ("$XDSDocumentEntryStatus", "('urn:oasis:names:tc:ebxml-regrep:StatusType:Approved')")
    await query(index_url, QueryKind.FIND_DOCUMENTS, whose, status)
    found = await asked(
        session, f"{index_url}/fhir/DocumentReference/_search", {**FORM, "status": "current"}
    )
    [entry] = found["entry"]
    async with session.get(entry["resource"]["content"][0]["attachment"]["url"]) as document:
        assert document.status == 200

    told = await asked(session, f"{index_url}/fhir/AuditEvent/_search", FORM)
    again = await asked(session, f"{index_url}/fhir/AuditEvent/_search", FORM)

    assert transactions(told) == ["ITI-68", "ITI-67", "ITI-18", "ITI-41"]
    assert transactions(again)[0] == "read-journal"
    events = [one["resource"] for one in told["entry"]]
    entry_id = entry["resource"]["id"]
    assert events[0]["entity"][1]["what"] == {"reference": f"DocumentReference/{entry_id}"}
    assert events[1]["entity"][1]["detail"] == [{"type": "found", "valueString": "1"}]
    assert events[3]["entity"][0]["what"]["identifier"]["value"] == ANNE.value
    expect_fhir(told)


async def test_it_is_read_page_by_page_and_no_address_names_the_patient(
    index_url: str, session: aiohttp.ClientSession
) -> None:
    for number in range(5):
        await provide(index_url, a_set(number))
    url, pages = f"{index_url}/fhir/AuditEvent/_search", []

    while url:
        page = await asked(session, url, {**FORM, "_count": "2"})
        links = {one["relation"]: one["url"] for one in page["link"]}
        url = links.get("next", "")
        assert ANNE.value not in "".join(links.values())
        pages.append(page)

    events = [one["resource"]["id"] for page in pages for one in page["entry"]]
    assert [len(page["entry"]) for page in pages] == [2, 2, 1]
    assert len(set(events)) == 5  # the reads in between came after the first page


@pytest.mark.parametrize("asked, found", [
    ([], [3, 2, 1]),
    (["2026-11-23"], [3, 2]),
    (["ge2026-11-23T10:00Z"], [3, 2]),
    (["gt2026-11-23T10:00Z"], [3]),
    (["sa2026-11-22"], [3, 2]),
    (["lt2026-11-23"], [1]),
    (["eb2026-11-23T11:00:00Z"], [2, 1]),
    (["le2026-11-23"], [3, 2, 1]),
    (["ge2026-11-22", "lt2026-11-23T11:00:00Z"], [2, 1]),
    (["2027"], []),
])  # fmt: skip
async def test_it_is_searched_by_when_it_was(
    tmp_path: Path, asked: list[str], found: list[int]
) -> None:
    moments = ["2026-11-22T10:00:00Z", "2026-11-23T10:00:00Z", "2026-11-23T11:00:00Z"]
    clock = [round(datetime.fromisoformat(one).timestamp() * 1000) for one in moments]
    database = await SqliteDatabase.open(tmp_path / "index.sqlite")
    async with custody_of(database, now_ms=lambda: clock[0]) as custody:
        for number in (1, 2, 3):
            await custody.custodian.provide(None, a_set(number), exchange=Exchange.PROVIDE)
            clock[:-1] = clock[1:]

        told = [("patient.identifier", WHOSE), *(("date", one) for one in asked)]
        lines, more = await custody.custodian.journal(None, read_journal_search(told))

    assert [one.position for one in lines] == found
    assert not more


async def test_it_tells_of_nobody_else(index_url: str, session: aiohttp.ClientSession) -> None:
    await provide(index_url, a_set(1))

    other = {"patient.identifier": f"urn:oid:{PAUL.oid}|{PAUL.value}"}
    told = await asked(session, f"{index_url}/fhir/AuditEvent/_search", other)

    assert "entry" not in told


@pytest.mark.parametrize("form", [
    {},
    {"patient.identifier": "279035121518989"},
    {"patient.identifier": "urn:oid:1.2|1"},
    {**FORM, "_count": "0"},
    {**FORM, "_count": "-1"},
    {**FORM, "_after": "9" * 40},
    {**FORM, "_after": "-1"},
    {**FORM, "date": "yesterday"},
    {**FORM, "date": "ne2026"},
    {**FORM, "date": "2025,2026"},
    {**FORM, "agent": "x"},
])  # fmt: skip
async def test_a_search_that_is_none_is_refused(
    index_url: str, session: aiohttp.ClientSession, form: dict[str, str]
) -> None:
    told = await asked(session, f"{index_url}/fhir/AuditEvent/_search", form, status=400)

    assert told["resourceType"] == "OperationOutcome"


CALLERS = [
    None,
    *(
        Caller(
            kind=kind,
            person=Person(number=number, family="MARTIN", given="Zoé"),
            organisation=Organisation(number=number, name="Hôpital Nord" if number else ""),
            patient=ANNE,
            role=Code(code="10", scheme="1.2.250.1.71.1.2.7") if number else None,
            purpose=purpose,
            reason="urgence" if purpose is Purpose.BREAK_GLASS else "",
        )
        for kind, number, purpose in product(
            CallerKind, ("", "801234567897"), (Purpose.NORMAL, Purpose.BREAK_GLASS)
        )
    ),
]


@pytest.mark.parametrize("act, exchange", [
    *((act, None) for act in Act), *((Act.READ, exchange) for exchange in Exchange),
])  # fmt: skip
def test_every_act_of_everybody_is_an_audit_event(act: Act, exchange: Exchange | None) -> None:
    for caller, outcome in zip(CALLERS, cycle(("done", "forbidden")), strict=False):
        deed = Deed(
            patient_key=patient_key(ANNE),
            act=act,
            exchange=exchange,
            caller=caller,
            outcome=outcome,
            entries=("c5f0a1de-0000-4000-8000-000000000001",),
            set_id="c5f0a1de-0000-4000-8000-000000000002",
            found=3,
            query="DocumentReference",
        )
        line = next_line(None, deed.patient_key, written(deed), now_ms=1_764_000_000_000)

        event = audit_event(line, ANNE)

        assert event["outcome"] == ("0" if outcome == "done" else "4")
        expect_fhir(event)
