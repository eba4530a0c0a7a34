"""What each address of DICOMweb does, for who asks what this service can do (PS3.18 Annex H)."""

from collections.abc import Iterable
from typing import Final

from gateway.dicomweb.accept import OCTETS
from gateway.dicomweb.capabilities import Transaction
from gateway.dicomweb.negotiation import BULK_TYPE, DICOM, DICOM_XML, JSON_TYPES, ZIP
from gateway.dicomweb.qido import PARAMETERS
from gateway.pixels.picture import PICTURES
from gateway.retrieval.rendering.forms import ALL

_PARTS: Final = 'multipart/related; type="{}"'
_BULK_KINDS: Final = (OCTETS, *dict.fromkeys(BULK_TYPE.values()))
_BULK: Final = (*(_PARTS.format(kind) for kind in _BULK_KINDS), *_BULK_KINDS)
_MODELS: Final = (*JSON_TYPES, _PARTS.format(DICOM_XML))

_SEARCH: Final = Transaction(
    title="Search (PS3.18 §10.6)",
    gives=_MODELS,
    query=PARAMETERS,
)
_STORE: Final = Transaction(
    title="Store (PS3.18 §10.5)",
    takes=(_PARTS.format(DICOM),),
    gives=(JSON_TYPES[0], DICOM_XML),
    query=("accept",),
)
_INSTANCES: Final = Transaction(
    title="Retrieve instances (PS3.18 §10.4.1.1.1)",
    gives=(_PARTS.format(DICOM), DICOM, ZIP),
    query=("accept",),
)
_OF: Final = {
    "rendered": Transaction(
        title="Retrieve rendered (PS3.18 §10.4.1.1.3)",
        gives=ALL,
        query=("accept", "annotation", "charset", "iccprofile", "quality", "viewport", "window"),
    ),
    "thumbnail": Transaction(
        title="Retrieve thumbnail (PS3.18 §10.4.1.1.4)",
        gives=PICTURES,
        query=("accept", "viewport"),
    ),
    "frames": Transaction(
        title="Retrieve frames (PS3.18 §10.4.1.1.6)", gives=_BULK, query=("accept",)
    ),
    "bulkdata": Transaction(
        title="Retrieve bulk data (PS3.18 §10.4.1.1.5)", gives=_BULK, query=("accept",)
    ),
    "pixeldata": Transaction(
        title="Retrieve pixel data (PS3.18 §10.4.1.1.6)", gives=_BULK, query=("accept",)
    ),
    "metadata": Transaction(
        title="Retrieve metadata (PS3.18 §10.4.1.1.2)", gives=_MODELS, query=("accept", "charset")
    ),
}
"""By the word of the address that says what is retrieved."""
_RESOURCES: Final = frozenset({"studies", "series", "instances"})
"""Words of addresses that are retrieved by a UID behind them, and searched without."""


def methods_of(path: str, names: Iterable[str]) -> dict[str, Transaction]:
    """What each method does at an address, HEAD apart, which goes with GET.

    Args:
        path: template of the address, such as `/dicom-web/studies/{study}`.
    """
    return {name: _transaction(name, path) for name in names if name != "HEAD"}


def _transaction(method: str, path: str) -> Transaction:
    if method == "POST":
        return _STORE
    word = [segment for segment in path.split("/") if not segment.startswith("{")][-1]
    if word not in _RESOURCES:
        return _OF[word]
    return _INSTANCES if path.endswith("}") else _SEARCH
