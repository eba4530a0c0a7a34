"""Each thing that a gateway needs is looked at, and what is wrong is said with how to mend it."""

import json
import os
import shutil
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

from gateway.app.checkup import check
from gateway.app.machine import GIB, machine_probes
from gateway.app.neighbours import commitment_probes, index_probes, pacs_probes
from gateway.app.parts import open_requestors
from gateway.cli import app
from gateway.clock import system_clock
from gateway.health import Finding, State, examine
from gateway.settings import Settings
from gateway.storage.lock import FolderLock
from indexer.server.access import RefuseAll
from simulators.imaging_centre.commitment import CommitmentAsker
from tests.integration.dimse.pacs import ECHO, STUDY_ROOT, Pacs
from tests.support.certificates import Authority
from tests.support.indexes import a_served_index
from tests.support.programs import free_port

DAY_MS = 86_400_000


@pytest.fixture(autouse=True)
def _no_settings_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("GATEWAY_")]:
        monkeypatch.delenv(name)


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path, "authority")


def settings(folder: Path, **told: object) -> Settings:
    """Of a gateway with free ports and without neighbours."""
    ports = {f"{door}_port": free_port() for door in ("http", "dicom", "mllp")}
    return Settings.model_validate({"data_dir": folder / "data", **ports, **told})


def of_pacs(port: int, title: str = "PACS") -> dict[str, object]:
    return {"pacs": [{"ae_title": title, "host": "127.0.0.1", "port": port}]}


async def looked_at(pacs: Pacs | int, folder: Path, title: str = "PACS") -> dict[str, Finding]:
    """What is found of one PACS, by its last word."""
    port = pacs if isinstance(pacs, int) else pacs.port
    given = settings(folder, **of_pacs(port, title))
    async with AsyncExitStack() as stack:
        findings = await examine(pacs_probes(given, open_requestors(stack, given)))
    return {one.what.removeprefix(f"PACS {title}, "): one for one in findings}


async def test_a_pacs_that_lets_us_do_all_is_well(tmp_path: Path) -> None:
    with Pacs().running() as pacs:
        found = await looked_at(pacs, tmp_path)

    assert [*found] == ["connection", "association", "C-ECHO", "C-FIND", "C-MOVE"]
    assert {one.state for one in found.values()} == {State.OK}


async def test_a_pacs_that_does_not_listen_fails_at_its_connection(tmp_path: Path) -> None:
    found = await looked_at(free_port(), tmp_path)

    assert [*found] == ["connection"]
    assert found["connection"].state is State.FAIL
    assert "GATEWAY_PACS" in found["connection"].mend


async def test_a_pacs_that_does_not_know_us_fails_at_its_association(tmp_path: Path) -> None:
    with Pacs().running() as pacs:
        pacs.ae.require_calling_aet = ["SOMEBODY"]
        found = await looked_at(pacs, tmp_path)

    assert [one.state for one in found.values()] == ["ok", "fail"]
    assert "Calling AE title not recognised" in found["association"].told
    assert "DRIMBOX" in found["association"].mend


async def test_a_pacs_that_does_not_speak_tls_is_told_where_it_should(
    tmp_path: Path, authority: Authority
) -> None:
    with Pacs().running() as pacs:
        peer = {"ae_title": "PACS", "host": "127.0.0.1", "port": pacs.port, "tls": True}
        given = with_tls(tmp_path, authority, days=1, pacs=[peer])
        async with AsyncExitStack() as stack:
            [found] = await examine(pacs_probes(given, open_requestors(stack, given)))

    assert (found.what, found.state) == ("PACS PACS, connection", State.FAIL)
    assert "TLS" in found.told
    assert "certificates of both sides" in found.mend


async def test_each_service_that_a_pacs_refuses_is_named(tmp_path: Path) -> None:
    with Pacs(models=(*ECHO, STUDY_ROOT[0]), refuses={"STUDY": 0x0124}).running() as pacs:
        refusing = await looked_at(pacs, tmp_path)
    with Pacs(models=STUDY_ROOT).running() as pacs:
        deaf = await looked_at(pacs, tmp_path)

    assert [refusing[name].state for name in ("C-ECHO", "C-FIND", "C-MOVE")] == [
        "ok", "fail", "fail",
    ]  # fmt: skip
    assert "0124" in refusing["C-FIND"].told
    assert [deaf[name].state for name in ("C-ECHO", "C-FIND", "C-MOVE")] == ["warn", "ok", "ok"]


