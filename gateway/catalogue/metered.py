"""A file that ends its reader's work where a header cannot be meant any more.

pydicom builds every item of a sequence of undefined length, even of one that nobody asked for: a
kilobyte of memory for eight bytes of the file, or for none where the data set is deflated.
"""

import os
from typing import BinaryIO, Final

from gateway.errors import InvalidRequest

READS_MAX: Final = 1_000_000
"""An element takes one or two, an item one: some 10,000 frames that are described one by one."""
VALUES_BYTES_MAX: Final = 64 * 2**20
"""Of all that is read, which is what is asked for and what cannot be skipped."""


class MeteredFile:
    """What pydicom needs of a binary file, up to `READS_MAX` and `VALUES_BYTES_MAX`."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._reads_left = READS_MAX
        self._bytes_left = VALUES_BYTES_MAX
        self.tell = file.tell

    def read(self, size_bytes: int = -1) -> bytes:
        """Read on.

        Raises:
            InvalidRequest: too much was read, or would be.
        """
        self._reads_left -= 1
        # Never all at once: a length in the file may be a lie, and is allotted before it is known.
        found = self._file.read(min(size_bytes, self._bytes_left + 1) if size_bytes >= 0 else -1)
        self._bytes_left -= len(found)
        if self._reads_left < 0 or self._bytes_left < 0:
            raise InvalidRequest("the header is too long or has too many elements")
        return found

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go elsewhere in the file, which costs nothing."""
        return self._file.seek(offset, whence)
