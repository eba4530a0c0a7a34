"""Which transfer syntax may be given as which (PS3.5 Annex A, PS3.6 Annex A).

Whether one instance can be encoded as asked depends on its pixels, too: see `encode`.
"""

from collections.abc import Sequence
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
HTJ2K_ALL: Final = frozenset({HTJ2K_LOSSLESS, HTJ2K_LOSSLESS_RPCL, HTJ2K})
"""JPEG 2000 with another block coder (ISO/IEC 15444-15)."""
JPEG_2000_ALL: Final = HTJ2K_ALL | {JPEG_2000_LOSSLESS, JPEG_2000}

DECODED: Final = NATIVE | JPEG | JPEG_LS_ALL | JPEG_2000_ALL | {RLE, DEFLATED_FRAMES}
"""What is read here. Video, and what is newer, is only passed on."""

LOSSY_ENCODED: Final = (JPEG_LS_NEAR, JPEG_BASELINE)
"""What loses some of the picture as it is written here, the least first."""

ENCODED: Final = (
    EXPLICIT_LITTLE_ENDIAN,
    HTJ2K_LOSSLESS,
    HTJ2K_LOSSLESS_RPCL,
    HTJ2K,
    JPEG_LS,
    JPEG_2000_LOSSLESS,
    JPEG_2000,
    RLE,
    *LOSSY_ENCODED,
)
"""What is written here, the first choice of one who takes any of them first. JPEG 2000 and HTJ2K
that may be lossy are not (PS3.5 §A.4.4): nothing is lost that need not be."""


FORBIDDEN_ON_THE_WEB: Final = frozenset({IMPLICIT_LITTLE_ENDIAN, EXPLICIT_BIG_ENDIAN})
"""Never sent, not even to one who names them (PS3.18 §8.7.3)."""


def given_as(stored: str) -> Sequence[Uid]:
    """The transfer syntaxes in which an instance of this one may leave, beside this one itself, the
    first choice first. Whether it can depends on its pixels, too, which may have more bits than
    another holds."""
    return [syntax for syntax in ENCODED if syntax != stored] if stored in DECODED else []
