"""The names of modalities (CID 29 of PS3.16)."""

from typing import Final

from pydicom.sr.codedict import codes

_NAMES: Final[dict[str, str]] = {one.value: one.meaning for one in codes.CID29.concepts.values()}


def modality_name(code: str) -> str:
    """The modality's name, or its code where the standard names none."""
    return _NAMES.get(code, code)
