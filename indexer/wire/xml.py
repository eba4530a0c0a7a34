"""Opens XML of others without trusting it.

A document type declaration, with which XML brings entities, is refused, and sizes are bounded
before anything is built in memory.
"""

import re
from typing import Final

from lxml import etree

from indexer.contract.errors import InvalidValue

Element = etree._Element

XML_BYTES_MAX: Final = 4 * 2**20
"""Of a whole document: metadata of one document takes some 20 kB."""

MARKUP_MAX: Final = 100_000
"""Elements and attributes; each costs some hundred bytes in memory, whatever its own length."""

_ENCODINGS: Final = frozenset({"utf-8", "us-ascii", "iso-8859-1", "iso-8859-15"})
_DECLARATION = re.compile(rb"<\?xml[^>]{0,200}?encoding\s*=\s*[\"']([A-Za-z0-9._-]{1,40})[\"']")
_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 §2.2 cannot hold."""


def open_xml(data: bytes) -> Element:
    """The root of a document.

    Raises:
        InvalidValue: it is no XML, or not one that can be opened safely.
    """
    if len(data) > XML_BYTES_MAX:
        raise InvalidValue(f"the XML is longer than {XML_BYTES_MAX} bytes")
    text = _decoded(data)
    if "<!DOCTYPE" in text:
        raise InvalidValue("the XML has a document type declaration")
    if text.count("<") + text.count("=") > MARKUP_MAX:
        raise InvalidValue("the XML has too many elements")
    parser = etree.XMLParser(
        encoding="utf-8",  # whatever the declaration says: the text was decoded here
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        remove_comments=True,
        remove_pis=True,
    )
    try:
        return etree.fromstring(text.encode(), parser)
    except etree.XMLSyntaxError as error:
        line = error.lineno or 0
    # Raised out here so that nothing holds on to the parser's words, which quote the text.
    raise InvalidValue(f"the XML is not well formed at line {line}")


def clean(text: str) -> str:
    """The text without what no XML document can hold."""
    return _NOT_XML.sub(" ", text)


def _decoded(data: bytes) -> str:
    data = data.removeprefix(b"\xef\xbb\xbf").lstrip()
    declared = _DECLARATION.match(data[:400])
    codec = declared[1].decode("ascii").lower() if declared else "utf-8"
    if codec not in _ENCODINGS:
        raise InvalidValue("the XML declares an encoding that is not supported: use UTF-8")
    try:
        return data.decode(codec)
    except UnicodeDecodeError:
        raise InvalidValue("the XML is not written in the encoding that it declares") from None
