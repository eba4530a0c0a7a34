"""ICC profiles: the colours of a picture, said so that a screen shows them as they are meant."""

import struct
from enum import StrEnum
from functools import lru_cache
from io import BytesIO
from typing import Final

import numpy as np
from PIL import Image, ImageCms

from gateway.pixels.grayscale import Shades


class Profile(StrEnum):
    """Which profile a picture carries (PS3.18 §8.3.5.1.5)."""

    NONE = "no"
    OWN = "yes"
    """The image's own; sRGB where it has none."""
    SRGB = "srgb"
    ADOBE_RGB = "adobergb"
    ROMM_RGB = "rommrgb"


OWN_BYTES_MAX: Final = 4 * 2**20
"""Of an image's own profile that is heeded."""

_D50: Final = (0.9642, 1.0, 0.8249)
# The primaries of each space adapted to D50, and the exponent of its curve.
_SPACES: Final = {
    Profile.ADOBE_RGB: (  # Adobe RGB (1998) §4.3
        ((0.60974, 0.31111, 0.01947), (0.20528, 0.62567, 0.06087), (0.14919, 0.06322, 0.74457)),
        563 / 256,
    ),
    Profile.ROMM_RGB: (  # ISO 22028-2
        ((0.79767, 0.28804, 0.0), (0.13519, 0.71188, 0.0), (0.03134, 0.00009, 0.82491)),
        1.8,
    ),
}


def with_profile(picture: Shades, asked: Profile, own: bytes | None) -> tuple[Shades, bytes | None]:
    """The picture in the colours that are asked for, and the profile that says so.

    Gray is given as equal red, green and blue: the profiles are of three colours.

    Args:
        own: the image's own profile; sRGB is assumed where there is none or it is unreadable.
    """
    if asked is Profile.NONE:
        return picture, None
    colours = picture if picture.ndim == 3 else np.repeat(picture[..., None], 3, axis=2)
    readable = own is not None and picture.ndim == 3 and _is_rgb(own)
    source = own if readable and own is not None else _standard(Profile.SRGB)
    if asked is Profile.OWN:
        return colours, source
    target = _standard(asked)
    if source == target:
        return colours, target
    return _converted(colours, source, target), target


def _converted(colours: Shades, source: bytes, target: bytes) -> Shades:
    image = ImageCms.profileToProfile(
        Image.fromarray(np.ascontiguousarray(colours)),
        ImageCms.ImageCmsProfile(BytesIO(source)),
        ImageCms.ImageCmsProfile(BytesIO(target)),
        renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
    )
    assert image is not None  # None is what conversion in place would give
    return np.asarray(image)


def _is_rgb(profile: bytes) -> bool:
    if len(profile) > OWN_BYTES_MAX:
        return False
    try:
        opened = ImageCms.ImageCmsProfile(BytesIO(profile))
        return bool(opened.profile.xcolor_space.strip() == "RGB")
    except (OSError, ImageCms.PyCMSError):
        return False


@lru_cache
def _standard(space: Profile) -> bytes:
    if space is Profile.SRGB:
        return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    primaries, exponent = _SPACES[space]
    return _matrix_profile(space, primaries, exponent)


_COLORANTS: Final = (b"rXYZ", b"gXYZ", b"bXYZ")


def _matrix_profile(
    name: str, primaries: tuple[tuple[float, float, float], ...], exponent: float
) -> bytes:
    """A display profile of three primaries and one curve (ICC.1:2001-04 §6.3.1)."""
    curve = b"curv" + struct.pack(">IIH", 0, 1, round(exponent * 256)) + b"\0\0"
    ascii_name = name.encode("ascii") + b"\0"
    described = b"desc" + struct.pack(">II", 0, len(ascii_name)) + ascii_name + bytes(78)
    tags = [
        (b"desc", described),
        (b"cprt", b"text\0\0\0\0" + b"No copyright\0"),
        (b"wtpt", _xyz(_D50)),
        *((kind, _xyz(one)) for kind, one in zip(_COLORANTS, primaries, strict=True)),
        *((kind, curve) for kind in (b"rTRC", b"gTRC", b"bTRC")),
    ]
    at = 128 + 4 + 12 * len(tags)
    table, content = struct.pack(">I", len(tags)), b""
    for kind, value in tags:
        padded = value + bytes(-len(value) % 4)
        table += struct.pack(">4sII", kind, at + len(content), len(value))
        content += padded
    header = struct.pack(
        ">I4sI4s4s4s", at + len(content), b"\0" * 4, 0x02400000, b"mntr", b"RGB ", b"XYZ "
    )
    header += struct.pack(">6H", 2026, 1, 1, 0, 0, 0) + b"acsp" + bytes(28) + _xyz(_D50)[8:]
    return header.ljust(128, b"\0") + table + content


def _xyz(values: tuple[float, float, float]) -> bytes:
    return b"XYZ \0\0\0\0" + struct.pack(">3i", *(round(value * 65536) for value in values))
