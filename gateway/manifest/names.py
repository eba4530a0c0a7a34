"""The names that DICOM gives its codes (PS3.16)."""

from typing import Final

from pydicom.sr.codedict import codes

_MODALITIES: Final[dict[str, str]] = {
    one.value: one.meaning for one in codes.CID29.concepts.values()
}
_TITLES: Final[dict[str, str]] = {one.value: one.meaning for one in codes.CID7010.concepts.values()}


def modality_name(code: str) -> str:
    """The modality's name (CID 29), or its code where the standard names none."""
    return _MODALITIES.get(code, code)


def title_name(code: str) -> str:
    """The name of a key object document's title (CID 7010); empty where it is none of these."""
    return _TITLES.get(code, "")
