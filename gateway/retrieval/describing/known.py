"""Instances at hand, and those that were asked for last, kept until anything is written.

A viewer asks for the frames of an object one after the other, and for a slice again in each window.
To ask the database costs more than to find the frame.
"""

from dataclasses import dataclass, replace
from typing import Final

from gateway.catalogue.descriptions import Listing
from gateway.dicomweb.layout import START_BYTES, Layout
from gateway.model.resource import Resource
from gateway.retrieval.sources.source import HeldInstance

INSTANCES_MAX: Final = 1024
"""And as many listings."""
LISTED_CHARACTERS_MAX: Final = 8 * 2**20
"""Of all listings that are kept; one instance takes some two hundred."""
VALUES_MAX: Final = 32
"""Bulk values of an instance that is kept; most have their pixels alone."""
TOGETHER: Final = 256
"""Frames whose places are read at once: 2 KiB."""

FrameNumbers = tuple[int, int]
"""The first and the last of those whose places are wanted, from 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DescribedInstance:
    """An instance at hand."""

    held: HeldInstance
    layout: Layout
    starts: bytes
    """Of the frames that were asked for; see `item_ranges`."""
    key: str = ""
    """Of its object; empty where it is not stored here."""

    def cut(self, frames: FrameNumbers, *, of: FrameNumbers) -> "DescribedInstance":
        """The same with the places of some of its frames.

        Args:
            of: the frames whose places it has.
        """
        if not self.starts or frames == of:
            return self
        begin, end = ((number - of[0]) * START_BYTES for number in (frames[0], frames[1] + 2))
        return replace(self, starts=self.starts[begin:end])


class KnownInstances:
    """What holds for as long as the database is in one generation."""

    def __init__(self) -> None:
        self._known: dict[Resource, tuple[int, FrameNumbers, DescribedInstance]] = {}

    def find(
        self, resource: Resource, frames: FrameNumbers, *, generation: int | None
    ) -> DescribedInstance | None:
        """The instance with the places of these frames, if both are known."""
        made_in, (first, last), instance = self._known.get(resource, (None, (0, 0), None))
        if instance is None or made_in != generation:
            return None
        pixels = instance.layout.pixels
        if pixels is None or pixels.native:  # its places are told by a rule
            return instance
        if not first <= frames[0] <= frames[1] <= last:
            return None
        return instance.cut(frames, of=(first, last))

    def keep(
        self,
        resource: Resource,
        instance: DescribedInstance,
        frames: FrameNumbers,
        *,
        generation: int | None,
    ) -> None:
        """Keep what was found by asking the database in this generation, or later."""
        self._known.pop(resource, None)
        is_small = len(instance.layout.bulk) <= VALUES_MAX and frames[1] - frames[0] < TOGETHER
        if generation is None or not is_small:
            return
        self._known[resource] = generation, frames, instance
        if len(self._known) > INSTANCES_MAX:
            del self._known[next(iter(self._known))]


class KnownListings:
    """Listings, for as long."""

    def __init__(self) -> None:
        self._known: dict[Resource, tuple[int, Listing]] = {}
        self._characters = 0

    def find(self, resource: Resource, *, generation: int | None) -> Listing | None:
        """What is listed of the resource, if that is known."""
        made_in, listing = self._known.get(resource, (None, None))
        return listing if made_in == generation else None

    def keep(self, resource: Resource, listing: Listing, *, generation: int | None) -> None:
        """Keep what was found by asking the database in this generation, or later."""
        _, replaced = self._known.pop(resource, (0, None))
        self._characters -= 0 if replaced is None else len(replaced.text)
        if generation is None:
            return
        self._known[resource] = generation, listing
        self._characters += len(listing.text)
        while self._characters > LISTED_CHARACTERS_MAX or len(self._known) > INSTANCES_MAX:
            _, dropped = self._known.pop(next(iter(self._known)))
            self._characters -= len(dropped.text)


def together(frames: FrameNumbers) -> FrameNumbers:
    """The frames whose places are read with these: who asks for one asks for the next."""
    first, last = frames
    return (first - 1) // TOGETHER * TOGETHER + 1, -(-last // TOGETHER) * TOGETHER
