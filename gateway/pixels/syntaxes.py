"""Which transfer syntax may be given as which (PS3.5 Annex A, PS3.6 Annex A).

Whether one instance can be encoded as asked depends on its pixels, too: see `encode`.
"""

from typing import Final

from indexer.contract.identifiers import Uid

IMPLICIT_LITTLE_ENDIAN: Final = Uid("1.2.840.10008.1.2")
EXPLICIT_LITTLE_ENDIAN: Final = Uid("1.2.840.10008.1.2.1")
DEFLATED_LITTLE_ENDIAN: Final = Uid("1.2.840.10008.1.2.1.99")
EXPLICIT_BIG_ENDIAN: Final = Uid("1.2.840.10008.1.2.2")
JPEG_BASELINE: Final = Uid("1.2.840.10008.1.2.4.50")
JPEG_EXTENDED: Final = Uid("1.2.840.10008.1.2.4.51")
JPEG_SPECTRAL_SELECTION: Final = Uid("1.2.840.10008.1.2.4.53")  # retired
JPEG_FULL_PROGRESSION: Final = Uid("1.2.840.10008.1.2.4.55")  # retired
JPEG_LOSSLESS: Final = Uid("1.2.840.10008.1.2.4.57")
JPEG_LOSSLESS_SV1: Final = Uid("1.2.840.10008.1.2.4.70")
JPEG_LS: Final = Uid("1.2.840.10008.1.2.4.80")
JPEG_LS_NEAR: Final = Uid("1.2.840.10008.1.2.4.81")
JPEG_2000_LOSSLESS: Final = Uid("1.2.840.10008.1.2.4.90")
JPEG_2000: Final = Uid("1.2.840.10008.1.2.4.91")
HTJ2K_LOSSLESS: Final = Uid("1.2.840.10008.1.2.4.201")
HTJ2K_LOSSLESS_RPCL: Final = Uid("1.2.840.10008.1.2.4.202")
HTJ2K: Final = Uid("1.2.840.10008.1.2.4.203")
RLE: Final = Uid("1.2.840.10008.1.2.5")
DEFLATED_FRAMES: Final = Uid("1.2.840.10008.1.2.8.1")

NATIVE: Final = frozenset(
    {IMPLICIT_LITTLE_ENDIAN, EXPLICIT_LITTLE_ENDIAN, DEFLATED_LITTLE_ENDIAN, EXPLICIT_BIG_ENDIAN}
)
"""Pixels as they are, one after the other (PS3.5 §8.1)."""

JPEG: Final = frozenset(
    {
        JPEG_BASELINE,
        JPEG_EXTENDED,
        JPEG_SPECTRAL_SELECTION,
        JPEG_FULL_PROGRESSION,
        JPEG_LOSSLESS,
        JPEG_LOSSLESS_SV1,
    }
)
JPEG_LS_ALL: Final = frozenset({JPEG_LS, JPEG_LS_NEAR})
JPEG_2000_ALL: Final = frozenset(
    {JPEG_2000_LOSSLESS, JPEG_2000, HTJ2K_LOSSLESS, HTJ2K_LOSSLESS_RPCL, HTJ2K}
)
"""HTJ2K is JPEG 2000 with another block coder (ISO/IEC 15444-15)."""

DECODED: Final = NATIVE | JPEG | JPEG_LS_ALL | JPEG_2000_ALL | {RLE, DEFLATED_FRAMES}
"""What is read here. Video, and what is newer, is only passed on."""

LOSSLESS_ENCODED: Final = frozenset(
    {
        EXPLICIT_LITTLE_ENDIAN,
        RLE,
        JPEG_LS,
        JPEG_2000_LOSSLESS,
        HTJ2K_LOSSLESS,
        HTJ2K_LOSSLESS_RPCL,
    }
)
LOSSY_ENCODED: Final = frozenset({JPEG_BASELINE, JPEG_LS_NEAR, JPEG_2000, HTJ2K})
"""What loses some of the picture as it is written here."""

ENCODED: Final = LOSSLESS_ENCODED | LOSSY_ENCODED

FORBIDDEN_ON_THE_WEB: Final = frozenset({IMPLICIT_LITTLE_ENDIAN, EXPLICIT_BIG_ENDIAN})
"""Never sent, not even to one who names them (PS3.18 §8.7.3)."""


def may_be_given_as(stored: str, asked: str) -> bool:
    """Whether an instance of the one transfer syntax may leave in the other, as far as the two
    tell: its pixels may have more bits than the other holds."""
    if asked in FORBIDDEN_ON_THE_WEB:
        return False
    return asked == stored or (stored in DECODED and asked in ENCODED)
