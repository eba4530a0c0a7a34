"""The metadata of documents that travel on media instead of the wire: ITI-32, the XDM profile.

A pointer reaches another gateway so when a centre changes its supplier. The metadata is the same
as that of ITI-41, which some write with all of its envelope: both are read.
"""

from typing import Final

from indexer.contract.document import Submission
from indexer.contract.document_set import document_set_of
from indexer.wire.xds.archived_set import write_archived_set
from indexer.wire.xds.reader import SubmittedDocument, read_submit_objects
from indexer.wire.xml import open_xml

MANIFEST_MIME_TYPES: Final = frozenset({"application/dicom", "application/fhir+json"})
"""Key object documents, and the form that MADO has in FHIR."""


def write_metadata(submission: Submission, *, uri: str) -> bytes:
    """METADATA.XML of one document; the same submission, the same bytes.

    Args:
        uri: where the document lies, from the folder of the metadata (ITI TF-3 §4.2.3.2.26).
    """
    return write_archived_set(document_set_of(submission), [uri])


def read_metadata(data: bytes) -> list[SubmittedDocument]:
    """The manifests that a METADATA.XML describes, without their bytes.

    The ids of entries are left out: they are symbols, and an archive of the agency's demonstrator
    holds random ones. Whoever needs an entry's id asks the index by the document's unique id.

    Raises:
        InvalidValue: the metadata cannot be read.
    """
    return read_submit_objects(open_xml(data), mime_types=MANIFEST_MIME_TYPES)
