"""Frames a zip archive that is sent as it is made: nothing of it is held, and nothing gone back to.

Files are stored as they are, for pixels that are compressed do not shrink again, and a reader finds
each by its place. Length and CRC of each are told before it: a reader of a stream cannot know where
a stored file ends that tells them behind it. Larger ones, later ones and more than 65,534 files are
told by ZIP64 (APPNOTE 6.3 §4.5.3).
"""

import struct
from typing import Final

_LOCAL: Final = struct.Struct("<4s5H3I2H")
_CENTRAL: Final = struct.Struct("<4s6H3I5H2I")
_END: Final = struct.Struct("<4s4H2IH")
_END_64: Final = struct.Struct("<4sQ2H2I4Q")
_LOCATOR_64: Final = struct.Struct("<4sIQI")

_VERSION: Final = 20
_VERSION_64: Final = 45
_UNIX: Final = 3 << 8
_READABLE: Final = 0o100644 << 16
_UTF_8: Final = 1 << 11
_EPOCH: Final = (0, 0x21)  # time and date: the first day of 1980, for nobody needs to know when
_MAX_16, _MAX_32 = 0xFFFF, 0xFFFFFFFF


class ZipStream:
    """One archive."""

    def __init__(self) -> None:
        self._at = 0
        self._central = bytearray()
        self._count = 0

    def file(self, name: str, *, size_bytes: int, crc32: int) -> bytes:
        """What goes before the bytes of the next file."""
        encoded = name.encode()
        is_long = size_bytes >= _MAX_32
        size = _MAX_32 if is_long else size_bytes
        extra = _extra(size_bytes, size_bytes) if is_long else b""
        version = _VERSION_64 if is_long else _VERSION
        lengths = (len(encoded), len(extra))
        local = _LOCAL.pack(b"PK\3\4", version, _UTF_8, 0, *_EPOCH, crc32, size, size, *lengths)
        self._list(encoded, size_bytes, crc32)
        head = local + encoded + extra
        self._at += len(head) + size_bytes
        return head

    def end(self) -> bytes:
        """What goes after the last file."""
        size_bytes = len(self._central)
        count, size, at = self._count, size_bytes, self._at
        ends = b""
        if count >= _MAX_16 or size >= _MAX_32 or at >= _MAX_32:
            versions = (_VERSION_64 | _UNIX, _VERSION_64)
            rest = _END_64.size - 12  # without its signature and this length
            told = (count, count, size, at)
            ends = _END_64.pack(b"PK\6\6", rest, *versions, 0, 0, *told)
            ends += _LOCATOR_64.pack(b"PK\6\7", 0, at + size, 1)
        few, small, near = min(count, _MAX_16), min(size, _MAX_32), min(at, _MAX_32)
        return bytes(self._central) + ends + _END.pack(b"PK\5\6", 0, 0, few, few, small, near, 0)

    def _list(self, name: bytes, size_bytes: int, crc32: int) -> None:
        """Note the file, which begins here, for the list at the end."""
        far = [one for one in (size_bytes, size_bytes, self._at) if one >= _MAX_32]
        extra = _extra(*far) if far else b""
        version = _VERSION_64 if far else _VERSION
        size, at = min(size_bytes, _MAX_32), min(self._at, _MAX_32)
        self._central += _CENTRAL.pack(
            *(b"PK\1\2", version | _UNIX, version, _UTF_8, 0, *_EPOCH, crc32, size, size),
            *(len(name), len(extra), 0, 0, 0, _READABLE, at),
        )
        self._central += name + extra
        self._count += 1


def _extra(*values: int) -> bytes:
    return struct.pack(f"<2H{len(values)}Q", 1, 8 * len(values), *values)
