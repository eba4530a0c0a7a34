"""A viewer that takes nothing, or a byte now and then, holds nothing up and is let go of."""

import asyncio
import logging
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from gateway.retrieval.endpoints import answering
from tests.support.retrieval import Bench, a_slice, instances_of
from tests.support.studies import STUDY

PIXELS = bytes(16 * 2**20)
"""More than the buffers of a socket and its peer hold."""


@contextmanager
def a_slow_viewer(bench: Bench) -> Iterator[socket.socket]:
    """A connection on which the study was asked for, and whose peer can send little ahead."""
    host, port = bench.root.removeprefix("http://").partition("/")[0].split(":")
    with socket.socket() as viewer:
        viewer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        viewer.connect((host, int(port)))
        accept = 'multipart/related; type="application/dicom"; transfer-syntax=*'
        head = f"GET /dicom-web/studies/{STUDY} HTTP/1.1\r\nHost: here\r\nAccept: {accept}\r\n\r\n"
        viewer.sendall(head.encode())
        viewer.setblocking(False)
        yield viewer


async def test_one_who_reads_a_byte_now_and_then_is_let_go_of(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(answering, "SEND_S_MAX", 0.3)
    await bench.push(a_slice(1, PixelData=PIXELS))
    caplog.set_level(logging.INFO)

    with a_slow_viewer(bench) as viewer:
        async with asyncio.timeout(30):
            while "body_broken_off" not in caplog.text:
                if await _readable(viewer):
                    viewer.recv(1)
        viewer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2**20)
        rest = await _drained(viewer)

    assert rest < len(PIXELS)
    [broken] = [one for one in caplog.records if one.message == "body_broken_off"]
    assert broken.cause == "TimeoutError"  # type: ignore[attr-defined]


async def test_others_are_served_meanwhile(bench: Bench) -> None:
    await bench.push(a_slice(1, PixelData=PIXELS))

    with a_slow_viewer(bench), a_slow_viewer(bench), a_slow_viewer(bench):
        async with asyncio.timeout(30), bench.get() as response:
            [ds] = instances_of(response.headers["Content-Type"], await response.read())

    assert ds.PixelData == PIXELS


async def _readable(viewer: socket.socket) -> bool:
    """Whether a byte has come, after a moment that the loop has for others."""
    await asyncio.sleep(0.005)
    try:
        return bool(viewer.recv(1, socket.MSG_PEEK))
    except BlockingIOError:
        return False


async def _drained(viewer: socket.socket) -> int:
    """How many bytes were still under way when the connection ended."""
    loop, came = asyncio.get_running_loop(), 0
    try:
        while data := await loop.sock_recv(viewer, 2**16):
            came += len(data)
    except ConnectionResetError:
        pass
    return came