async def test_a_centre_without_a_pacs_is_told_what_that_means(tmp_path: Path) -> None:
    given = settings(tmp_path)
    async with AsyncExitStack() as stack:
        [found] = await examine(pacs_probes(given, open_requestors(stack, given)))

    assert found.state is State.WARN


async def peer_found(folder: Path, port: int) -> Finding:
    peer = {"ae_title": "MODALITE", "host": "127.0.0.1", "port": port}
    [found] = await examine(commitment_probes(settings(folder, commitment_peers=[peer])))
    return found


async def test_who_asks_for_commitments_is_tried_for_their_results(tmp_path: Path) -> None:
    asker = CommitmentAsker("MODALITE")
    port = asker.start("127.0.0.1", 0)
    try:
        found = await peer_found(tmp_path, port)
    finally:
        asker.close()

    assert (found.what, found.state) == ("commitment peer MODALITE", State.OK)


async def test_who_cannot_be_told_results_is_named(tmp_path: Path) -> None:
    with Pacs().running() as other:
        deaf = await peer_found(tmp_path, other.port)
    gone = await peer_found(tmp_path, free_port())

    assert (deaf.state, gone.state) == (State.WARN, State.WARN)
    assert deaf.told == "the peer does not take the service of the result"
    assert gone.told == "the peer cannot be reached"
    assert "GATEWAY_COMMITMENT_PEERS" in gone.mend


async def index_found(url: str, folder: Path) -> dict[str, Finding]:
    findings = await examine(index_probes(settings(folder, index_url=url)))
    return {one.what: one for one in findings}


async def test_an_index_that_says_what_it_is_and_answers_a_search_is_well(tmp_path: Path) -> None:
    async with a_served_index(tmp_path / "index") as url:
        found = await index_found(url, tmp_path)

    assert [*found] == ["index, connection", "index, statement", "clock", "index, search"]
    assert {one.state for one in found.values()} == {State.OK}


async def test_an_index_that_lets_nobody_in_is_told_so(tmp_path: Path) -> None:
    async with a_served_index(tmp_path / "index", policy=RefuseAll()) as url:
        found = await index_found(url, tmp_path)

    assert found["index, connection"].state is State.OK
    assert "401" in found["index, statement"].told
    assert found["index, search"].state is State.FAIL


async def test_an_index_that_is_not_there_fails_at_its_connection_and_no_secret_is_told(
    tmp_path: Path,
) -> None:
    found = await index_found(f"http://user:secret@127.0.0.1:{free_port()}", tmp_path)

    [one] = found.values()
    assert (one.what, one.state) == ("index, connection", State.FAIL)
    assert "secret" not in one.told + one.mend


def with_tls(folder: Path, authority: Authority, *, days: int, **told: object) -> Settings:
    own = authority.certify("gateway", days=days)
    files = {"tls_certificate": own.certificate, "tls_key": own.key, "tls_ca": authority.ca}
    return settings(folder, **files, **told)


async def machine_found(given: Settings, *, later_ms: int = 0) -> dict[str, Finding]:
    findings = await examine(machine_probes(given, lambda: system_clock() + later_ms))
    return {one.what: one for one in findings}


@pytest.mark.parametrize(
    "days, state", [(400, State.OK), (31, State.OK), (29, State.WARN), (-1, State.FAIL)]
)
async def test_a_certificate_is_told_in_time(
    tmp_path: Path, authority: Authority, days: int, state: State
) -> None:
    found = await machine_found(with_tls(tmp_path, authority, days=days))

    assert found["certificate"].state is state
    assert found["authorities of peers"].state is State.WARN  # made for two days


async def test_an_authority_that_has_expired_is_told(tmp_path: Path, authority: Authority) -> None:
    found = await machine_found(with_tls(tmp_path, authority, days=400), later_ms=3 * DAY_MS)

    assert found["certificate"].state is State.OK
    assert "expired" in found["authorities of peers"].told


async def test_a_certificate_that_was_replaced_by_anothers_is_told(
    tmp_path: Path, authority: Authority
) -> None:
    given = with_tls(tmp_path, authority, days=400)
    assert given.tls_certificate is not None
    other = Authority(tmp_path, "other").certify("gateway")
    given.tls_certificate.write_bytes(other.certificate.read_bytes())

    found = await machine_found(given)

    assert found["certificate"].state is State.FAIL
    assert "KEY_VALUES_MISMATCH" in found["certificate"].told


