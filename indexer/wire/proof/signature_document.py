"""The signature document of a submission set: an XAdES signature of a list of digests.

The DMP asks for one beside each submission (IHE DSG, ITI TF-3 §5.5, in the form of the CI-SIS).
What is signed is a Manifest, with the digest of each document by its unique id, and when and with
which certificate it was signed (XAdES 1.1.1).
"""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA1, SHA256, SHA384, SHA512, Hash, HashAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding
from lxml import etree

from indexer.contract.document import Code
from indexer.contract.errors import InvalidValue
from indexer.wire.proof.signatures import (
    DS,
    SigningKey,
    UnsupportedAlgorithm,
    check_objects,
    sign_objects,
)
from indexer.wire.vocabulary import OID_PREFIX
from indexer.wire.xml import Element

MIME_TYPE: Final = "text/xml"
LANGUAGE: Final = "art"
CLASS_CODE: Final = Code(
    code="urn:oid:1.3.6.1.4.1.19376.1.2.1.1.1", scheme="URN", display="Digital Signature"
)
TYPE_CODE: Final = Code(code="E1762", scheme="ASTM", display="Full Document")
FORMAT_CODE: Final = Code(code=DS, scheme="URN", display="Default Signature Style")
PURPOSE: Final = Code(code="1.2.840.10065.1.12.1.14", scheme="1.2.840.10065.1.12", display="Source")
"""eventCode: who signs is the source of the documents (ASTM E1762)."""

