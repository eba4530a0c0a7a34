"""Reads the head of a SOAP message, while the rest of it is still to come.

Who sends a message stands in its header. So it can be asked before the message is taken whole, and
who is let in by nobody costs an index no more than a head.
"""

import re
from typing import Final

from lxml import etree

from indexer.contract.errors import InvalidValue
from indexer.wire.proof.vocabulary import SAML
from indexer.wire.soap.envelope import ENVELOPE, SECURITY
from indexer.wire.xml import open_xml

PROOF_BYTES_MAX: Final = 128 * 1024
"""From the start of a message, within which its header must end for what it proves."""

_NAMESPACES: Final = {"env": ENVELOPE, "wsse": SECURITY, "saml2": SAML}
_ROOT = re.compile(rb"<((?:[A-Za-z_][\w.-]{0,63}:)?Envelope)[\s>]", re.ASCII)
_HEADER_END = re.compile(rb"</(?:[A-Za-z_][\w.-]{0,63}:)?Header\s*>", re.ASCII)


def head_of(data: bytes) -> bytes | None:
    """The envelope up to the end of its header, closed there; None if that has not come.

    Whatever looks like its end and is none, within a comment say, leaves no XML that can be read.
    """
    root, end = _ROOT.search(data), _HEADER_END.search(data)
    if root is None or end is None:
        return None
    return data[: end.end()] + b"</" + root[1] + b">"


def find_assertion(head: bytes) -> bytes | None:
    """The assertion of a header, parted from it (WSS: SAML Token Profile §3.3).

    Returns:
        XML of its own; empty where there are several, or none that can be read; None where there
        is none.
    """
    try:
        root = open_xml(head, bytes_max=PROOF_BYTES_MAX)
    except InvalidValue:
        return b""
    found = root.findall("env:Header/wsse:Security/saml2:Assertion", _NAMESPACES)
    if not found:
        return None
    return etree.tostring(found[0], with_tail=False) if len(found) == 1 else b""
