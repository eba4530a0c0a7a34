"""Sends requests that were built before, on connections that are kept, and times their answers.

It does as little as can be, for it takes its time from the machine whose server is measured.
"""

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, cast

ANSWER_S_MAX: Final = 60.0
_HEAD_END: Final = b"\r\n\r\n"
_LENGTH: Final = b"content-length:"


class Unanswered(Exception):
    """The server did not do what it was asked: what was timed is not what was meant."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Driven:
    """What came of the requests, all of which were answered as they should be."""

    seconds: float
    """From the first request to the last answer."""
    latencies_s: list[float]
    """In the order of the answers."""


async def drive(
    port: int,
    requests: Iterator[bytes],
    *,
    connections: int,
    is_answer: Callable[[bytes], bool],
) -> Driven:
    """Send all the requests, each connection its next one as soon as it has its answer.

    Raises:
        Unanswered: an answer is not 200, is not one by `is_answer`, or does not come.
    """
    loop = asyncio.get_running_loop()
    senders = [_Sender(requests, is_answer) for _ in range(connections)]
    for one in senders:
        await loop.create_connection(lambda one=one: one, "127.0.0.1", port)  # type: ignore[misc]
    began = time.perf_counter()
    try:
        for one in senders:
            one.send_next()
        await _expect_answers(senders)
    finally:
        for one in senders:
            one.close()
    seconds = time.perf_counter() - began
    return Driven(seconds=seconds, latencies_s=[s for one in senders for s in one.latencies_s])


async def _expect_answers(senders: Sequence["_Sender"]) -> None:
    together = asyncio.gather(*(one.done for one in senders))
    while not together.done():
        await asyncio.wait({together}, timeout=ANSWER_S_MAX)
        if any(one.is_late() for one in senders):
            together.cancel()
            raise Unanswered("an answer does not come")
    await together


class _Sender(asyncio.Protocol):
    """One connection."""

    def __init__(self, requests: Iterator[bytes], is_answer: Callable[[bytes], bool]) -> None:
        self._requests, self._is_answer = requests, is_answer
        self._transport: asyncio.Transport | None = None
        self._received = bytearray()
        self._awaited_bytes = 0
        """Of head and body of the answer; 0 until its head is there."""
        self._sent_at = 0.0
        self.latencies_s: list[float] = []
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is none by its class

    def connection_lost(self, exc: Exception | None) -> None:
        self._fail("the connection was closed")

    def send_next(self) -> None:
        """Send the next request, if there is one more."""
        request = next(self._requests, None)
        if request is None:
            if not self.done.done():
                self.done.set_result(None)
            return
        assert self._transport is not None
        self._sent_at = time.perf_counter()
        self._transport.write(request)

    def is_late(self) -> bool:
        """Whether its answer takes longer than may be waited for."""
        return not self.done.done() and time.perf_counter() - self._sent_at > ANSWER_S_MAX

    def data_received(self, data: bytes) -> None:
        self._received += data
        if not self._awaited_bytes:
            head_bytes = self._received.find(_HEAD_END) + len(_HEAD_END)
            if head_bytes < len(_HEAD_END):
                return
            head = bytes(self._received[:head_bytes]).lower()
            if not head.startswith(b"http/1.1 200") or _LENGTH not in head:
                self._fail(head.partition(b"\r\n")[0].decode("ascii", "replace"))
                return
            told = head.partition(_LENGTH)[2].partition(b"\r\n")[0]
            self._awaited_bytes = head_bytes + int(told)
        if len(self._received) < self._awaited_bytes:
            return
        self.latencies_s.append(time.perf_counter() - self._sent_at)
        if not self._is_answer(bytes(self._received)):
            self._fail("an answer is not the one that was meant")
            return
        self._received.clear()
        self._awaited_bytes = 0
        self.send_next()

    def close(self) -> None:
        """Let go of the connection."""
        if self._transport is not None:
            self._transport.abort()

    def _fail(self, why: str) -> None:
        if not self.done.done():
            self.done.set_exception(Unanswered(why))
