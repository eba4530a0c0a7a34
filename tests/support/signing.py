"""Submissions with the document that signs them."""

from indexer.client.signature_document import sign_set
from indexer.contract.document_set import DocumentSet
from indexer.contract.identifiers import Uid
from indexer.wire.proof.signatures import SigningKey
from tests.support.health_pki import NOW, a_structure
from tests.support.xds import a_set

SIGNATURE = Uid("2.25.99")
KEY = a_structure().key


def a_signed_set(key: SigningKey = KEY) -> DocumentSet:
    """Two documents, and the signature of both."""
    return sign_set(a_set(1, 2), key, document_id=SIGNATURE, now=NOW)
