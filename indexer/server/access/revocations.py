"""Which certificates were taken back: the lists (CRL, RFC 5280 §5) that lie in a folder.

Who runs the index fetches them; a list that was changed is read again. A certificate whose
authority has no list that holds now is not trusted.
"""

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from threading import Lock
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from indexer.contract.errors import InvalidValue

log = logging.getLogger(__name__)

LISTS_MAX: Final = 64
LIST_BYTES_MAX: Final = 64 * 2**20  # such lists grow with all that an authority ever gave out


class Untrusted(InvalidValue):
    """A certificate is not, or no longer, to be believed."""


@dataclass(frozen=True, slots=True)
class _Listed:
    revoked: x509.CertificateRevocationList
    serials: frozenset[int]


class RevocationLists:
    """The lists of one folder.

    Args:
        folder: whose files `*.crl` are lists, in DER or PEM.
        overdue_s: for how long a list is believed after its next was due.
    """

    def __init__(self, folder: Path, *, overdue_s: float) -> None:
        self._folder = folder
        self._overdue = timedelta(seconds=overdue_s)
        self._lock = Lock()
        self._seen: frozenset[tuple[str, int, int]] = frozenset()
        self._lists: dict[bytes, list[_Listed]] = {}
        self._signed: dict[tuple[int, bytes], bool] = {}

    def check(
        self, certificate: x509.Certificate, issuer: x509.Certificate, *, at: datetime
    ) -> None:
        """Refuse a certificate that its issuer took back.

        Raises:
            Untrusted: it did, or there is no way to know.
        """
        with self._lock:
            self._read_again()
            known = [
                one
                for one in self._lists.get(issuer.subject.public_bytes(), ())
                if self._is_signed(one, issuer)
            ]
        if not known:
            raise Untrusted("there is no list of what its authority revoked")
        newest = max(known, key=lambda one: one.revoked.last_update_utc)
        until = newest.revoked.next_update_utc
        if until is None or at > until + self._overdue:
            raise Untrusted("the list of what its authority revoked is out of date")
        if any(certificate.serial_number in one.serials for one in known):
            raise Untrusted("its certificate was revoked")

    def _is_signed(self, listed: _Listed, issuer: x509.Certificate) -> bool:
        key = issuer.public_key()
        if not isinstance(key, RSAPublicKey | EllipticCurvePublicKey):
            return False
        # Asked once: the digest of a list of millions takes its time.
        asked = id(listed), issuer.tbs_certificate_bytes
        if asked not in self._signed:
            self._signed[asked] = listed.revoked.is_signature_valid(key)
        return self._signed[asked]

    def _read_again(self) -> None:
        """Read the folder if a file of it is another than before."""
        try:
            files = sorted(self._folder.glob("*.crl"))
            states = [(file.name, file.stat()) for file in files]
        except OSError:
            files, states = [], []
        seen = frozenset((name, told.st_mtime_ns, told.st_size) for name, told in states)
        if seen == self._seen:
            return
        self._seen, self._lists, self._signed = seen, {}, {}
        for file in files[:LISTS_MAX]:
            try:
                listed = _read(file)
            except (OSError, ValueError) as error:
                log.warning("crl_not_read", extra={"file": file.name, "reason": str(error)})
                continue
            self._lists.setdefault(listed.revoked.issuer.public_bytes(), []).append(listed)
        log.info("crls_read", extra={"files": len(files)})


def _read(file: Path) -> _Listed:
    if file.stat().st_size > LIST_BYTES_MAX:
        raise ValueError(f"it is longer than {LIST_BYTES_MAX} bytes")
    data = file.read_bytes()
    is_pem = data.lstrip().startswith(b"-----")
    revoked = x509.load_pem_x509_crl(data) if is_pem else x509.load_der_x509_crl(data)
    _expect_whole(revoked)
    return _Listed(revoked, frozenset(one.serial_number for one in revoked))


def _expect_whole(revoked: x509.CertificateRevocationList) -> None:
    """Refuse a list of a part of what was revoked, for who is not on it may be on another."""
    for extension in revoked.extensions:
        told = extension.value
        if isinstance(told, x509.IssuingDistributionPoint):
            partial = (
                told.only_contains_ca_certs,
                told.only_contains_attribute_certs,
                told.indirect_crl,
                told.only_some_reasons,
            )
            if any(partial):
                raise ValueError("it lists a part of what its authority revoked")
        elif extension.critical:
            raise ValueError("it has an extension that is not understood")
