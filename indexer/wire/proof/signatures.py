"""Signs XML and checks signatures (XML Signature 1.1), so that only what was signed is read on.

A checked signature tells no more than that the holder of a certificate's key signed an element.
Whether the certificate is to be trusted is for the server to say.
"""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from lxml import etree
from signxml.algorithms import (
    CanonicalizationMethod,
    DigestAlgorithm,
    SignatureConstructionMethod,
    SignatureMethod,
)
from signxml.exceptions import SignXMLException
from signxml.signer import SignatureReference, XMLSigner
from signxml.verifier import SignatureConfiguration, XMLVerifier

from indexer.contract.errors import InvalidValue
from indexer.wire.xml import Element, locked_parser

DS: Final = "http://www.w3.org/2000/09/xmldsig#"
CERTIFICATES_MAX: Final = 4  # in one signature: the signer's, and those between it and a root
REFERENCES_MAX: Final = 8  # of one signature
TRANSFORMS_MAX: Final = 2  # of one reference: away with the signature, then canonical

_EXCLUSIVE: Final = CanonicalizationMethod.EXCLUSIVE_XML_CANONICALIZATION_1_0
_METHODS: Final = frozenset(
    {SignatureMethod.RSA_SHA256, SignatureMethod.RSA_SHA384, SignatureMethod.RSA_SHA512}
)
_DIGESTS: Final = frozenset(
    {DigestAlgorithm.SHA256, DigestAlgorithm.SHA384, DigestAlgorithm.SHA512}
)
_SIGNATURE: Final = f"{{{DS}}}Signature"
_SHA1: Final = frozenset({SignatureMethod.RSA_SHA1.value, DigestAlgorithm.SHA1.value})


