"""The demo watches its programs, tells why one ended, and leaves none behind."""

import os
from pathlib import Path

import pytest
from aiohttp import ClientSession

from simulators.demo import programs
from simulators.demo.programs import Launch, Ports, ProgramFailed, running, wait_until_ready


def a_program(folder: Path, code: str, **settings: str) -> Launch:
    """A module of its own, as the demo's programs are."""
    (folder / "played.py").write_text(code)
    return Launch(
        name="played",
        arguments=["played"],
        settings={"PYTHONPATH": str(folder), **settings},
        is_heard=True,
    )


async def test_what_a_program_says_is_heard(tmp_path: Path) -> None:
    launch = a_program(tmp_path, "print('one'); print('two')")

    async with running(launch, tmp_path) as program:
        heard = [line async for line in program.lines()]

    assert heard == ["one", "two"]


async def test_a_program_that_dies_is_told_with_the_end_of_its_log(tmp_path: Path) -> None:
    launch = a_program(tmp_path, "import sys; sys.exit('the port is taken')")

    async with running(launch, tmp_path) as program:
        with pytest.raises(ProgramFailed, match="played ended with 1:\n    the port is taken"):
            await program.fail_when_it_ends()


async def test_a_program_that_will_not_end_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(programs, "_STOP_WITHIN_S", 0.2)
    stubborn = (
        "import os, signal, time\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "print(os.getpid(), flush=True)\n"
        "time.sleep(600)\n"
    )

    async with running(a_program(tmp_path, stubborn), tmp_path) as program:
        pid = int(await anext(aiter(program.lines())))

    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


async def test_a_program_that_is_never_ready_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(programs, "START_WITHIN_S", 0.2)
    launch = a_program(tmp_path, "import time; time.sleep(600)")
    nobody = f"http://127.0.0.1:{Ports.free().gateway}"

    async with running(launch, tmp_path) as program, ClientSession() as session:
        with pytest.raises(ProgramFailed, match="played is not ready"):
            await wait_until_ready(session, program, nobody)


async def test_the_settings_of_the_callers_own_gateway_are_not_passed_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GATEWAY_HTTP_PORT", "1")
    launch = a_program(
        tmp_path,
        "import os; print(os.environ.get('GATEWAY_HTTP_PORT'), os.environ['GATEWAY_AE_TITLE'])",
        GATEWAY_AE_TITLE="DRIMBOX",
    )

    async with running(launch, tmp_path) as program:
        heard = [line async for line in program.lines()]

    assert heard == ["None DRIMBOX"]


def test_free_ports_are_five_different_ones() -> None:
    ports = Ports.free()

    assert len({ports.gateway, ports.dicom, ports.mllp, ports.index, ports.centre}) == 5


def test_ports_from_a_base_are_in_a_row() -> None:
    assert Ports.from_base(9000) == Ports(
        gateway=9000, dicom=9001, mllp=9002, index=9003, centre=9004
    )
