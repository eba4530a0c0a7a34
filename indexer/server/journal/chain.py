"""Binds the lines of a journal to each other: each record has a chain of its own.

A line's hash covers the line and the hash before it, so what is altered, taken out, put in or
moved breaks the chain at its place. What is cut off its end, or vanishes with the whole record,
breaks nothing: that is what a seal is for, which is kept elsewhere.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

GENESIS: Final = bytes(32)
"""What stands for the hash before a record's first line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of a record's journal."""

    patient_key: str
    position: int
    """From 1, without a gap."""
    at_ms: int
    """When it was written; never before the line before it."""
    event: bytes
    """What was done, as JSON; the chain does not look into it."""
    hash: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Seal:
    """All lines of all records until a moment, in a digest that can be kept elsewhere.

    It names nobody, and is found again as long as none of these lines changes or vanishes.
    """

    until_ms: int
    """Lines written before it are sealed."""
    chains: int
    lines: int
    digest: str
    """SHA-256, in hex, over the last hash of each chain, in the order of the patients' keys."""


class BrokenChain(Exception):
    """A line is not what it was when it was written, or stands where it did not; names nobody.

    Args:
        chain: which one, counted from 1 in the order of the patients' keys.
        position: of the line in it.
    """

    def __init__(self, reason: str, *, chain: int, position: int) -> None:
        super().__init__(f"chain {chain} is broken at line {position}: {reason}")
        self.chain = chain
        self.position = position


def next_line(head: Line | None, patient_key: str, event: bytes, *, now_ms: int) -> Line:
    """The line that follows a record's last one, or begins its chain."""
    position = head.position + 1 if head else 1
    at_ms = max(now_ms, head.at_ms) if head else now_ms
    previous = head.hash if head else GENESIS
    linked = _link(previous, patient_key, position, at_ms, event)
    return Line(patient_key=patient_key, position=position, at_ms=at_ms, event=event, hash=linked)


def _link(previous: bytes, patient_key: str, position: int, at_ms: int, event: bytes) -> bytes:
    """SHA-256 over what is of fixed length, then the key, a zero that no key holds, the event."""
    numbers = position.to_bytes(8, "big") + at_ms.to_bytes(8, "big", signed=True)
    return hashlib.sha256(previous + numbers + patient_key.encode() + b"\0" + event).digest()


@dataclass(slots=True)
class _Sealing:
    """A seal in the making."""

    until_ms: int
    chains: int = 0
    lines: int = 0
    digest: "hashlib._Hash" = field(default_factory=hashlib.sha256)
    last: bytes | None = None

    def add(self, line: Line) -> None:
        if line.at_ms < self.until_ms:
            self.lines += 1
            self.last = line.hash

    def end_chain(self) -> None:
        if self.last is not None:
            self.chains += 1
            self.digest.update(self.last)
            self.last = None

    def seal(self) -> Seal:
        return Seal(
            until_ms=self.until_ms,
            chains=self.chains,
            lines=self.lines,
            digest=self.digest.hexdigest(),
        )


class Walk:
    """Follows every line, in the order of patients' keys and positions, and seals on the way.

    Args:
        untils_ms: moments for each of which a seal is made.
    """

    def __init__(self, untils_ms: Iterable[int] = ()) -> None:
        self._sealings = [_Sealing(until_ms) for until_ms in untils_ms]
        self._last: Line | None = None
        self.chains = 0
        self.lines = 0

    def follow(self, line: Line) -> None:
        """Take one line.

        Raises:
            BrokenChain: it does not follow the line before it.
        """
        head = self._last
        if head is None or line.patient_key != head.patient_key:
            self._end_chain()
            self.chains += 1
            head = None
        self.lines += 1
        self._expect(line, head)
        for one in self._sealings:
            one.add(line)
        self._last = line

    def _expect(self, line: Line, head: Line | None) -> None:
        position = head.position + 1 if head else 1
        if line.position != position:
            raise BrokenChain("it is missing", chain=self.chains, position=position)
        if head and line.at_ms < head.at_ms:
            raise BrokenChain(
                "it is older than the one before", chain=self.chains, position=position
            )
        previous = head.hash if head else GENESIS
        if line.hash != _link(previous, line.patient_key, position, line.at_ms, line.event):
            raise BrokenChain("its hash is another", chain=self.chains, position=position)

    def _end_chain(self) -> None:
        for one in self._sealings:
            one.end_chain()

    def finish(self) -> list[Seal]:
        """The seals, once all lines were followed."""
        self._end_chain()
        return [one.seal() for one in self._sealings]
