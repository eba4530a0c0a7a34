"""A stored image as a worker reads it: its header, and one frame at a time."""

from functools import lru_cache
from pathlib import Path
from typing import Final

from pydicom import dcmread
from pydicom.pixels.utils import pixel_array

from gateway.errors import NotFound
from gateway.pixels.appearance import Appearance, appearance_of
from gateway.pixels.attributes import whole
from gateway.pixels.grayscale import Stored
from gateway.pixels.syntaxes import EXPLICIT_BIG_ENDIAN
from indexer.contract.identifiers import Uid

HEADERS_MAX: Final = 4
"""Headers that a worker keeps, for the frames of an object are asked for one after the other."""
FRAMES_MAX: Final = 2**31 - 1


class StoredImage:
    """The header of a Part 10 file, and its frames."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.header = dcmread(path, stop_before_pixels=True)
        self.syntax = Uid(self.header.file_meta.TransferSyntaxUID)
        frames = whole(self.header, "NumberOfFrames", 1)
        self.frames = min(max(frames, 1), FRAMES_MAX)

    @property
    def representative(self) -> int:
        """The frame, counted from 1, that stands for all (PS3.3 §C.7.6.6)."""
        chosen = whole(self.header, "RepresentativeFrameNumber", 1)
        return chosen if 1 <= chosen <= self.frames else 1

    def appearance(self, frame: int) -> Appearance:
        """How a frame, counted from 1, looks by its own header."""
        return appearance_of(self.header, frame - 1, big_endian=self.syntax == EXPLICIT_BIG_ENDIAN)

    def stored(self, frame: int) -> Stored:
        """The samples of a frame, counted from 1.

        Raises:
            NotFound: there is no such frame.
            NotAcceptable: they cannot be decoded.
        """
        if not 1 <= frame <= self.frames:
            raise NotFound(f"the instance has {self.frames} frames, and none of this number")
        samples = pixel_array(self.path, index=frame - 1)
        return samples.astype(samples.dtype.newbyteorder("="), copy=False)


def open_stored(path: Path) -> StoredImage:
    """The file's header, as it was if the file is still the same."""
    told = path.stat()
    return _opened(path, told.st_ino, told.st_mtime_ns, told.st_size)


@lru_cache(HEADERS_MAX)
def _opened(path: Path, _inode: int, _mtime_ns: int, _size: int) -> StoredImage:
    return StoredImage(path)
