"""Distinguished names, as a VIHF writes them (RFC 2253), and as others do."""

import re

from cryptography import x509

_PARTS = re.compile(r"(?:\\.|[^,\\])+")
_ESCAPED = re.compile(r"\\(.)")
_SAME = {"S": "ST"}  # as .NET has it
_SPACES = re.compile(r"\s+")


def names_subject(text: str, certificate: x509.Certificate) -> bool:
    """Whether a text is the subject of a certificate.

    It may begin at either end, and have spaces about its commas, for both are seen in the agency's
    own samples.
    """
    told = [_part(one) for one in _PARTS.findall(text)]
    own = [
        (_SAME.get(part.rfc4514_attribute_name, part.rfc4514_attribute_name), _plain(part.value))
        for part in certificate.subject
    ]
    return told in (own, own[::-1])


def _part(text: str) -> tuple[str, str]:
    name, _, value = text.partition("=")
    name = name.strip().upper()
    return _SAME.get(name, name), _plain(_ESCAPED.sub(r"\1", value))


def _plain(value: str | bytes) -> str:
    text = value if isinstance(value, str) else value.hex()
    return _SPACES.sub(" ", text).strip().casefold()
