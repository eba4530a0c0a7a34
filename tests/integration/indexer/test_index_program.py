"""`drim-index` as a program: it starts, refuses to, stops, and is killed."""

import asyncio
import json
import os
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import aiohttp
import pytest

from indexer.client.assertion import bearer, build_assertion
from indexer.client.mhd import MhdIndex
from indexer.contract.document import DocumentQuery, EntryStatus
from indexer.contract.errors import IndexUnavailable
from tests.support import index_that_dies
from tests.support.health_pki import a_doctor, a_structure, organisations
from tests.support.pointers import ANNE, a_submission

ROOT = Path(__file__).parents[3]
START_S_MAX = 30.0
PROGRAM = ("-m", "indexer.server", "serve")
ANY_STATUS = frozenset(EntryStatus)


@dataclass
class Running:
    process: Process
    url: str
    told: list[dict[str, object]]
    """The events of its log until it listened."""


@asynccontextmanager
async def running(folder: Path, *command: str, database_url: str = "") -> AsyncIterator[Running]:
    """The program, once it listens; killed at the end if it still runs."""
    process = await started(folder, *command, INDEX_DATABASE_URL=database_url)
    try:
        async with asyncio.timeout(START_S_MAX):
            told = await events_until_it_listens(process)
        yield Running(process, str(told[-1]["http"]), told)
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def events_until_it_listens(process: Process) -> list[dict[str, object]]:
    assert process.stderr is not None
    told: list[dict[str, object]] = []
    while not told or told[-1]["event"] != "listening":
        line = await process.stderr.readline()
        assert line.startswith(b"{"), line.decode() + (await process.communicate())[1].decode()
        told.append(json.loads(line))
    return told


