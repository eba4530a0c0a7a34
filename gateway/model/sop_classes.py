"""Which instances a manifest may list: the value set JDV_SOPClass (1.2.250.1.213.1.1.5.689)."""

from typing import Final

from indexer.contract.identifiers import Uid

_STORAGE = "1.2.840.10008.5.1.4.1.1."
_ADMISSIBLE_SUFFIXES = (
    "1 1.1 1.1.1 1.2 1.2.1 1.3 1.3.1 2 2.1 2.2 3.1 4 4.1 4.2 4.3 4.4 6.1 6.2 "
    "7 7.1 7.2 7.3 7.4 11.1 11.2 11.3 11.4 11.5 12.1 12.1.1 12.2 12.2.1 "
    "13.1.1 13.1.2 13.1.3 13.1.4 13.1.5 20 66 66.1 66.2 66.3 66.4 66.5 67 68.1 68.2"
)
ADMISSIBLE: Final = frozenset(f"{_STORAGE}{suffix}" for suffix in _ADMISSIBLE_SUFFIXES.split())
"""The 47 storage classes of the value set."""

KEY_OBJECTS: Final = f"{_STORAGE}88.59"
"""Key Object Selection Document Storage: the class of key images, and of the manifest itself."""


REJECTION_TITLES: Final = frozenset({"113001", "113037", "113038", "113039"})
"""Titles of key object documents that reject what they list (CID 7011): they show nothing."""


def admissible(sop_class: Uid, title_code: str) -> bool:
    """Whether a manifest may list an instance: the 47 classes, and key objects that select images.

    Args:
        title_code: of a key object document's title; empty where it is not known.
    """
    if sop_class == KEY_OBJECTS:
        return title_code not in REJECTION_TITLES
    return sop_class in ADMISSIBLE