class UnsupportedAlgorithm(InvalidValue):
    """It is signed in a way that is not taken, such as with SHA-1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningKey:
    """What a structure signs with."""

    certificate: x509.Certificate
    key: RSAPrivateKey
    sha1: bool = False
    """Sign with SHA-1, for an index that takes nothing newer."""

    @property
    def digest(self) -> DigestAlgorithm:
        """How what is signed is digested."""
        return DigestAlgorithm.SHA1 if self.sha1 else DigestAlgorithm.SHA256


def read_signing_key(certificate: bytes, key: bytes, *, sha1: bool = False) -> SigningKey:
    """The key of two PEM files, of which neither is encrypted.

    Raises:
        InvalidValue: one of them is none, or they do not belong together.
    """
    try:
        own = x509.load_pem_x509_certificate(certificate)
        private = load_pem_private_key(key, password=None)
    except (ValueError, TypeError):
        raise InvalidValue("a signing key is a certificate and an unencrypted key in PEM") from None
    if not isinstance(private, RSAPrivateKey):
        raise InvalidValue("a signing key must be one of RSA")
    if own.public_key() != private.public_key():
        raise InvalidValue("the signing key is not the one of its certificate")
    return SigningKey(certificate=own, key=private, sha1=sha1)


class _Signer(XMLSigner):
    """Signs with SHA-1 too where it is told to."""

    def __init__(self, method: SignatureConstructionMethod, signing: SigningKey) -> None:
        self._signing = signing
        algorithm = SignatureMethod.RSA_SHA1 if signing.sha1 else SignatureMethod.RSA_SHA256
        super().__init__(method, algorithm, signing.digest, _EXCLUSIVE)

    def check_deprecated_methods(self) -> None:
        """SHA-1 is a setting here."""

    def signed(self, element: Element, references: Sequence[str] | None = None) -> Element:
        told = None if references is None else [SignatureReference(URI=one) for one in references]
        return self.sign(
            element, key=self._signing.key, cert=[self._signing.certificate], reference_uri=told
        )


class _Verifier(XMLVerifier):
    """Parts what is to be canonical from what it lies in, for the inclusive form of an element
    within others has its namespace undeclared by libxml2."""

    def _c14n(
        self,
        nodes: Element,
        algorithm: CanonicalizationMethod,
        inclusive_ns_prefixes: list[str] | None = None,
    ) -> bytes:
        alone = etree.fromstring(etree.tostring(nodes, with_tail=False), locked_parser())
        canonical: bytes = super()._c14n(alone, algorithm, inclusive_ns_prefixes)
        return canonical


def placeholder() -> Element:
    """Where the signature of an element that `sign_enveloped` signs is to be."""
    return etree.Element(_SIGNATURE, nsmap={"ds": DS}, Id="placeholder")


def sign_enveloped(element: Element, key: SigningKey) -> Element:
    """The element with a signature of itself in place of its placeholder."""
    return _Signer(SignatureConstructionMethod.enveloped, key).signed(element)


def sign_objects(
    signature_id: str,
    objects: Sequence[Element],
    references: Sequence[tuple[str, str]],
    key: SigningKey,
) -> Element:
    """A signature that holds what it signs, and maybe more.

    Args:
        objects: what it holds, each in an Object of its own.
        references: type and Id of each element among them that is signed.
    """
    signer = _Signer(SignatureConstructionMethod.detached, key)

    def complete(signature: Element, **_: object) -> None:
        signature.set("Id", signature_id)
        written = signature.iterfind(f"{{{DS}}}SignedInfo/{{{DS}}}Reference")
        for reference, (kind, _id) in zip(written, references, strict=True):
            reference.set("Type", kind)

    # Called before SignedInfo is signed, which has the types in it.
    signer.signature_annotators.append(complete)
    together = etree.Element("together")
    together.extend(objects)
    signature = signer.signed(together, [f"#{name}" for _, name in references])
    for one in objects:
        etree.SubElement(signature, f"{{{DS}}}Object").append(one)
    return signature


def certificates_in(signed: Element) -> list[x509.Certificate]:
    """The certificates that come with the one signature of an element, or that is the element.

    Raises:
        InvalidValue: it has none, more than one signature, or too many or malformed certificates.
    """
    signature = _only_signature(signed)
    found = signature.findall(f"{{{DS}}}KeyInfo/{{{DS}}}X509Data/{{{DS}}}X509Certificate")
    if not 1 <= len(found) <= CERTIFICATES_MAX:
        raise InvalidValue(f"a signature comes with 1 to {CERTIFICATES_MAX} certificates")
    try:
        return [
            x509.load_der_x509_certificate(base64.b64decode(one.text or "", validate=False))
            for one in found
        ]
    except (ValueError, x509.InvalidVersion):
        raise InvalidValue("a certificate of the signature is none") from None


def check_enveloped(
    root: Element, id_name: str, certificate: x509.Certificate, *, sha1: bool
) -> Element:
    """The element as it was signed: what is not in here was not signed.

    Its signature must be a child of it and be of it alone, so that nothing else can be signed in
    its place.

    Args:
        root: the element, read as a document of its own: parted from what it came in.
        id_name: the attribute by which it is referred to.
        sha1: whether SHA-1 is taken.

    Raises:
        UnsupportedAlgorithm: it is signed in a way that is not taken.
        InvalidValue: the signature does not hold, or is of something else.
    """
    signature = _only_signature(root)
    if signature.getparent() is not root or signature.find(f"{{{DS}}}Object") is not None:
        raise InvalidValue("the signature is not where it should be")
    own = root.get(id_name, "")
    if not own or [one.get("URI") for one in _references(signature)] != [f"#{own}"]:
        raise InvalidValue("the signature is of something else")
    [signed] = _verified(root, signature, certificate, id_name=id_name, sha1=sha1)
    if signed.tag != root.tag or signed.get(id_name) != own:
        raise InvalidValue("the signature is of something else")
    return signed


def check_objects(root: Element, certificate: x509.Certificate, *, sha1: bool) -> list[Element]:
    """What a signature that is a document holds and signs, each element as it was signed.

    Raises:
        UnsupportedAlgorithm: it is signed in a way that is not taken.
        InvalidValue: the signature does not hold, or the document is none.
    """
    if root.tag != _SIGNATURE or _only_signature(root) is not root:
        raise InvalidValue("the document is no signature")
    return _verified(root, root, certificate, id_name="Id", sha1=sha1)


def _only_signature(root: Element) -> Element:
    found = list(root.iter(_SIGNATURE))
    if len(found) != 1:
        raise InvalidValue("there is no signature, or more than one")
    return found[0]


def _references(signature: Element) -> list[Element]:
    return signature.findall(f"{{{DS}}}SignedInfo/{{{DS}}}Reference")


def _verified(
    root: Element,
    signature: Element,
    certificate: x509.Certificate,
    *,
    id_name: str,
    sha1: bool,
) -> list[Element]:
    signed_info = signature.iterfind(f"{{{DS}}}SignedInfo//*[@Algorithm]")
    if not sha1 and any(one.get("Algorithm") in _SHA1 for one in signed_info):
        raise UnsupportedAlgorithm("it is signed with SHA-1")
    references = len(_references(signature))
    if not 1 <= references <= REFERENCES_MAX:
        raise InvalidValue(f"a signature is of 1 to {REFERENCES_MAX} elements")
    # Each has the whole document written out once more.
    if len(signature.findall(f".//{{{DS}}}Transform")) > TRANSFORMS_MAX * references:
        raise InvalidValue(f"an element is transformed {TRANSFORMS_MAX} times at most")
    try:
        found = _Verifier().verify(
            root,
            x509_cert=certificate,
            parser=locked_parser(),
            id_attribute=id_name,
            # An Id that is a UID, such as the DMP has, is none by the schema.
            validate_schema=signature is not root,
            expect_config=_expected(certificate, references, sha1=sha1),
        )
    except (SignXMLException, InvalidSignature, etree.LxmlError, ValueError, TypeError):
        # Raised without its cause, which may quote what is signed.
        raise InvalidValue("the signature does not hold") from None
    results = found if isinstance(found, list) else [found]
    return [one.signed_xml for one in results if one.signed_xml is not None]


def _expected(
    certificate: x509.Certificate, references: int, *, sha1: bool
) -> SignatureConfiguration:
    return SignatureConfiguration(
        location="./",
        expect_references=references,
        signature_methods=_METHODS | ({SignatureMethod.RSA_SHA1} if sha1 else frozenset()),
        digest_algorithms=_DIGESTS | ({DigestAlgorithm.SHA1} if sha1 else frozenset()),
        # What is meant where nothing is told (XML Signature 1.1 §4.4.3.2).
        default_reference_c14n_method=CanonicalizationMethod.CANONICAL_XML_1_0,
        # Whether the certificate holds is asked by who trusts it, and of a time of theirs.
        verification_time=certificate.not_valid_before_utc,
    )