_XADES: Final = "http://uri.etsi.org/01903/v1.1.1#"
_MANIFEST: Final = "IHEManifest"
_PROPERTIES: Final = "S0-SignedProperties"
_NO_DIGEST: Final = "AA=="
"""Of the submission set, which has no bytes of its own."""
_DIGESTS: Final[Mapping[str, type[HashAlgorithm]]] = {
    "http://www.w3.org/2000/09/xmldsig#sha1": SHA1,
    "http://www.w3.org/2001/04/xmlenc#sha256": SHA256,
    "http://www.w3.org/2001/04/xmldsig-more#sha384": SHA384,
    "http://www.w3.org/2001/04/xmlenc#sha512": SHA512,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedDigest:
    """What was signed of one document."""

    algorithm: type[HashAlgorithm]
    value: bytes

    def matches(self, content: bytes) -> bool:
        """Whether these are the bytes that were signed."""
        return _digest(self.algorithm, content) == self.value


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedSet:
    """What a signature document signs."""

    documents: Mapping[str, SignedDigest]
    """By unique id."""
    undigested: frozenset[str]
    """What is named without a digest: the submission set, by its unique id."""


def write_signature(
    document_id: str,
    *,
    set_id: str,
    documents: Mapping[str, bytes],
    key: SigningKey,
    signed_at: datetime,
) -> bytes:
    """The signature document.

    Args:
        document_id: its own unique id.
        set_id: the unique id of the submission set.
        documents: bytes of each other document of the set, by its unique id.
    """
    manifest = etree.Element(_ds("Manifest"), nsmap=_DS_ALONE, Id=_MANIFEST)
    for name, content in ((set_id, None), *documents.items()):
        reference = etree.SubElement(manifest, _ds("Reference"), URI=OID_PREFIX + name)
        etree.SubElement(reference, _ds("DigestMethod"), Algorithm=key.digest.value)
        digest = _NO_DIGEST if content is None else _digest_text(key, content)
        etree.SubElement(reference, _ds("DigestValue")).text = digest
    together = etree.Element(_ds("SignatureProperties"), nsmap=_DS_ALONE)
    purpose = etree.SubElement(together, _ds("SignatureProperty"), Id="purposeOfSignature")
    purpose.set("Target", f"#{document_id}")
    purpose.text = PURPOSE.code
    qualifying = _qualifying_properties(document_id, key, signed_at)
    references = [(f"{DS}Manifest", _MANIFEST), (f"{_XADES}SignedProperties", _PROPERTIES)]
    signature = sign_objects(document_id, (together, manifest, qualifying), references, key)
    return etree.tostring(signature, xml_declaration=True, encoding="UTF-8")


def _qualifying_properties(document_id: str, key: SigningKey, signed_at: datetime) -> Element:
    whole = etree.Element(_xades("QualifyingProperties"), nsmap=_XADES_ALONE)
    whole.set("Target", f"#{document_id}")
    properties = etree.SubElement(whole, _xades("SignedProperties"), Id=_PROPERTIES)
    signed = etree.SubElement(properties, _xades("SignedSignatureProperties"))
    time = signed_at.isoformat(timespec="milliseconds")
    etree.SubElement(signed, _xades("SigningTime")).text = time
    certificates = etree.SubElement(signed, _xades("SigningCertificate"))
    one = etree.SubElement(certificates, _xades("Cert"))
    digest = etree.SubElement(one, _xades("CertDigest"))
    etree.SubElement(digest, _xades("DigestMethod"), Algorithm=key.digest.value)
    der = key.certificate.public_bytes(Encoding.DER)
    etree.SubElement(digest, _xades("DigestValue")).text = _digest_text(key, der)
    serial = etree.SubElement(one, _xades("IssuerSerial"))
    issuer = key.certificate.issuer.rfc4514_string()
    etree.SubElement(serial, _ds("X509IssuerName"), nsmap=_DS_ALONE).text = issuer
    number = etree.SubElement(serial, _ds("X509SerialNumber"), nsmap=_DS_ALONE)
    number.text = str(key.certificate.serial_number)
    policy = etree.SubElement(signed, _xades("SignaturePolicyIdentifier"))
    etree.SubElement(policy, _xades("SignaturePolicyImplied"))
    etree.SubElement(properties, _xades("SignedDataObjectProperties"))
    return whole


def check_signature(root: Element, certificate: x509.Certificate, *, sha1: bool) -> SignedSet:
    """What a signature document signs, with the key of a certificate.

    Args:
        sha1: whether SHA-1 is taken.

    Raises:
        UnsupportedAlgorithm: SHA-1 is not taken.
        InvalidValue: it is none, or the signature does not hold.
    """
    signed = check_objects(root, certificate, sha1=sha1)
    manifests = [one for one in signed if one.tag == _ds("Manifest")]
    properties = [one for one in signed if one.tag == _xades("SignedProperties")]
    if len(manifests) != 1 or len(properties) != 1:
        raise InvalidValue("the signature is not of one manifest with its properties")
    _expect_certificate(properties[0], certificate, sha1=sha1)
    documents: dict[str, SignedDigest] = {}
    undigested = set()
    for reference in manifests[0].iterfind(_ds("Reference")):
        uri = reference.get("URI", "")
        name = uri.removeprefix(OID_PREFIX)
        if name == uri or name in documents or name in undigested:
            raise InvalidValue("the manifest names what is no document, or one twice")
        if reference.findtext(_ds("DigestValue")) == _NO_DIGEST:
            undigested.add(name)
        else:
            documents[name] = _read_digest(reference, DS, sha1=sha1)
    return SignedSet(documents=documents, undigested=frozenset(undigested))


def _expect_certificate(properties: Element, certificate: x509.Certificate, *, sha1: bool) -> None:
    path = "SignedSignatureProperties/SigningCertificate/Cert/CertDigest"
    found = properties.find("/".join(_xades(one) for one in path.split("/")))
    if found is None:
        raise InvalidValue("the signature does not say with which certificate it was made")
    if not _read_digest(found, _XADES, sha1=sha1).matches(certificate.public_bytes(Encoding.DER)):
        raise InvalidValue("the signature was made with another certificate")


def _read_digest(parent: Element, space: str, *, sha1: bool) -> SignedDigest:
    method = parent.find(f"{{{space}}}DigestMethod")
    algorithm = _DIGESTS.get("" if method is None else method.get("Algorithm", ""))
    if algorithm is None or (algorithm is SHA1 and not sha1):
        raise UnsupportedAlgorithm("a digest is made with an algorithm that is not taken")
    try:
        value = base64.b64decode(parent.findtext(f"{{{space}}}DigestValue") or "")
    except binascii.Error:
        raise InvalidValue("a digest is no base64") from None
    return SignedDigest(algorithm=algorithm, value=value)


def _digest(algorithm: type[HashAlgorithm], content: bytes) -> bytes:
    digest = Hash(algorithm())
    digest.update(content)
    return digest.finalize()


def _digest_text(key: SigningKey, content: bytes) -> str:
    return base64.b64encode(_digest(_DIGESTS[key.digest.value], content)).decode()


def _ds(tag: str) -> str:
    return f"{{{DS}}}{tag}"


def _xades(tag: str) -> str:
    return f"{{{_XADES}}}{tag}"


_DS_ALONE: Final = {"ds": DS}
# lxml's stubs know no default namespace; the library itself does.
_XADES_ALONE: Final[dict[str, str]] = {None: _XADES}  # type: ignore[dict-item]
