"""Opens files whose names the kernel holds in memory, so that the disk is not asked (openat2(2)).

Python has no call for it, so the kernel is called by its number, which is the same on all machines.
Where it cannot say, as before Linux 5.12 or in a confined process, every file is opened elsewhere.
"""

import ctypes
import os
import struct
from typing import Final

_OPENAT2: Final = 437
_FROM_HERE: Final = -100  # AT_FDCWD
_RESOLVE_CACHED: Final = 0x20
_HOW: Final = struct.pack("=QQQ", os.O_RDONLY | os.O_CLOEXEC, 0, _RESOLVE_CACHED)
# With the interpreter held: the call never waits, and taking it back may.
_call: Final = ctypes.PyDLL(None).syscall
_call.restype = ctypes.c_long
_call.argtypes = [
    ctypes.c_long,
    ctypes.c_long,
    ctypes.c_char_p,
    ctypes.c_char_p,
    ctypes.c_size_t,
]


def open_known(path: str) -> int | None:
    """The number of the file, open to be read; None where that would ask the disk, or fails."""
    number = int(_call(_OPENAT2, _FROM_HERE, os.fsencode(path), _HOW, len(_HOW)))
    return number if number >= 0 else None
