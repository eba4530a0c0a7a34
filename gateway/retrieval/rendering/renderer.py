"""Has instances rendered by worker processes, and reads what they answer."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVarTuple

from gateway.dicomweb.accept import Accepted
from gateway.errors import NotAcceptable, WorkerDied
from gateway.processes.pool import WorkerPool
from gateway.retrieval.rendering.order import Order
from gateway.retrieval.rendering.render import present_frame, render, wrap

Ts = TypeVarTuple("Ts")

RENDER_S_MAX: Final = 30.0
"""For one picture, or one text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendering:
    """A picture or a text."""

    kind: str
    """Its media type, as Content-Type has it."""
    multipart: bool
    """Whether it is wanted as a part."""
    content: bytes
    """Empty where it lies in the file as it is."""
    frames: int
    """Of the instance: more may be had as further parts."""
    ranges: Sequence[tuple[int, int]] = ()
    """Where its bytes begin and end in the instance's file."""
    references: Sequence[tuple[str, str, Sequence[int]]] = ()
    """What a presentation state shows, instead of content: series, instance and frames; none of
    these is all."""

    @property
    def size_bytes(self) -> int:
        """Of what is sent."""
        return len(self.content) + sum(end - start for start, end in self.ranges)


class Renderer:
    """Renders in the workers of the pool."""

    def __init__(self, workers: WorkerPool) -> None:
        self._workers = workers

    async def render(
        self,
        path: Path,
        order: Order,
        accepted: Accepted,
        *,
        single: bool,
        frame: int | None = None,
    ) -> Rendering:
        """The instance, or a frame of it, in the form that the client prefers.

        Args:
            single: whether the client may have it without parts.
            frame: counted from 1; None for the instance as a whole, or the first of its parts.

        Raises:
            InvalidRequest: the order does not fit the form.
            NotFound: there is no such frame.
            NotAcceptable: there is no such form of it, or it cannot be read.
            Unavailable: too much waits to be rendered already.
        """
        return await self._run(render, str(path), wrap(order, accepted), single, frame)

    async def present(
        self, path: Path, state: Path, order: Order, kind: str, *, frame: int | None
    ) -> Rendering:
        """An image as a presentation state shows it.

        Args:
            path: of the image.
            state: path of the presentation state.
            kind: media type of the picture.
            frame: counted from 1; None for the one that represents the image.

        Raises:
            NotFound, NotAcceptable, Unavailable: as `render`.
        """
        return await self._run(present_frame, str(path), str(state), order, kind, frame)

    async def _run(self, function: Callable[[*Ts], dict[str, Any]], *args: *Ts) -> Rendering:
        try:
            told = await self._workers.run(function, *args, within_s=RENDER_S_MAX)
        except WorkerDied as error:  # it would again
            raise NotAcceptable(f"the instance cannot be rendered: {error}") from error
        return Rendering(**told)