async def test_a_certificate_that_no_authority_of_the_peers_gave_out_is_told(
    tmp_path: Path, authority: Authority
) -> None:
    given = with_tls(tmp_path, Authority(tmp_path, "another"), days=400)

    mine = await machine_found(given)
    others = await machine_found(given.model_copy(update={"tls_ca": authority.ca}))

    assert mine["certificate chain"].state is State.OK
    assert others["certificate"].state is State.OK
    assert others["certificate chain"].state is State.WARN
    assert "GATEWAY_TLS_CA" in others["certificate chain"].told


@pytest.mark.parametrize("is_called, state", [(False, State.OK), (True, State.WARN)])
async def test_a_certificate_that_is_no_clients_is_told_where_a_peer_is_called_by_tls(
    tmp_path: Path, authority: Authority, is_called: bool, state: State
) -> None:
    own = authority.certify("gateway", days=400, uses="serverAuth")
    files = {"tls_certificate": own.certificate, "tls_key": own.key, "tls_ca": authority.ca}
    peer = {"ae_title": "CT1", "host": "127.0.0.1", "port": 1, "tls": is_called}

    found = await machine_found(settings(tmp_path, **files, commitment_peers=[peer]))

    assert found["certificate chain"].state is state


@pytest.mark.parametrize("free, state", [(20, State.OK), (9, State.WARN), (0.5, State.FAIL)])
async def test_a_disk_that_fills_up_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free: float, state: State
) -> None:
    usage = SimpleNamespace(free=int(free * GIB))
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: usage)

    found = await machine_found(settings(tmp_path))

    assert found["data folder"].state is State.OK
    assert found["free disk"].state is state


@pytest.mark.parametrize(
    "number, state",
    [
        ("1750803447", State.OK),
        ("12A0000001", State.OK),
        ("312345678901234", State.OK),
        ("499700367909006", State.OK),
        ("750803447", State.WARN),
        ("", State.WARN),
    ],
)
async def test_a_structure_without_a_national_number_is_told(
    tmp_path: Path, number: str, state: State
) -> None:
    found = await machine_found(settings(tmp_path, organisation_id=number))

    assert found["organisation"].state is state


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening.getsockname()[1]


@asynccontextmanager
async def well(folder: Path, **told: object) -> AsyncIterator[Settings]:
    """Settings of a centre where all is well."""
    with Pacs().running() as pacs:
        async with a_served_index(folder / "index") as url:
            yield settings(
                folder,
                **of_pacs(pacs.port),
                index_url=url,
                public_url="https://images.centre.example",
                organisation_id="1750803447",
                hl7_senders=["127.0.0.1"],
                **told,
            )


async def test_a_centre_where_all_is_well_has_nothing_to_mend(tmp_path: Path) -> None:
    async with well(tmp_path) as given:
        findings = await check(given, open_access=False)

    assert [one for one in findings if one.state != State.OK or one.mend] == []
    assert not given.data_dir.exists()  # nothing was made


async def test_a_port_that_another_program_has_is_told(tmp_path: Path, taken_port: int) -> None:
    async with well(tmp_path, mllp_port=taken_port) as given:
        findings = await check(given, open_access=False)

    [wrong] = [one for one in findings if one.state != State.OK]
    assert (wrong.what, wrong.state) == ("port MLLP", State.FAIL)
    assert "GATEWAY_MLLP_PORT" in wrong.mend


async def test_a_gateway_at_work_is_known_by_its_folder(tmp_path: Path, taken_port: int) -> None:
    async with well(tmp_path, http_port=taken_port) as given:
        given.data_dir.mkdir()
        with FolderLock(given.data_dir):
            findings = await check(given, open_access=False)

    found = {one.what: one for one in findings}
    assert found["port HTTP"].state is State.OK
    assert found["port DICOM"].state is State.FAIL
    assert "does not listen" in found["port DICOM"].told


@pytest.mark.parametrize(
    "name, value, status",
    [("GATEWAY_HTTP_PORT", "none", 2), ("GATEWAY_INDEX_URL", "http://127.0.0.1:9", 2)],
)
def test_the_command_tells_what_is_wrong_by_its_exit_status(
    tmp_path: Path, name: str, value: str, status: int
) -> None:
    environment = {"GATEWAY_DATA_DIR": str(tmp_path / "data"), name: value}

    plain = CliRunner().invoke(app, ["check"], env=environment)
    as_json = CliRunner().invoke(app, ["check", "--json"], env=environment)

    assert (plain.exit_code, as_json.exit_code) == (status, status)
    told = json.loads(as_json.stdout)
    assert told["state"] == "fail"
    wrong = [one for one in told["findings"] if one["state"] == "fail"]
    assert all(one["told"] in plain.stdout and one["mend"] in plain.stdout for one in wrong)
