"""Certificates as a centre's own authority gives them out, made with OpenSSL for one test run."""

import ssl
import subprocess
from dataclasses import dataclass
from pathlib import Path

_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")


@dataclass(frozen=True, kw_only=True)
class Certificate:
    """A certificate and its private key, as PEM files."""

    certificate: Path
    key: Path


class Authority:
    """Gives out certificates; its own is `ca`."""

    def __init__(self, folder: Path, name: str) -> None:
        self._folder = folder
        self._name = name
        self.ca = folder / f"{name}.pem"
        self._key = folder / f"{name}.key"
        _openssl("req", "-x509", *_KEY, "-days", "2", "-subj", f"/CN={name}",
                 "-addext", "basicConstraints=critical,CA:TRUE",
                 "-keyout", self._key, "-out", self.ca)  # fmt: skip

    def certify(self, subject: str, *, days: int = 1) -> Certificate:
        """A certificate for 127.0.0.1; one of fewer than 0 days has expired."""
        key, request, extensions, certificate = (
            self._folder / f"{self._name}-{subject}.{suffix}"
            for suffix in ("key", "csr", "ext", "pem")
        )
        extensions.write_text("subjectAltName=IP:127.0.0.1,DNS:localhost\n")
        _openssl("req", *_KEY, "-subj", f"/CN={subject}", "-keyout", key, "-out", request)
        _openssl("x509", "-req", "-in", request, "-CA", self.ca, "-CAkey", self._key,
                 "-CAcreateserial", "-days", days, "-extfile", extensions,
                 "-out", certificate)  # fmt: skip
        return Certificate(certificate=certificate, key=key)


def client_context(ca: Path, own: Certificate | None = None) -> ssl.SSLContext:
    """A client that trusts this authority, and shows its own certificate if it has one."""
    context = ssl.create_default_context(cafile=ca)
    if own is not None:
        context.load_cert_chain(own.certificate, own.key)
    return context


def _openssl(*arguments: object) -> None:
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True, timeout=30)
