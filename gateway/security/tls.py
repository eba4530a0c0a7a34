"""How the gateway speaks TLS: each side shows a certificate of the centre's own authority.

DICOM (PS3.15 §B.12, the BCP 195 RFC 8996 profile) and HL7 listen with one context each, and one is
for what the gateway opens to DICOM peers.
"""

import ssl
from pathlib import Path
from typing import Final

from gateway.connections import why_no_tls

CIPHERS_TLS12: Final = ":".join((
    "ECDHE-ECDSA-AES128-GCM-SHA256",
    "ECDHE-RSA-AES128-GCM-SHA256",
    "ECDHE-ECDSA-AES256-GCM-SHA384",
    "ECDHE-RSA-AES256-GCM-SHA384",
))  # fmt: skip
"""Forward secrecy and authenticated encryption only (RFC 9325 §4.2); TLS 1.3 has nothing else."""


def server_context(*, certificate: Path, key: Path, ca: Path) -> ssl.SSLContext:
    """A server that proves who it is and lets in who has a certificate of the authority.

    Args:
        certificate: PEM, the gateway's own first, then the intermediate ones.
        key: PEM, its private key without a passphrase.
        ca: PEM, the authorities whose peers are trusted; those of the system are not.

    Raises:
        ValueError: a file cannot be read, is not what it should be, or the key is another's.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.verify_mode = ssl.CERT_REQUIRED
    return _prepared(context, certificate, key, ca)


def client_context(*, certificate: Path, key: Path, ca: Path) -> ssl.SSLContext:
    """A client that does the same: the arguments and errors are those of `server_context`.

    The peer's name is not looked for in its certificate. The authority is the centre's own, peers
    are set by address, and to ask for a name only adds a way to fail (IHE ITI-19).
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    return _prepared(context, certificate, key, ca)


def _prepared(context: ssl.SSLContext, certificate: Path, key: Path, ca: Path) -> ssl.SSLContext:
    for name, file in (("CERTIFICATE", certificate), ("KEY", key), ("CA", ca)):
        try:
            file.open("rb").close()  # OpenSSL does not say which of them it could not
        except OSError as error:
            raise ValueError(f"GATEWAY_TLS_{name}: {file}: {error.strerror}") from None
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(CIPHERS_TLS12)
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
    try:
        # Without a passphrase of ours OpenSSL would ask for one at the terminal, and wait.
        context.load_cert_chain(certificate, key, password=lambda: "")
    except (OSError, ValueError) as error:
        raise ValueError(
            f"GATEWAY_TLS_CERTIFICATE {certificate}, GATEWAY_TLS_KEY {key}: {why_no_tls(error)}"
        ) from None
    try:
        context.load_verify_locations(cafile=ca)
    except (OSError, ValueError) as error:
        raise ValueError(f"GATEWAY_TLS_CA: {ca}: {why_no_tls(error)}") from None
    return context
