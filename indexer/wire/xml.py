"""Opens XML of others without trusting it: sizes are bounded before anything is built in memory."""

import re
from typing import Final

from lxml import etree

from indexer.contract.errors import InvalidValue
from indexer.framing.markup import text_of_xml

Element = etree._Element

XML_BYTES_MAX: Final = 4 * 2**20
"""Of a whole document: metadata of one document takes some 20 kB."""

MARKUP_MAX: Final = 100_000
"""Elements and attributes; each costs some hundred bytes in memory, whatever its own length."""

TEXT_BYTES_MAX: Final = 10_000_000
"""Of one text: libxml2's own, which holds unless a parser is told to take documents of any size."""

_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 §2.2 cannot hold."""


def open_xml(data: bytes, *, bytes_max: int = XML_BYTES_MAX) -> Element:
    """The root of a document.

    Raises:
        InvalidValue: it is no XML, or not one that can be opened safely.
    """
    text = text_of_xml(data, name="the XML", bytes_max=bytes_max, markup_max=MARKUP_MAX)
    try:
        return etree.fromstring(text.encode(), locked_parser())
    except etree.XMLSyntaxError as error:
        line = error.lineno or 0
        too_much = getattr(error, "code", None) == etree.ErrorTypes.ERR_RESOURCE_LIMIT
    # Raised out here so that nothing holds on to the parser's words, which quote the text.
    if too_much:
        raise InvalidValue(
            f"the XML has a text longer than {TEXT_BYTES_MAX} bytes, or elements too deep within "
            "each other: send a document beside its message (MTOM)"
        )
    raise InvalidValue(f"the XML is not well formed at line {line}")


def locked_parser() -> etree.XMLParser:
    """A parser of UTF-8 that follows nothing out of its document, for what `open_xml` let in."""
    return etree.XMLParser(
        encoding="utf-8",  # whatever the declaration says: the text was decoded before
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        remove_comments=True,
        remove_pis=True,
    )


def clean(text: str) -> str:
    """The text without what no XML document can hold."""
    return _NOT_XML.sub(" ", text)
