"""What a source gives: the instances of a resource, one after the other, each a Part 10 file."""

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol, Self

from gateway.model.resource import Resource
from indexer.contract.identifiers import Uid


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldInstance:
    """An instance at hand, until the next one is asked for or the stream is closed."""

    resource: Resource
    """Which one it is."""
    path: Path
    """Its file; there is none yet of what is in memory, until it is `on_disk`."""
    transfer_syntax: Uid
    in_memory: tuple[memoryview, ...] = ()
    """The bytes of the file, one piece after the other, where they have just come; else ()."""
    write: Callable[[], Awaitable[Path]] | None = None
    """Has a file of what is in memory; where it lies."""

    async def on_disk(self) -> Self:
        """The instance as a file.

        Raises:
            StorageUnavailable: the disk does not take it.
        """
        if self.write is None:
            return self
        return replace(self, path=await self.write(), in_memory=(), write=None)


class InstanceStream:
    """The instances of one resource, of which one at a time is held; the first is at hand.

    It is iterated once, and closed by whoever opened it, in the same task.

    `foreseen` are the transfer syntaxes that are known to come: at least that of the first.
    `missing` is how many instances of the resource are known not to come.
    """

    def __init__(
        self,
        first: HeldInstance,
        rest: AsyncGenerator[HeldInstance],
        *,
        foreseen: frozenset[Uid],
        missing: int,
    ) -> None:
        """For `begin`."""
        self.first = first
        self.foreseen = foreseen | {first.transfer_syntax}
        self.missing = missing
        self._rest = rest
        self._held = AsyncExitStack()

    @classmethod
    async def begin(
        cls,
        instances: AsyncGenerator[HeldInstance],
        *,
        foreseen: frozenset[Uid] = frozenset(),
        missing: int = 0,
    ) -> Self | None:
        """The stream with its first instance at hand; None if there is none."""
        try:
            first = await anext(instances)
        except StopAsyncIteration:
            return None
        return cls(first, instances, foreseen=foreseen, missing=missing)

    async def __aiter__(self) -> AsyncIterator[HeldInstance]:
        async for held in self.as_they_come():
            yield await held.on_disk()

    async def as_they_come(self) -> AsyncIterator[HeldInstance]:
        """The same for whoever needs no files."""
        yield self.first
        async for held in self._rest:
            yield held

    def hold(self, held: AsyncExitStack) -> None:
        """Have this closed with the stream, too."""
        self._held = held

    async def aclose(self) -> None:
        """Let go of what is held, and stop whoever still sends."""
        async with self._held:
            await self._rest.aclose()


class Source(Protocol):
    """A place that may hold what is asked for."""

    async def open(self, resource: Resource) -> InstanceStream | None:
        """Begin to give the resource; None where this source cannot give all of it.

        Raises:
            Unavailable: it holds the resource and cannot give it now.
        """
