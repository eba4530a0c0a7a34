"""What is told of the machine: its certificates, its disk, and whose it is."""

import json
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest

from gateway.app.machine import GIB, machine_probes
from gateway.clock import system_clock
from gateway.health import Finding, State, examine
from gateway.settings import Settings
from tests.support.centre_settings import settings, with_tls
from tests.support.certificates import Authority
from tests.support.commands import gateway_command
from tests.support.ports import free_port
from tests.support.program import Program
from tests.support.programs import serving

DAY_MS = 86_400_000


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
    assert "key values mismatch" in found["certificate"].told


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


def tls_environment(folder: Path, authority: Authority, *, days: int) -> dict[str, str]:
    own = authority.certify("gateway", days=days)
    return {
        "GATEWAY_DATA_DIR": str(folder / "data"),
        "GATEWAY_TLS_CERTIFICATE": str(own.certificate),
        "GATEWAY_TLS_KEY": str(own.key),
        "GATEWAY_TLS_CA": str(authority.ca),
    }


def test_a_gateway_does_not_start_with_a_certificate_that_has_expired(
    tmp_path: Path, authority: Authority
) -> None:
    environment = tls_environment(tmp_path, authority, days=-1)

    run = gateway_command("serve", settings=environment)

    assert run.returncode == 2
    assert f"{environment['GATEWAY_TLS_CERTIFICATE']} cannot be used: certificate has expired" in (
        run.stderr
    )
    assert not (tmp_path / "data").exists()


async def test_an_authority_that_has_expired_beside_one_that_has_not_is_no_reason_to_stop(
    tmp_path: Path, authority: Authority
) -> None:
    given = with_tls(tmp_path, authority, days=1)
    lasting = Authority(tmp_path, "lasting", days=400).ca.read_text()
    authority.ca.write_text(authority.ca.read_text() + lasting)

    found = await machine_found(given, later_ms=3 * DAY_MS)

    assert found["authorities of peers"].state is State.WARN
    assert "expired" in found["authorities of peers"].told


def test_what_expires_soon_is_logged_at_the_start(tmp_path: Path, authority: Authority) -> None:
    environment = tls_environment(tmp_path, authority, days=2)
    environment |= {f"GATEWAY_{door}_PORT": "0" for door in ("HTTP", "DICOM", "DICOM_TLS", "MLLP")}
    port = free_port()
    environment["GATEWAY_HTTP_PORT"] = str(port)
    log = tmp_path / "gateway.log"
    program = Program(serving("gateway"), environment, log=log, port=port)
    try:
        program.start()
    finally:
        program.close()

    warned = [json.loads(line) for line in program.log.splitlines()]
    told = [one["told"] for one in warned if one["event"] == "certificate_in_doubt"]
    assert any(environment["GATEWAY_TLS_CERTIFICATE"] in one and "in 1 days" in one for one in told)
