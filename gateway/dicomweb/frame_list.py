"""The frames that an address names (PS3.18 §10.4.1.1.6): numbers from 1, parted by commas."""

import re
from typing import Final

from gateway.errors import InvalidRequest

FRAMES_MAX: Final = 4096
"""That one request may name."""

_NUMBER: Final = re.compile(r"0*[1-9][0-9]{0,9}")
_LENGTH_MAX: Final = FRAMES_MAX * 8  # characters


def read_frames(text: str) -> tuple[int, ...]:
    """The frames, in the order in which they are named.

    Raises:
        InvalidRequest: something is no number from 1, or too many are named.
    """
    if len(text) > _LENGTH_MAX or text.count(",") >= FRAMES_MAX:
        raise InvalidRequest(f"more than {FRAMES_MAX} frames are asked for")
    numbers = text.split(",")
    if not all(_NUMBER.fullmatch(number) for number in numbers):
        raise InvalidRequest("frames are numbers from 1, parted by commas")
    return tuple(int(number) for number in numbers)
