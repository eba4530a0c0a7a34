"""A journal tells who reads it of no document that is hidden from them."""

from dataclasses import replace

import orjson
import pytest

from indexer.contract.access import Caller, CallerKind
from indexer.contract.document import EntryStatus
from indexer.server.rights.record import Record
from indexer.wire.fhir.journal_search import read_journal_search
from indexer.wire.outcome import Json
from indexer.wire.xds.document_set_reader import StatusChange
from indexer.wire.xds.stored_query import QueryKind
from tests.support.custody import Custody
from tests.support.pointers import ANNE
from tests.support.queries import a_query
from tests.support.record_people import (
    AUTHOR,
    CENTRE,
    ELSEWHERE,
    MEMBER,
    PATIENT,
    asked,
    chosen,
    found,
    published,
    refusal,
)

PARENT = replace(PATIENT, kind=CallerKind.REPRESENTATIVE)
TREATING = replace(MEMBER, person=replace(MEMBER.person, number="899900000777"))


async def told(custody: Custody, caller: Caller | None, *, count: int = 100) -> list[Json]:
    """What the lines tell, the latest first, page by page."""
    form = [("patient.identifier", f"urn:oid:{ANNE.oid}|{ANNE.value}"), ("_count", str(count))]
    lines: list[Json] = []
    after: list[tuple[str, str]] = []
    while True:
        page, more = await custody.custodian.journal(caller, read_journal_search(form + after))
        lines += [orjson.loads(one.event) for one in page]
        if not more:
            return [one for one in lines if one["act"] != "read-journal"]
        assert len(page) == count
        after = [("_after", str(page[-1].position))]


@pytest.mark.parametrize("reader, code", [
    (PATIENT, "INVISIBLE_PATIENT"),
    (PARENT, "INVISIBLE_PATIENT"),
    (PARENT, "INVISIBLE_REPRESENTANTS_LEGAUX"),
    (TREATING, "INVISIBLE_REPRESENTANTS_LEGAUX"),
])  # fmt: skip
async def test_a_line_about_what_is_hidden_is_none(
    custody: Custody, reader: Caller, code: str
) -> None:
    await chosen(custody, Record(patient=ANNE, treating_doctor=TREATING.person.number))
    hidden = await published(custody, 1, by=CENTRE, hidden_by=(code,))
    [of_hidden] = (await asked(custody, AUTHOR, a_query(QueryKind.GET_ALL))).sets
    seen = await published(custody, 2, by=CENTRE)
    await custody.custodian.document(AUTHOR, hidden.entry_id)
    await custody.custodian.submission_set(AUTHOR, of_hidden.set_id)
    await custody.custodian.documents(AUTHOR, [hidden.unique_id, seen.unique_id], bytes_max=2**20)
    await found(custody, AUTHOR)

    for count in (1, 100):
        lines = await told(custody, reader, count=count)
        assert [(one["act"], one.get("entries")) for one in lines] == [
            ("find", None),
            ("read", [seen.entry_id]),
            ("publish", [seen.entry_id]),
            ("find", None),
        ]
        assert not any("found" in one for one in lines)
    assert hidden.entry_id in str(await told(custody, None))
    assert len(await told(custody, None)) == 7


async def test_a_line_about_what_was_tried_in_vain_stays(custody: Custody) -> None:
    hidden_elsewhere = StatusChange(
        target="00000000-0000-4000-8000-000000000000",
        patient=ANNE,
        status=EntryStatus.WITHDRAWN,
        original=EntryStatus.APPROVED,
    )
    await refusal(custody.custodian.change_statuses(ELSEWHERE, [hidden_elsewhere]))

    [line] = await told(custody, PATIENT)

    assert (line["act"], line["outcome"]) == ("withdraw", "invalid")
