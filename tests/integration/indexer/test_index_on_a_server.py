"""An index whose rows are on a PostgreSQL server loses nothing when that dies."""

import asyncio
from pathlib import Path

import aiohttp

from indexer.client.mhd import MhdIndex
from indexer.contract.document import DocumentQuery
from indexer.contract.errors import IndexUnavailable, SubmissionRejected
from tests.support.indexes import a_served_index
from tests.support.pointers import ANNE, a_submission
from tests.support.postgresql import PostgresqlServer

COUNT = 40


async def test_what_was_acknowledged_before_the_server_died_is_there_and_the_rest_is_taken_again(
    tmp_path: Path, postgresql: PostgresqlServer, session: aiohttp.ClientSession
) -> None:
    acknowledged: dict[int, str] = {}
    unknown = []

    async with a_served_index(tmp_path, database_url=postgresql.emptied()) as url:
        client = MhdIndex(url, session)
        for number in range(COUNT):
            if number == COUNT // 2:
                dying = asyncio.create_task(asyncio.to_thread(postgresql.stop))
            try:
                acknowledged[number] = (await client.submit(a_submission(number))).entry_id
            except IndexUnavailable:
                unknown.append(number)
        await dying
        await asyncio.to_thread(postgresql.start)
        for number in unknown:
            await until_held(client, number)
        found = await client.find(DocumentQuery(patient=ANNE))
        documents = [await client.retrieve(one) for one in found]

    assert unknown
    assert set(acknowledged.values()) <= {one.entry_id for one in found}
    assert len({one.unique_id for one in found}) == len(found) == COUNT
    assert all(documents)


async def until_held(client: MhdIndex, number: int) -> None:
    """As a gateway does: again, until it is taken, or known as a repeat."""
    async with asyncio.timeout(20):
        while True:
            try:
                await client.submit(a_submission(number))
            except IndexUnavailable:
                await asyncio.sleep(0.1)
            except SubmissionRejected:
                return
            else:
                return