async def started(folder: Path, *command: str, **settings: str) -> Process:
    told = {"INDEX_DATA_DIR": str(folder), "INDEX_HTTP_PORT": "0", **settings}
    environment = os.environ | {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1", **told}
    return await asyncio.create_subprocess_exec(
        sys.executable, *command, env=environment, stdout=DEVNULL, stderr=PIPE
    )


async def ended(process: Process) -> tuple[int | None, str]:
    """Exit status and standard error of a program that ends by itself."""
    async with asyncio.timeout(START_S_MAX):
        _, errors = await process.communicate()
    return process.returncode, errors.decode()


async def test_what_was_acknowledged_is_there_after_a_restart(
    tmp_path: Path, session: aiohttp.ClientSession, database_url: str
) -> None:
    async with running(tmp_path, *PROGRAM, "--open-access", database_url=database_url) as index:
        receipt = await MhdIndex(index.url, session).submit(a_submission())
        index.process.kill()
        await index.process.wait()

    async with running(tmp_path, *PROGRAM, "--open-access", database_url=database_url) as index:
        [found] = await MhdIndex(index.url, session).find(DocumentQuery(patient=ANNE))

    assert found.entry_id == receipt.entry_id


async def test_a_submission_whose_answer_was_lost_makes_one_entry(
    tmp_path: Path, session: aiohttp.ClientSession, database_url: str
) -> None:
    async with running(tmp_path, *PROGRAM, "--open-access", database_url=database_url) as index:
        old = await MhdIndex(index.url, session).submit(a_submission(1))
        index.process.kill()
        await index.process.wait()
    replacement = a_submission(2, document=b"newer", replaces=old.entry_id)
    program = (str(index_that_dies.__file__), str(tmp_path))
    async with running(tmp_path, *program, database_url=database_url) as index:
        with pytest.raises(IndexUnavailable):
            await MhdIndex(index.url, session).submit(replacement)
        assert await index.process.wait() == -signal.SIGKILL

    async with running(tmp_path, *PROGRAM, "--open-access", database_url=database_url) as index:
        client = MhdIndex(index.url, session)
        receipt = await client.submit(replacement)
        found = await client.find(DocumentQuery(patient=ANNE, statuses=ANY_STATUS))
        document = await client.retrieve(found[0])

    assert [(entry.entry_id, entry.status) for entry in found] == [
        (receipt.entry_id, EntryStatus.APPROVED),
        (old.entry_id, EntryStatus.DEPRECATED),
    ]
    assert document == b"newer"


async def test_a_withdrawal_whose_answer_was_lost_holds_and_can_be_repeated(
    tmp_path: Path, session: aiohttp.ClientSession, database_url: str
) -> None:
    async with running(tmp_path, *PROGRAM, "--open-access", database_url=database_url) as index:
        receipt = await MhdIndex(index.url, session).submit(a_submission())
        index.process.kill()
        await index.process.wait()
    program = (str(index_that_dies.__file__), str(tmp_path))
    async with running(tmp_path, *program, database_url=database_url) as index:
        with pytest.raises(IndexUnavailable) as fault:
            await MhdIndex(index.url, session).withdraw(receipt.entry_id)
        assert await index.process.wait() == -signal.SIGKILL

    async with running(tmp_path, *PROGRAM, "--open-access", database_url=database_url) as index:
        client = MhdIndex(index.url, session)
        current = await client.find(DocumentQuery(patient=ANNE))
        await client.withdraw(receipt.entry_id)
        [kept] = await client.find(DocumentQuery(patient=ANNE, statuses=ANY_STATUS))

    assert not fault.value.never_sent
    assert (current, kept.status) == ([], EntryStatus.WITHDRAWN)


async def test_what_was_read_before_a_crash_is_in_the_journal(
    tmp_path: Path, session: aiohttp.ClientSession
) -> None:
    answered = 0
    async with running(tmp_path, *PROGRAM, "--open-access") as index:
        client = MhdIndex(index.url, session)
        await client.submit(a_submission())
        [entry] = await client.find(DocumentQuery(patient=ANNE))

        async def read_on() -> None:
            nonlocal answered
            with suppress(IndexUnavailable):
                while True:
                    await client.retrieve(entry)
                    answered += 1
                    if answered == 50:
                        index.process.kill()  # others have asked, and were not answered yet

        await asyncio.gather(*(read_on() for _ in range(8)))

    form = {"patient.identifier": f"urn:oid:{ANNE.oid}|{ANNE.value}", "_count": "500"}
    async with (
        running(tmp_path, *PROGRAM, "--open-access") as index,
        session.post(f"{index.url}/fhir/AuditEvent/_search", data=form) as answer,
    ):
        events = (await answer.json(content_type=None))["entry"]

    told = [one["resource"]["subtype"][-1]["code"] for one in events]
    assert told.count("ITI-68") >= answered


async def test_it_tells_in_its_log_that_it_is_open_and_where_it_listens(tmp_path: Path) -> None:
    async with running(tmp_path, *PROGRAM, "--open-access") as index:
        told = [(one["level"], one["event"]) for one in index.told]

    assert told[0] == ("warning", "open_access")
    assert told[-1] == ("info", "listening")
    assert index.url.startswith("http://127.0.0.1:")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_it_ends_well_when_it_is_told_to_stop(tmp_path: Path, number: signal.Signals) -> None:
    async with running(tmp_path, *PROGRAM, "--open-access") as index:
        index.process.send_signal(number)

        status, errors = await ended(index.process)

    assert status == 0
    assert "Traceback" not in errors


async def test_it_refuses_everyone_unless_it_is_told_otherwise(
    tmp_path: Path, session: aiohttp.ClientSession
) -> None:
    async with running(tmp_path, *PROGRAM) as index:
        statuses = {}
        for path in ("/fhir/metadata", "/health/ready"):
            async with session.get(index.url + path) as answer:
                statuses[path] = answer.status

    assert statuses == {"/fhir/metadata": 401, "/health/ready": 200}


async def test_it_lets_in_who_shows_an_assertion_that_its_authorities_stand_behind(
    tmp_path: Path, session: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    lists = tmp_path / "lists"
    lists.mkdir()
    (lists / "organisations.crl").write_bytes(organisations().revoke())
    authorities = organisations().write(tmp_path / "authorities.pem")
    monkeypatch.setenv("INDEX_AUTHORITIES", str(authorities))
    monkeypatch.setenv("INDEX_CRL_DIR", str(lists))
    assertion = build_assertion(a_doctor(), a_structure(), now=datetime.now(UTC))

    async with running(tmp_path / "data", *PROGRAM) as index:
        statuses = []
        for headers in ({}, {"Authorization": bearer(assertion)}):
            async with session.get(f"{index.url}/fhir/metadata", headers=headers) as answer:
                statuses.append(answer.status)
        index.process.send_signal(signal.SIGTERM)
        ended_with = await ended(index.process)

    assert statuses == [401, 200]
    assert ended_with[0] == 0


async def test_authorities_that_cannot_be_read_stop_the_start(tmp_path: Path) -> None:
    process = await started(tmp_path, *PROGRAM, INDEX_AUTHORITIES=str(tmp_path / "none.pem"))

    status, errors = await ended(process)

    assert (status, "INDEX_AUTHORITIES" in errors) == (2, True)


async def test_a_second_one_does_not_start_on_the_same_folder(tmp_path: Path) -> None:
    async with running(tmp_path, *PROGRAM) as first:
        status, errors = await ended(await started(tmp_path, *PROGRAM))

    assert status == 1
    assert f"process {first.process.pid} uses" in errors


async def test_open_access_is_for_loopback_only(tmp_path: Path) -> None:
    process = await started(tmp_path, *PROGRAM, "--open-access", INDEX_BIND="0.0.0.0")

    status, errors = await ended(process)

    assert (status, "loopback" in errors) == (2, True)


async def test_an_unknown_setting_stops_the_start(tmp_path: Path) -> None:
    status, errors = await ended(await started(tmp_path, *PROGRAM, INDEX_PROT="1"))

    assert (status, "INDEX_PROT" in errors) == (2, True)


async def test_a_port_that_is_taken_stops_the_start(tmp_path: Path) -> None:
    async with running(tmp_path / "one", *PROGRAM) as first:
        port = first.url.rpartition(":")[2]
        process = await started(tmp_path / "two", *PROGRAM, INDEX_HTTP_PORT=port)

        status, errors = await ended(process)

    assert (status, "INDEX_HTTP_PORT" in errors) == (1, True)


async def test_a_habilitation_matrix_that_is_none_stops_the_start(tmp_path: Path) -> None:
    table = tmp_path / "matrix.csv"
    table.write_text("category,types,classes,10,AUTOMATE,patient,*\nrest,*,*,rw,x,r,\n")

    process = await started(tmp_path, *PROGRAM, INDEX_HABILITATIONS=str(table))
    status, errors = await ended(process)

    assert status == 2
    assert "habilitations" in errors
    assert "line 2 has a right that is none of r, w, rw and nothing" in errors
