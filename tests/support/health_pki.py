"""A public-key infrastructure such as the IGC-Santé, made for one test run.

Keys are made once: those of 2048 bits take longer than all that is tested with them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import count
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import NameOID

from indexer.client.assertion import Structure
from indexer.contract.access import Caller, CallerKind, Software
from indexer.contract.document import Code, Organisation, Person
from indexer.contract.identifiers import Ins
from indexer.wire.proof.signatures import SigningKey
from tests.support.pointers import ANNE

NOW = datetime.now(UTC).replace(microsecond=0)
"""When the run began: certificates must hold for programs, whose clocks nobody holds."""

STRUCTURE = "499700367909006"
SOFTWARE = Software(name="DRIMbox", version="1.0", approval="BCO-465897-tmp2", number="01.12.12")
ORGANISATIONS = (
    (NameOID.COUNTRY_NAME, "FR"),
    (NameOID.ORGANIZATION_NAME, "ASIP-SANTE"),
    (NameOID.COMMON_NAME, "TEST AC ORGANISATIONS"),
)

_numbers = count(1)


def a_subject(structure: str = STRUCTURE) -> tuple[tuple[x509.ObjectIdentifier, str], ...]:
    """The name of a certificate that the IGC-Santé gives to an organisation."""
    return (
        (NameOID.COUNTRY_NAME, "FR"),
        (NameOID.STATE_OR_PROVINCE_NAME, "Paris (75)"),
        (NameOID.ORGANIZATION_NAME, "CABINET M DOC0036790"),
        (NameOID.ORGANIZATIONAL_UNIT_NAME, structure),
        (NameOID.COMMON_NAME, "DRIMbox"),
    )


def a_doctor(patient: Ins = ANNE, *, structure: str = STRUCTURE) -> Caller:
    """A doctor who signed in with Pro Santé Connect."""
    return Caller(
        kind=CallerKind.PROFESSIONAL,
        person=Person(number="899700367909", family="PAT-SIX", given="Alain"),
        organisation=Organisation(number=structure),
        patient=patient,
        role=Code(code="10", scheme="1.2.250.1.71.1.2.7", display="Médecin"),
        speciality=Code(code="SM26", scheme="1.2.250.1.71.4.2.5", display="Médecine générale"),
        sector=Code(code="SA25", scheme="1.2.250.1.71.4.2.4"),
    )


@dataclass(frozen=True, kw_only=True)
class Authority:
    """Gives out certificates, and takes them back."""

    certificate: x509.Certificate
    key: RSAPrivateKey

    def certify(
        self,
        subject: Sequence[tuple[x509.ObjectIdentifier, str]],
        *,
        key: int = 1,
        until: datetime = NOW + timedelta(days=365),
        usage: str = "digital_signature",
    ) -> x509.Certificate:
        """A certificate of an organisation, for the key of this number."""
        issued = NOW - timedelta(days=365), until
        return _certificate(subject, _key(key), self, issued=issued, usage=usage)

    def authority(self, name: str, *, key: int) -> "Authority":
        """One below this."""
        subject = ((NameOID.COMMON_NAME, name),)
        issued = NOW - timedelta(days=365), NOW + timedelta(days=3650)
        own = _certificate(subject, _key(key), self, issued=issued, usage="key_cert_sign")
        return Authority(certificate=own, key=_key(key))

    def revoke(
        self,
        *revoked: x509.Certificate,
        at: datetime = NOW - timedelta(hours=1),
        until: datetime = NOW + timedelta(days=1),
        extensions: Sequence[x509.ExtensionType] = (),
    ) -> bytes:
        """The list of certificates that are revoked, and of no others, as it is published."""
        built = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(self.certificate.subject)
            .last_update(at)
            .next_update(until)
        )
        for one in revoked:
            entry = x509.RevokedCertificateBuilder().serial_number(one.serial_number)
            built = built.add_revoked_certificate(entry.revocation_date(at).build())
        for extension in extensions:
            built = built.add_extension(extension, critical=True)
        return built.sign(self.key, hashes.SHA256()).public_bytes(Encoding.DER)

    def write(self, path: Path) -> Path:
        """Its certificate as a PEM file."""
        path.write_bytes(self.certificate.public_bytes(Encoding.PEM))
        return path


@cache
def organisations() -> Authority:
    """The authority that certifies organisations."""
    return an_authority(ORGANISATIONS, key=0)


def an_authority(subject: Sequence[tuple[x509.ObjectIdentifier, str]], *, key: int) -> Authority:
    """An authority that stands by itself."""
    issued = NOW - timedelta(days=3650), NOW + timedelta(days=3650)
    own = _certificate(subject, _key(key), None, issued=issued, usage="key_cert_sign")
    return Authority(certificate=own, key=_key(key))


def signing(certificate: x509.Certificate, *, key: int = 1, sha1: bool = False) -> SigningKey:
    """The certificate with its key."""
    return SigningKey(certificate=certificate, key=_key(key), sha1=sha1)


def a_structure(number: str = STRUCTURE, *, sha1: bool = False) -> Structure:
    """A structure that the authority of organisations certified."""
    certificate = organisations().certify(a_subject(number))
    return Structure(key=signing(certificate, sha1=sha1), software=SOFTWARE)


def write_key(path: Path, *, key: int = 1) -> Path:
    """A private key as a PEM file."""
    pem = _key(key).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path.write_bytes(pem)
    return path


@cache
def _key(number: int) -> RSAPrivateKey:
    return generate_private_key(public_exponent=65537, key_size=2048)


def _certificate(
    subject: Sequence[tuple[x509.ObjectIdentifier, str]],
    key: RSAPrivateKey,
    issuer: Authority | None,
    *,
    issued: tuple[datetime, datetime],
    usage: str,
) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(oid, value) for oid, value in subject])
    is_authority = usage == "key_cert_sign"
    signed_by = key if issuer is None else issuer.key
    usages = dict.fromkeys(
        "digital_signature content_commitment key_encipherment data_encipherment key_agreement "
        "key_cert_sign crl_sign encipher_only decipher_only".split(),
        False,
    )
    usages |= {usage: True, "crl_sign": is_authority}
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name if issuer is None else issuer.certificate.subject)
        .public_key(key.public_key())
        .serial_number(next(_numbers))
        .not_valid_before(issued[0])
        .not_valid_after(issued[1])
        .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
        .add_extension(x509.KeyUsage(**usages), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(signed_by.public_key()),
            critical=False,
        )
        .sign(signed_by, hashes.SHA256())
    )
