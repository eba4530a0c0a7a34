"""Files go out by the kernel, between bytes of ours, and a small answer at once, on every loop that
serves."""

import asyncio
import errno
import os
import socket
import struct
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager
from http.client import HTTPResponse
from pathlib import Path
from typing import Any, BinaryIO, NoReturn

import pytest
import uvloop
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.serving import listen, serve
from gateway.zero_copy import AT_ONCE_BYTES, FILES, TURN_BYTES, Piece

CONTENT = bytes(range(256)) * (TURN_BYTES // 256) + b"end"
WHOLE = b"before" + CONTENT + b"between" + CONTENT[5:1005] + b"after"
"""What `giving` answers with: more than a thread sends in a turn, and what is sent at once."""
REQUEST = b"%b / HTTP/1.1\r\nHost: here\r\n\r\n"
SEGMENTS_IN_AT = 152
"""Where `struct tcp_info` of the kernel (tcp(7)) counts the segments with data that have come."""

Run = Callable[[Coroutine[Any, Any, None]], None]
Took = Callable[[int], None]


@pytest.fixture(params=[asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest) -> Run:
    """Runs a test on the loop."""

    def run(test: Coroutine[Any, Any, None]) -> None:
        with asyncio.Runner(loop_factory=request.param) as runner:
            runner.run(test)

    return run


@pytest.fixture
def file(tmp_path: Path) -> AsyncIterator[BinaryIO]:  # type: ignore[misc]
    path = tmp_path / "instance"
    path.write_bytes(CONTENT)
    with path.open("rb") as opened:
        yield opened


def handed_over(*pieces: Piece, by_thread: bool = False, took: Took = lambda _: None) -> Message:
    size_bytes = sum(len(one.before) + one.size_bytes + sum(map(len, one.views)) for one in pieces)
    told = {"pieces": iter(pieces), "size_bytes": size_bytes, "by_thread": by_thread, "took": took}
    return {"type": FILES, **told}


def giving(file: BinaryIO, *, size_bytes: int | None = len(WHOLE)) -> ASGIApp:
    """Answers with all of the file, and a part of it once more."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        assert FILES in scope["extensions"]
        length = [] if size_bytes is None else [(b"content-length", b"%d" % size_bytes)]
        await send({"type": "http.response.start", "status": 200, "headers": length})
        await send(handed_over(Piece(b"before", file.fileno(), 0, len(CONTENT))))
        await send({"type": "http.response.body", "body": b"between", "more_body": True})
        await send(handed_over(Piece(b"", file.fileno(), 5, 1000)))
        await send({"type": "http.response.body", "body": b"after"})

    return app


@asynccontextmanager
async def served(app: ASGIApp) -> AsyncIterator[int]:
    """The application behind the server of our programs; its port."""
    stop = asyncio.Event()
    with listen("127.0.0.1", 0) as listening:
        running = asyncio.create_task(serve(app, listening, stop=stop))
        yield listening.getsockname()[1]
        stop.set()
        await running


def bodies(port: int, *methods: bytes) -> list[bytes]:
    """The bodies of answers to requests on one connection, one after the other."""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        found = []
        for method in methods:
            connection.sendall(REQUEST % method)
            response = HTTPResponse(connection, method=method.decode())
            response.begin()
            assert response.status == 200
            found.append(response.read())
        return found


@pytest.mark.parametrize("size_bytes", [len(WHOLE), None], ids=["sized", "chunked"])
def test_a_body_comes_whole_and_its_connection_serves_on(
    run: Run, file: BinaryIO, size_bytes: int | None
) -> None:
    async def test() -> None:
        async with served(giving(file, size_bytes=size_bytes)) as port:
            came = await asyncio.to_thread(bodies, port, b"GET", b"HEAD", b"GET")

        assert came == [WHOLE, b"", WHOLE]

    run(test())


@pytest.mark.parametrize("method", [b"GET", b"HEAD"])
def test_a_small_answer_is_one_segment(run: Run, method: bytes) -> None:
    async def small(scope: Scope, receive: Receive, send: Send) -> None:
        length = [(b"content-length", b"4")]
        await send({"type": "http.response.start", "status": 200, "headers": length})
        await send({"type": "http.response.body", "body": b"held"})

    def segments(port: int) -> tuple[bytes, int]:
        with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
            connection.sendall(REQUEST.replace(b"Host:", b"Connection: close\r\nHost:") % method)
            came = b"".join(iter(lambda: connection.recv(65536), b""))
            told = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, SEGMENTS_IN_AT + 4)
            return came, struct.unpack_from("I", told, SEGMENTS_IN_AT)[0]

    async def test() -> None:
        async with served(small) as port:
            came, count = await asyncio.to_thread(segments, port)

        assert came.endswith(b"held" if method == b"GET" else b"\r\n\r\n")
        assert count == 1

    run(test())


@pytest.mark.parametrize("size_bytes", [len(WHOLE), None], ids=["sized", "chunked"])
def test_what_is_in_memory_comes_between_what_is_in_files(
    run: Run, file: BinaryIO, size_bytes: int | None
) -> None:
    view = memoryview(WHOLE)
    views = (view[3:1000], view[1000:1000], view[1000 : 2**21], view[2**21 :])

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        length = [] if size_bytes is None else [(b"content-length", b"%d" % (2 * size_bytes))]
        await send({"type": "http.response.start", "status": 200, "headers": length})
        await send(handed_over(Piece(b"bef", "", 0, 0, views)))
        rest = WHOLE.removeprefix(b"before" + CONTENT)
        await send(handed_over(Piece(b"before", file.fileno(), 0, len(CONTENT))))
        await send(handed_over(Piece(rest, "", 0, 0)))
        await send({"type": "http.response.body", "body": b""})

    async def test() -> None:
        async with served(app) as port:
            came = await asyncio.to_thread(bodies, port, b"GET", b"GET")

        assert came == [WHOLE * 2] * 2

    run(test())


@pytest.mark.parametrize("kernel_says", [errno.EAGAIN, errno.EOPNOTSUPP])
def test_what_is_not_in_memory_is_sent_by_a_thread(
    run: Run, file: BinaryIO, monkeypatch: pytest.MonkeyPatch, kernel_says: int
) -> None:
    def refuse(*_: object) -> NoReturn:
        raise OSError(kernel_says, "not at once")

    monkeypatch.setattr(os, "preadv", refuse)

    async def test() -> None:
        async with served(giving(file)) as port:
            assert await asyncio.to_thread(bodies, port, b"GET") == [WHOLE]

    run(test())


def test_a_client_that_reads_slowly_gets_all_of_it(run: Run, file: BinaryIO) -> None:
    def read_slowly(port: int) -> bytes:
        with socket.socket() as connection:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            connection.connect(("127.0.0.1", port))
            connection.sendall(REQUEST % b"GET")
            came = b""
            while not came.endswith(b"endbetween" + CONTENT[5:1005] + b"after"):
                came += connection.recv(4096)
            return came.partition(b"\r\n\r\n")[2]

    async def test() -> None:
        async with served(giving(file)) as port:
            assert await asyncio.to_thread(read_slowly, port) == WHOLE

    run(test())


def test_a_client_that_leaves_ends_its_answer(run: Run, file: BinaryIO) -> None:
    ended = asyncio.Event()

    async def endless(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        watching = asyncio.create_task(_gone(receive))
        while not watching.done():
            await send(handed_over(Piece(b"", file.name, 0, len(CONTENT)), by_thread=True))
            await asyncio.sleep(0)
        ended.set()

    async def test() -> None:
        before = sockets()
        async with served(endless) as port:
            with socket.create_connection(("127.0.0.1", port)) as connection:
                connection.sendall(REQUEST % b"GET")
                await asyncio.to_thread(connection.recv, 100)
            await asyncio.wait_for(ended.wait(), 30)
        assert sockets() == before

    run(test())


def test_a_file_that_became_shorter_breaks_the_body_off(run: Run, file: BinaryIO) -> None:
    async def test() -> None:
        os.truncate(file.name, 100)
        async with served(giving(file)) as port:
            with pytest.raises(Exception, match=r"IncompleteRead|105"):
                await asyncio.to_thread(bodies, port, b"GET")

    run(test())


def test_a_body_does_not_outgrow_its_length(run: Run, file: BinaryIO) -> None:
    async def test() -> None:
        async with served(giving(file, size_bytes=3)) as port:
            with pytest.raises(Exception, match=r"IncompleteRead|0 bytes"):
                await asyncio.to_thread(bodies, port, b"GET")

    run(test())


def test_files_that_are_named_are_opened_in_turn_and_closed(run: Run, tmp_path: Path) -> None:
    contents = [bytes([number]) * 1000 for number in range(50)]
    whole = b"".join(b"part" + one[number:] for number, one in enumerate(contents))
    taken: list[int] = []

    def pieces() -> Iterator[Piece]:
        for number, content in enumerate(contents):
            file = tmp_path / str(number)
            file.write_bytes(content)
            yield Piece(b"part", str(file), number, 1000 - number)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        head = [(b"content-length", b"%d" % len(whole))]
        await send({"type": "http.response.start", "status": 200, "headers": head})
        await send(handed_over(*pieces(), by_thread=True, took=taken.append))
        await send({"type": "http.response.body"})

    async def test() -> None:
        async with served(app) as port:
            assert await asyncio.to_thread(bodies, port, b"GET", b"GET") == [whole, whole]
        assert not open_in(tmp_path)
        assert sum(taken) == 2 * len(whole)

    run(test())


def test_a_file_that_is_gone_breaks_the_body_off(run: Run, tmp_path: Path) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send(handed_over(Piece(b"x", str(tmp_path / "none"), 0, 10), by_thread=True))
        await send({"type": "http.response.body"})

    async def test() -> None:
        async with served(app) as port:
            with pytest.raises(Exception, match=r"IncompleteRead"):
                await asyncio.to_thread(bodies, port, b"GET")

    run(test())


def test_who_waits_for_a_large_body_keeps_nobody_else_waiting(
    run: Run, file: BinaryIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    answered = threading.Event()
    sendfile = os.sendfile

    def slow(to: int, source: int, offset: int, count: int) -> int:
        if count > AT_ONCE_BYTES:
            assert answered.wait(30)
        return sendfile(to, source, offset, count)

    monkeypatch.setattr(os, "sendfile", slow)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] == "POST":
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body"})
        else:
            await giving(file)(scope, receive, send)

    async def test() -> None:
        async with served(app) as port:
            large = asyncio.create_task(asyncio.to_thread(bodies, port, b"GET"))
            await asyncio.to_thread(bodies, port, b"POST")
            answered.set()
            assert await large == [WHOLE]

    run(test())


def open_in(folder: Path) -> list[Path]:
    opened = [one.readlink() for one in Path("/proc/self/fd").iterdir() if one.is_symlink()]
    return [one for one in opened if one.is_relative_to(folder)]


def sockets() -> int:
    """How many this process has open."""
    opened = [str(one.readlink()) for one in Path("/proc/self/fd").iterdir() if one.is_symlink()]
    return sum(one.startswith("socket:") for one in opened)


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
