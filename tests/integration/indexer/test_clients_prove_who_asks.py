"""A client that somebody vouches for is let in by an index that lets in nobody else."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import aiohttp
import pytest

from indexer.client.proof import Proof
from indexer.contract.access import Authentication, Caller, CallerKind
from indexer.contract.document import DocumentQuery, EntryStatus, Organisation
from indexer.contract.errors import IndexUnavailable
from indexer.contract.index import Index
from indexer.wire.proof.signature_document import TYPE_CODE
from tests.support.guarded import a_guarded_index
from tests.support.health_pki import a_doctor, a_structure
from tests.support.index_clients import PROTOCOLS, a_client
from tests.support.pointers import ANNE, a_submission, an_entry

STRUCTURE = a_structure("1750803447")
"""The one that the entry's author is of."""
GATEWAY = replace(
    a_doctor(ANNE, structure="1750803447"),
    kind=CallerKind.SYSTEM,
    role=None,
    speciality=None,
    authentication=Authentication.INDIRECT,
)
DRIM = Proof(structure=STRUCTURE)


@pytest.fixture
async def url(tmp_path: Path) -> AsyncIterator[str]:
    async with a_guarded_index(tmp_path) as url:
        yield url


@pytest.fixture(params=PROTOCOLS)
def protocol(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def acting(
    protocol: str,
    url: str,
    session: aiohttp.ClientSession,
    *,
    proof: Proof = DRIM,
    caller: Caller = GATEWAY,
) -> Index:
    return a_client(protocol, url, session, proof=proof).acting_for(caller)


async def test_what_is_done_in_a_known_name_is_done(
    protocol: str, url: str, session: aiohttp.ClientSession
) -> None:
    index = acting(protocol, url, session)

    old = await index.submit(a_submission(1))
    again = await index.submit(a_submission(1))
    new = await index.submit(a_submission(2, replaces=old.entry_id))
    await index.withdraw(new.entry_id)
    held = await index.find_by_unique_id(an_entry(2).unique_id)

    assert again == old
    assert held is not None
    assert (held.entry_id, held.status) == (new.entry_id, EntryStatus.WITHDRAWN)


async def test_a_structure_finds_replaces_and_takes_back_what_it_submitted_for_another(
    protocol: str, url: str, session: aiohttp.ClientSession
) -> None:
    """Tele-radiology: the author of the report is of a structure elsewhere."""
    index, third = (
        acting(
            protocol,
            url,
            session,
            proof=Proof(structure=a_structure(number)),
            caller=replace(GATEWAY, organisation=Organisation(number=number)),
        )
        for number in ("1440000000", "1330000000")
    )

    old = await index.submit(a_submission(1))
    again = await index.submit(a_submission(1))
    found = await index.find(DocumentQuery(patient=ANNE))
    found_by_third = await third.find(DocumentQuery(patient=ANNE))
    new = await index.submit(a_submission(2, replaces=old.entry_id))
    await third.withdraw(new.entry_id)
    shown = await index.find_by_unique_id(an_entry(2).unique_id)
    await index.withdraw(new.entry_id)
    withdrawn = await index.find_by_unique_id(an_entry(2).unique_id)

    assert again == old
    assert old.entry_id in [one.entry_id for one in found]
    assert found_by_third == []
    assert shown is not None
    assert shown.status is EntryStatus.APPROVED
    assert withdrawn is not None
    assert withdrawn.status is EntryStatus.WITHDRAWN


async def test_whom_nobody_vouches_for_changes_nothing_and_may_try_again(
    protocol: str, url: str, session: aiohttp.ClientSession
) -> None:
    unknown = Proof(structure=replace(STRUCTURE, key=a_structure("1990000127").key))
    nobody = a_client(protocol, url, session)
    strangers = [
        acting(protocol, url, session, proof=unknown),
        acting(protocol, url, session, proof=Proof()),
        a_client(protocol, url, session, proof=DRIM),
        nobody,
    ]

    for index in strangers:
        for asking in (index.submit(a_submission()), index.withdraw("1")):
            with pytest.raises(IndexUnavailable):
                await asking


async def test_who_cannot_be_told_asks_nothing(
    protocol: str, url: str, session: aiohttp.ClientSession
) -> None:
    index = acting(protocol, url, session, caller=replace(GATEWAY, sector=None))

    with pytest.raises(IndexUnavailable, match="sector") as told:
        await index.submit(a_submission())

    assert told.value.never_sent


async def test_a_submission_by_xds_brings_the_document_that_signs_it(
    tmp_path: Path, session: aiohttp.ClientSession
) -> None:
    async with a_guarded_index(tmp_path, signature_required=True) as url:
        index = acting("xds", url, session)

        receipts = [await index.submit(a_submission()) for _twice in range(2)]
        found = await index.find(DocumentQuery(patient=ANNE))

    assert receipts[0] == receipts[1]
    assert sorted(one.type_code.code for one in found) == sorted(
        [TYPE_CODE.code, an_entry().type_code.code]
    )
