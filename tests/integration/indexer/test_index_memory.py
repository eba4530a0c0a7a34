"""What comes to an index holds a bounded part of its memory, however much of it comes."""

import asyncio
import os
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import aiohttp
import pytest

from indexer.server.web.xds_routes import REPOSITORY_UID
from tests.support.indexes import a_served_index
from tests.support.pointers import an_entry
from tests.support.programs import an_index
from tests.support.spoiling import share_part
from tests.support.xds import a_document, a_set, package, post, provide, provide_body, retrieve

MIB = 2**20


def memory_kib(pid: int, what: str) -> int:
    """A line of /proc: VmRSS for what a process holds now, VmHWM for the most that it ever did."""
    found = re.search(rf"{what}:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found is not None
    return int(found[1])


async def test_a_large_document_costs_a_few_times_its_size(
    tmp_path: Path,
) -> None:
    document = a_document(1, content=os.urandom(40 * MIB))

    with an_index(tmp_path) as index:
        before = memory_kib(index.program.pid, "VmRSS")
        reply = await provide(index.url, replace(a_set(1), documents=(document,)))
        peak = memory_kib(index.program.pid, "VmHWM")
        given = await retrieve(index.url, REPOSITORY_UID, an_entry(1).unique_id)

    assert reply.outcome == "Success"
    assert given.documents == [document.content]
    assert peak - before < 5 * 40 * 1024


async def test_a_small_message_of_many_large_documents_costs_no_more_than_it_has(
    tmp_path: Path,
) -> None:
    content = bytes(MIB)
    documents = tuple(a_document(number, content=content) for number in range(1, 201))
    body = provide_body(replace(a_set(1), documents=documents), inline=False)
    share_part(body)
    content_type, message = package(replace(a_set(1), documents=documents[:1]), body)

    with an_index(tmp_path) as index:
        before = memory_kib(index.program.pid, "VmRSS")
        reply = await post(f"{index.url}/xds/repository", message, content_type=content_type)
        peak = memory_kib(index.program.pid, "VmHWM")

    assert reply.errors == ["XDSRepositoryMetadataError"]
    assert peak - before < 40 * 1024


@pytest.mark.parametrize("address, content_type", [
    ("/xds/repository", "application/soap+xml"), ("/fhir", "application/fhir+json"),
])  # fmt: skip
async def test_bodies_that_are_too_much_together_are_asked_to_come_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, address: str, content_type: str
) -> None:
    monkeypatch.setattr("indexer.server.web.body_room.BODIES_BYTES_MAX", MIB)
    held, answered = asyncio.Event(), asyncio.Event()

    async def halting() -> AsyncIterator[bytes]:
        yield bytes(700_000)
        held.set()
        await answered.wait()

    async def send(content: AsyncIterator[bytes] | bytes) -> tuple[int, str]:
        headers = {"Content-Type": content_type}
        async with session.post(url + address, data=content, headers=headers) as answer:
            return answer.status, answer.headers.get("Retry-After", "")

    async with a_served_index(tmp_path) as url, aiohttp.ClientSession() as session:
        first = asyncio.create_task(send(halting()))
        await held.wait()
        while (second := await send(bytes(700_000)))[0] != 503:
            pass  # the first is still on its way through the sockets
        small = await send(bytes(1_000))
        answered.set()
        await first
        alone = await send(bytes(1_040_000))

    assert second == (503, "1")
    assert (small[0], alone[0]) == (400, 400)
