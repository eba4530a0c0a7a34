"""Certificates as a centre's own authority gives them out, made with OpenSSL for one test run."""

import ssl
import subprocess
from dataclasses import dataclass
from pathlib import Path

from gateway.security import tls

_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")


@dataclass(frozen=True, kw_only=True)
class Certificate:
    """A certificate and its private key, as PEM files."""

    certificate: Path
    key: Path


class Authority:
    """Gives out certificates; its own is `ca`."""

    def __init__(self, folder: Path, name: str, *, days: int = 2) -> None:
        self._folder = folder
        self._name = name
        self.ca = folder / f"{name}.pem"
        self._key = folder / f"{name}.key"
        _openssl("req", "-x509", *_KEY, "-days", days, "-subj", f"/CN={name}",
                 "-addext", "basicConstraints=critical,CA:TRUE",
                 "-keyout", self._key, "-out", self.ca)  # fmt: skip

    def certify(self, subject: str, *, days: int = 1, uses: str = "") -> Certificate:
        """A certificate for 127.0.0.1; one of fewer than 0 days has expired.

        Args:
            uses: what alone it is good for, as OpenSSL names it.
        """
        key, request, extensions, certificate = (
            self._folder / f"{self._name}-{subject}.{suffix}"
            for suffix in ("key", "csr", "ext", "pem")
        )
        names = "subjectAltName=IP:127.0.0.1,DNS:localhost\n"
        extensions.write_text(names + (f"extendedKeyUsage={uses}\n" if uses else ""))
        _openssl("req", *_KEY, "-subj", f"/CN={subject}", "-keyout", key, "-out", request)
        _openssl("x509", "-req", "-in", request, "-CA", self.ca, "-CAkey", self._key,
                 "-CAcreateserial", "-days", days, "-extfile", extensions,
                 "-out", certificate)  # fmt: skip
        return Certificate(certificate=certificate, key=key)


class Centre:
    """The authority of a centre, and what it certified."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(exist_ok=True)
        self.authority = Authority(folder, "centre")
        self.gateway = self.authority.certify("gateway")
        self.modality = self.authority.certify("modality")
        self.expired = self.authority.certify("expired", days=-1)
        self.elsewhere = Authority(folder, "elsewhere")
        self.stranger = self.elsewhere.certify("stranger")

    def server(self) -> ssl.SSLContext:
        """What the gateway listens with."""
        return tls.server_context(**self._gateways())

    def opens(self) -> ssl.SSLContext:
        """What the gateway opens connections with."""
        return tls.client_context(**self._gateways())

    def client(self, own: Certificate | None) -> ssl.SSLContext:
        """What a peer connects with that trusts the centre."""
        return client_context(self.authority.ca, own)

    def listens(self, own: Certificate) -> ssl.SSLContext:
        """What a peer listens with, under this certificate, that asks for one of the centre."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=self.authority.ca)
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_cert_chain(own.certificate, own.key)
        return context

    def _gateways(self) -> dict[str, Path]:
        own = self.gateway
        return {"certificate": own.certificate, "key": own.key, "ca": self.authority.ca}


def client_context(ca: Path, own: Certificate | None = None) -> ssl.SSLContext:
    """A client that trusts this authority, and shows its own certificate if it has one."""
    context = ssl.create_default_context(cafile=ca)
    if own is not None:
        context.load_cert_chain(own.certificate, own.key)
    return context


def _openssl(*arguments: object) -> None:
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True, timeout=30)
