"""Identifiers that cannot be wrong once made: UID, OID, INS."""

import re
from dataclasses import dataclass
from typing import Self

from indexer.contract.errors import InvalidValue

UID_LENGTH_MAX = 64  # characters, PS3.5 §9.1
_DOTTED = re.compile(r"[0-9]++(?:\.[0-9]++)*+", re.ASCII)

_INS = re.compile(r"[0-9]{5}(?:[0-9]{2}|2[AB])[0-9]{6}[0-9]{2}", re.ASCII)

INS_NIR = "1.2.250.1.213.1.4.8"
INS_NIA = "1.2.250.1.213.1.4.9"
INS_NIR_TEST = "1.2.250.1.213.1.4.10"
INS_NIR_DEMO = "1.2.250.1.213.1.4.11"


class Uid(str):
    """A DICOM unique identifier: dotted decimals, at most 64 characters (PS3.5 §9.1).

    Leading zeros break the standard yet reach us from old modalities. They are kept: a UID is
    compared, never computed with, and a rewritten one would name another object.

    Raises:
        InvalidValue: the text is no UID.
    """

    __slots__ = ()

    def __new__(cls, text: str) -> Self:
        if len(text) > UID_LENGTH_MAX or not _DOTTED.fullmatch(text):
            raise InvalidValue("not a UID")  # unquoted: a caller may have sent a name instead
        return str.__new__(cls, text)


class Oid(str):
    """An ISO object identifier that names an authority or a code system.

    Raises:
        InvalidValue: the text is no OID.
    """

    __slots__ = ()

    def __new__(cls, text: str) -> Self:
        if len(text) > UID_LENGTH_MAX or not _DOTTED.fullmatch(text):
            raise InvalidValue("not an OID")
        return str.__new__(cls, text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ins:
    """A patient's national health identity: the number with its key, and who gave it.

    The key is 97 less the first 13 characters modulo 97; Corsican departments 2A and 2B count as
    19 and 18 (rule of the French social security number).

    Raises:
        InvalidValue: the number is malformed or its key is wrong.
    """

    value: str
    oid: Oid

    def __post_init__(self) -> None:
        if not _INS.fullmatch(self.value):
            raise InvalidValue("not an INS: 15 characters expected")
        if int(self.value[13:]) != ins_key(self.value[:13]):
            raise InvalidValue("not an INS: its key is wrong")


def ins_key(number: str) -> int:
    """The two-digit key, 1 to 97, of an INS's first 13 characters."""
    return 97 - int(number.replace("2A", "19").replace("2B", "18")) % 97
