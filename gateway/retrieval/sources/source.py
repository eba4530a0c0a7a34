"""What a source gives: the instances of a resource, one after the other, each a Part 10 file."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
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
    transfer_syntax: Uid


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
