"""Each thing that a gateway needs is looked at, and what is wrong is said with how to mend it."""

import json
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from typer.testing import CliRunner

from gateway.app.checkup import check
from gateway.app.index import index_probes
from gateway.app.machine import port_probes
from gateway.app.neighbours import (
    commitment_probes,
    database_probes,
    pacs_probes,
)
from gateway.app.parts import open_requestors
from gateway.cli import app
from gateway.health import Finding, State, examine
from gateway.settings import Settings
from gateway.storage.lock import FolderLock
from gateway.storage.postgresql import PostgresqlDatabase
from indexer.server.access.policy import RefuseAll
from simulators.imaging_centre.commitment import CommitmentAsker
from tests.integration.dimse.pacs import ECHO, STUDY_ROOT, Pacs
from tests.support.centre_settings import settings, with_tls
from tests.support.certificates import Authority
from tests.support.health_pki import a_subject, organisations, write_key
from tests.support.indexes import a_served_index
from tests.support.ports import free_port
from tests.support.postgresql import PostgresqlServer


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
    assert "the calling AE title is not recognised" in found["association"].told
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


async def test_an_index_that_is_spoken_to_by_xds_is_looked_at_by_xds(tmp_path: Path) -> None:
    async with a_served_index(tmp_path / "index") as url:
        asked = settings(tmp_path, index_url=url, index_protocol="xds")
        found = await examine(index_probes(asked))
        elsewhere = settings(tmp_path, index_url=f"{url}/fhir", index_protocol="xds")
        not_found = await examine(index_probes(elsewhere))

    assert [one.what for one in found] == ["index, connection", "clock", "index, search"]
    assert all(one.state is State.OK for one in found)
    assert not_found[-1].state is State.FAIL


@pytest.mark.parametrize("days, state", [(365, State.OK), (10, State.WARN), (-1, State.FAIL)])
async def test_how_long_a_gateway_can_prove_who_asks_is_told(
    tmp_path: Path, days: int, state: State
) -> None:
    ends = datetime.now(UTC) + timedelta(days=days, hours=1)
    certificate = tmp_path / "signature.pem"
    own = organisations().certify(a_subject("1990000127"), until=ends)
    certificate.write_bytes(own.public_bytes(Encoding.PEM))
    told = {
        "signature_certificate": certificate,
        "signature_key": write_key(tmp_path / "signature-key.pem"),
        "organisation_id": "1990000127",
        "facility_code": "SA07",
        "software_approval": "HOMOLOGATION",
    }

    async with a_served_index(tmp_path / "index", policy=RefuseAll()) as url:
        found = await examine(index_probes(settings(tmp_path, index_url=url, **told)))

    assert [one.what for one in found] == ["index, connection", "clock", "index, signature"]
    assert found[-1].state is state


async def test_a_key_of_signature_that_is_anothers_is_told(tmp_path: Path) -> None:
    certificate = tmp_path / "signature.pem"
    own = organisations().certify(a_subject("1990000127"))
    certificate.write_bytes(own.public_bytes(Encoding.PEM))
    told = {
        "signature_certificate": certificate,
        "signature_key": write_key(tmp_path / "signature-key.pem", key=3),
        "organisation_id": "1990000127",
        "facility_code": "SA07",
        "software_approval": "HOMOLOGATION",
    }

    async with a_served_index(tmp_path / "index", policy=RefuseAll()) as url:
        found = await examine(index_probes(settings(tmp_path, index_url=url, **told)))

    assert found[-1].state is State.FAIL
    assert "not the one of its certificate" in found[-1].told


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


async def test_a_check_beside_a_gateway_is_no_peer_of_it(tmp_path: Path) -> None:
    """Each would else make it log that somebody came and did not speak."""
    with socket.create_server(("127.0.0.1", 0)) as door:
        given = settings(tmp_path, http_port=door.getsockname()[1])
        given.data_dir.mkdir()
        with FolderLock(given.data_dir):
            found = {one.what: one for one in await examine(port_probes(given))}
        door.setblocking(False)
        with pytest.raises(BlockingIOError):
            door.accept()

    assert found["port HTTP"].state is State.OK


async def test_a_host_that_has_no_address_is_told_with_its_name(tmp_path: Path) -> None:
    peer = {"ae_title": "PACS", "host": "pacs.invalid", "port": 104}
    given = settings(tmp_path, pacs=[peer])
    async with AsyncExitStack() as stack:
        [found] = await examine(pacs_probes(given, open_requestors(stack, given)))

    assert found.told == "pacs.invalid:104: the PACS has a name that leads to no address"


async def test_what_is_no_dicom_port_is_told_with_its_place(tmp_path: Path) -> None:
    async with a_served_index(tmp_path / "index") as url:
        port = int(url.rpartition(":")[2])
        found = await looked_at(port, tmp_path)

    assert found["connection"].state is State.OK
    assert f"127.0.0.1:{port} is its DICOM port" in found["association"].mend


async def test_an_index_is_named_by_its_root_alone(tmp_path: Path) -> None:
    async with a_served_index(tmp_path / "index") as url:
        found = await index_found(f"{url}/fhir", tmp_path)

    assert "leave /fhir out of GATEWAY_INDEX_URL" in found["index, statement"].mend


async def test_why_an_index_is_not_reached_is_told_in_words(tmp_path: Path) -> None:
    refused = await index_found(f"http://127.0.0.1:{free_port()}", tmp_path)
    nowhere = await index_found("http://index.invalid", tmp_path)

    assert refused["index, connection"].told.endswith("nothing listens there")
    assert nowhere["index, connection"].told.endswith("the host's name leads to no address")


def test_the_settings_that_were_read_are_told_first(tmp_path: Path) -> None:
    config = tmp_path / "gateway.toml"
    config.write_text("organisation_name = 'Centre'\n")
    environment = {"GATEWAY_DATA_DIR": str(tmp_path / "data")}

    of_both = CliRunner().invoke(app, ["check", "--config", str(config)], env=environment)
    of_none = CliRunner().invoke(app, ["check"])

    assert of_both.stdout.splitlines()[0].split(maxsplit=2)[1:] == [
        "settings",
        f"{config}, and of the environment GATEWAY_DATA_DIR",
    ]
    assert "none is set" in of_none.stdout.splitlines()[0]


def test_two_doors_of_one_port_are_told_as_such(tmp_path: Path) -> None:
    environment = {"GATEWAY_HTTP_PORT": "2575", "GATEWAY_MLLP_PORT": "2575"}

    told = CliRunner().invoke(app, ["check"], env=environment).stdout

    assert "http_port and mllp_port are both 2575" in told


async def test_a_database_server_is_looked_at_while_a_gateway_writes_to_it(
    tmp_path: Path, postgresql: PostgresqlServer
) -> None:
    writing = await PostgresqlDatabase.open(postgresql.emptied())
    given = settings(tmp_path, database_url=postgresql.url)

    [found] = await examine(database_probes(given))
    await writing.close()

    assert (found.what, found.state) == ("database", State.OK)
    assert found.told.startswith("PostgreSQL ")


async def test_a_database_server_that_is_away_fails_without_its_password(tmp_path: Path) -> None:
    url = f"postgresql://drim:secret@127.0.0.1:{free_port()}/drim"

    [found] = await examine(database_probes(settings(tmp_path, database_url=url)))

    assert found.state is State.FAIL
    assert "GATEWAY_DATABASE_URL" in found.mend
    assert "secret" not in f"{found}"


async def test_a_file_of_sqlite_is_no_neighbour(tmp_path: Path) -> None:
    assert database_probes(settings(tmp_path)) == {}
