"""Which certificates speak for a structure: those that a known authority gave to an organisation.

The IGC-Santé gives certificates to organisations and to professionals. One of an organisation names
its structure in its subject (OU); one of a professional, which names a person, vouches for nobody
else and is not taken.
"""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from threading import Lock
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509.oid import NameOID
from cryptography.x509.verification import (
    ClientVerifier,
    ExtensionPolicy,
    PolicyBuilder,
    Store,
    VerificationError,
)

from indexer.contract.document import Organisation
from indexer.server.access.revocations import RevocationLists, Untrusted

PATHS_MAX: Final = 1024
"""Paths that are remembered: a structure has one or two certificates, and signs all day."""

_OF_A_PERSON: Final = (NameOID.SURNAME, NameOID.GIVEN_NAME, NameOID.TITLE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Signer:
    """Who holds a certificate that is trusted."""

    certificate: x509.Certificate
    organisation: Organisation


class Trust:
    """Follows certificates to the authorities that are known.

    Args:
        authorities: where a path may end.
        revocations: none where it is not asked whether a certificate was taken back.
    """

    def __init__(
        self, authorities: Sequence[x509.Certificate], revocations: RevocationLists | None
    ) -> None:
        self._store = Store(list(authorities))
        self._revocations = revocations
        self._paths: OrderedDict[bytes, tuple[x509.Certificate, ...]] = OrderedDict()
        self._lock = Lock()

    def signer(self, certificates: Sequence[x509.Certificate], *, at: datetime) -> Signer:
        """Who signed with the first of these certificates.

        Args:
            certificates: the signer's own, then those that may lie between it and an authority.

        Raises:
            Untrusted: it is no organisation's, or does not hold at this time.
        """
        own = certificates[0]
        path = self._path(certificates, at)
        if any(not one.not_valid_before_utc <= at <= one.not_valid_after_utc for one in path):
            raise Untrusted("its certificate does not hold now")
        if self._revocations is not None:
            for one, issuer in pairwise(path):
                self._revocations.check(one, issuer, at=at)
        _expect_to_sign(own)
        return Signer(certificate=own, organisation=_organisation(own))

    def _path(
        self, certificates: Sequence[x509.Certificate], at: datetime
    ) -> tuple[x509.Certificate, ...]:
        """From the first certificate to an authority; remembered, for it does not change."""
        name = b"".join(one.fingerprint(SHA256()) for one in certificates)
        with self._lock:
            known = self._paths.get(name)
        if known is not None:
            return known
        try:
            found = self._verifier(at).verify(certificates[0], list(certificates[1:])).chain
        except (VerificationError, ValueError):
            raise Untrusted("its certificate is of no authority that is trusted") from None
        with self._lock:
            self._paths[name] = path = tuple(found)
            if len(self._paths) > PATHS_MAX:
                self._paths.popitem(last=False)
        return path

    def _verifier(self, at: datetime) -> ClientVerifier:
        builder = PolicyBuilder().store(self._store).time(at)
        return builder.extension_policies(
            ca_policy=ExtensionPolicy.webpki_defaults_ca(),
            # Certificates for signing name no host, and are for e-mail if they are for anything.
            ee_policy=ExtensionPolicy.permit_all(),
        ).build_client_verifier()


def read_authorities(file: Path) -> list[x509.Certificate]:
    """The certificates of a PEM file.

    Raises:
        OSError: it cannot be read.
        ValueError: it holds something else, or nothing.
    """
    return x509.load_pem_x509_certificates(file.read_bytes())


def _expect_to_sign(certificate: x509.Certificate) -> None:
    try:
        usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    except (x509.ExtensionNotFound, ValueError):
        raise Untrusted("its certificate does not say what it is for") from None
    if not (usage.digital_signature or usage.content_commitment):
        raise Untrusted("its certificate is not for signing")


def _organisation(certificate: x509.Certificate) -> Organisation:
    subject = certificate.subject
    if any(subject.get_attributes_for_oid(oid) for oid in _OF_A_PERSON):
        raise Untrusted("its certificate is a person's")
    units = subject.get_attributes_for_oid(NameOID.ORGANIZATIONAL_UNIT_NAME)
    names = subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)
    if len(units) != 1:
        raise Untrusted("its certificate names no structure")
    return Organisation(number=str(units[0].value), name=str(names[0].value) if names else "")
