"""Reads a rejection note: a key object document that says what must not be shown (IHE RAD-66).

Pure but for the file. A note is taken whole or refused, for half of one would leave images to be
seen that a radiologist rejected.
"""

import zlib
from pathlib import Path
from typing import Final

from pydicom import Dataset
from pydicom.uid import UID, DeflatedExplicitVRLittleEndian, ExplicitVRLittleEndian

from gateway.catalogue.header import Header, items, text, uid
from gateway.dimse.commands import decode_data_set
from gateway.errors import InvalidRequest
from gateway.model.notification import InstancesRejected
from gateway.model.sop_classes import KEY_OBJECTS, REJECTION_TITLES
from indexer.contract.errors import InvalidValue
from indexer.contract.identifiers import Uid

NOTE_BYTES_MAX: Final = 8 * 2**20
"""Longest note; it takes some 150 bytes an instance."""
REJECTED_MAX: Final = 20_000
"""Instances that one note may reject."""
STUDIES_MAX: Final = 256
"""Studies that one note may speak of; nearly all speak of one."""

_EVIDENCE: Final = "CurrentRequestedProcedureEvidenceSequence"


def is_rejection(header: Header) -> bool:
    """Whether an instance may be a rejection note, by its class and the code of its title."""
    image = header.image
    return image.sop_class == KEY_OBJECTS and image.title_code in REJECTION_TITLES


def read_rejection(
    path: Path, *, header: Header, transfer_syntax: str, size_bytes: int
) -> tuple[InstancesRejected, ...]:
    """What a note rejects, by study; nothing where its title is of a scheme other than DCM's.

    Args:
        size_bytes: of the data set, which is the last so many bytes of the file.

    Raises:
        InvalidRequest: it is too long, cannot be read, or leaves out what it rejects.
    """
    if size_bytes > NOTE_BYTES_MAX:
        raise InvalidRequest("the rejection note is too long")
    encoded = path.read_bytes()[-size_bytes:]
    syntax = UID(transfer_syntax)
    if syntax == DeflatedExplicitVRLittleEndian:
        encoded, syntax = _inflated(encoded), ExplicitVRLittleEndian
    ds = decode_data_set(encoded, syntax)
    try:
        titles = items(ds, "ConceptNameCodeSequence")[:1]
        if [text(one, "CodingSchemeDesignator") for one in titles] != ["DCM"]:
            return ()
        rejected = _by_study(ds)
    except InvalidValue as error:
        raise InvalidRequest(f"the rejection note's {error}") from None
    return tuple(
        InstancesRejected(
            study=study,
            note=header.image.instance,
            code=header.image.title_code,
            instances=tuple(dict.fromkeys(instances)),
        )
        for study, instances in rejected.items()
    )


def _by_study(ds: Dataset) -> dict[Uid, list[Uid]]:
    studies = items(ds, _EVIDENCE)
    if not studies or len(studies) > STUDIES_MAX:
        raise InvalidValue(f"{_EVIDENCE} has no item, or over {STUDIES_MAX}")
    found: dict[Uid, list[Uid]] = {}
    for study in studies:
        found.setdefault(uid(study, "StudyInstanceUID"), []).extend(_instances(study))
    if not all(found.values()):
        raise InvalidValue(f"{_EVIDENCE} names a study without instances")
    if sum(map(len, found.values())) > REJECTED_MAX:
        raise InvalidValue(f"{_EVIDENCE} names over {REJECTED_MAX} instances")
    return found


def _instances(study: Dataset) -> list[Uid]:
    instances = []
    for series in items(study, "ReferencedSeriesSequence"):
        uid(series, "SeriesInstanceUID")
        for instance in items(series, "ReferencedSOPSequence"):
            uid(instance, "ReferencedSOPClassUID")
            instances.append(uid(instance, "ReferencedSOPInstanceUID"))
    return instances


def _inflated(deflated: bytes) -> bytes:
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        encoded = inflater.decompress(deflated, NOTE_BYTES_MAX)
    except zlib.error:
        raise InvalidRequest("the rejection note cannot be read") from None
    if inflater.unconsumed_tail:
        raise InvalidRequest("the rejection note is too long")
    return encoded
