"""What peers break off leaves the gateway no file, no thread and no connection."""

import asyncio
import sys
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.integration.dimse.raw_peer import associate_rq, command_pdu, connect, data_pdu, store_rq
from tests.support.program import HOST
from tests.support.programs import Gateway, a_gateway

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="it looks into /proc")

ROUNDS = 100
AT_ONCE = 10
WITHIN_S = 20.0
POLL_EVERY_S = 0.05
FILES_MAX = 60  # of a gateway that nobody is connected to
SLACK = 3  # files or threads that may happen to be in use


@dataclass(frozen=True)
class Held:
    """What a program holds."""

    files: int
    threads: int
    spooled: int


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with a_gateway(tmp_path_factory.mktemp("left-behind")) as gateway:
        yield gateway


def held_by(gateway: Gateway) -> Held:
    [process] = (
        path
        for path in Path("/proc").glob("[0-9]*")
        if str(gateway.data_dir).encode() in _environment(path)
    )
    return Held(
        files=len(list((process / "fd").iterdir())),
        threads=len(list((process / "task").iterdir())),
        spooled=len(list((gateway.data_dir / "store" / "spool").iterdir())),
    )


def _environment(process: Path) -> bytes:
    try:
        return (process / "environ").read_bytes()
    except OSError:  # it has ended, or is another user's
        return b""


async def breaks_off_a_store(gateway: Gateway) -> None:
    async with connect(gateway.dicom) as peer:
        await peer.associate()
        await peer.send(command_pdu(store_rq()) + data_pdu(bytes(5000), last=False))


async def asks_for_another(gateway: Gateway) -> None:
    async with connect(gateway.dicom) as peer:
        await peer.send(associate_rq(called="SOMEBODY"))
        await peer.read_pdu()


async def breaks_off_a_report(gateway: Gateway) -> None:
    _, writer = await asyncio.open_connection(HOST, gateway.mllp)
    writer.write(b"\x0bMSH|^~\\&|RIS|CENTRE\r")
    await writer.drain()
    writer.transport.abort()


async def breaks_off_a_form(gateway: Gateway) -> None:
    _, writer = await asyncio.open_connection(HOST, gateway.http)
    writer.write(b"POST /api/pointers/search HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{")
    await writer.drain()
    writer.transport.abort()


@pytest.mark.parametrize(
    "visit", [breaks_off_a_store, asks_for_another, breaks_off_a_report, breaks_off_a_form]
)
async def test_whoever_breaks_off_leaves_nothing_behind(
    gateway: Gateway, visit: Callable[[Gateway], Awaitable[None]]
) -> None:
    async def visits() -> None:
        for _ in range(ROUNDS // AT_ONCE):
            await asyncio.gather(*(visit(gateway) for _ in range(AT_ONCE)))

    await visits()  # the pools have their threads now
    await emptied(gateway, files_max=FILES_MAX)
    before = held_by(gateway)

    await visits()

    await emptied(gateway, files_max=before.files + SLACK)
    assert held_by(gateway).threads <= before.threads + SLACK


async def emptied(gateway: Gateway, *, files_max: int) -> None:
    """Return once no more is held; it takes a moment until the last to leave is let go of."""
    async with asyncio.timeout(WITHIN_S):
        while (now := held_by(gateway)).spooled or now.files > files_max:  # noqa: ASYNC110
            await asyncio.sleep(POLL_EVERY_S)
