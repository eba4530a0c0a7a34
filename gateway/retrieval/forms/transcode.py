"""Gives instances in the transfer syntax that a client may have.

Rewriting and transcoding run in worker processes and go from file to file, so neither the loop nor
the memory feels a large instance, and a hostile one harms nobody else.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Final, TypeVar, TypeVarTuple

from gateway.errors import NotAcceptable, StorageUnavailable, WorkerDied
from gateway.processes.pool import WorkerPool
from gateway.retrieval.files import UNREADABLE, to_the_end
from gateway.retrieval.forms.recompress import FramePlace, transcode, transcode_frames
from gateway.retrieval.sources.source import HeldInstance
from indexer.contract.identifiers import Uid

R = TypeVar("R")
Ts = TypeVarTuple("Ts")

TRANSCODE_S_MAX: Final = 300.0
"""For one instance, once a worker has begun."""


class Transcoder:
    """Rewrites instances in worker processes.

    Args:
        workers: where it is done.
        new_spool: a fresh path at which nothing is yet.
        discard: removes what lies at such a path.
        size_bytes_max: size of the largest instance, before and after, that is rewritten.
    """

    def __init__(
        self,
        workers: WorkerPool,
        new_spool: Callable[[], Path],
        discard: Callable[[Path], Awaitable[None]],
        *,
        size_bytes_max: int,
    ) -> None:
        self._workers = workers
        self._new_spool = new_spool
        self._discard = discard
        self._size_bytes_max = size_bytes_max

    @asynccontextmanager
    async def given(self, held: HeldInstance, transfer_syntax: Uid) -> AsyncIterator[HeldInstance]:
        """The instance in a transfer syntax that `instance_form` chose; if it has no pixels and is
        not held so, it is given in Explicit VR Little Endian.

        Raises:
            NotAcceptable: the instance is too large, is not what its transfer syntax says, or has
                pixels that the other cannot hold. Another form of it may be had.
            Unavailable: too much work waits, or the disk is full or fails.
        """
        if transfer_syntax == held.transfer_syntax:
            yield held
            return
        target, scratch = self._new_spool(), self._new_spool()
        try:
            work = (held.path, target, scratch, str(transfer_syntax), self._size_bytes_max)
            given = await self._done(transcode, *work)
            yield replace(held, path=target, transfer_syntax=Uid(given))
        finally:
            for spooled in (scratch, target):
                await to_the_end(self._discard(spooled))

    @asynccontextmanager
    async def frames(
        self, source: Path, places: Sequence[FramePlace], transfer_syntax: Uid
    ) -> AsyncIterator[tuple[Path, list[int]]]:
        """A file of frames, one after the other, in a transfer syntax that `bulk_form` chose, and
        the bytes of each. Colours that the stored syntax transforms are RGB where they are native.

        Args:
            source: a file in little endian.
            places: of the frames.

        Raises:
            NotAcceptable: as `given`.
            Unavailable: as `given`.
        """
        target = self._new_spool()
        try:
            work = (source, target, places, str(transfer_syntax), self._size_bytes_max)
            yield target, await self._done(transcode_frames, *work)
        finally:
            await to_the_end(self._discard(target))

    async def _done(self, function: Callable[[*Ts], R], *args: *Ts) -> R:
        try:
            return await self._workers.run(function, *args, within_s=TRANSCODE_S_MAX)
        except OSError as error:
            raise StorageUnavailable(UNREADABLE) from error
        except WorkerDied as error:
            raise NotAcceptable(f"the instance cannot be given so: {error}") from error
