"""Reads an encapsulated CDA (HL7 CDA R2) as a text: its header's facts and its sections.

Of the narrative the words are kept, in lines and rows; its markup is not, so nothing of it can run.
"""

import base64
import binascii
from collections.abc import Iterator
from typing import Final

from lxml import etree

from gateway.errors import NotAcceptable
from gateway.retrieval.rendering.captions import day
from gateway.retrieval.rendering.text_page import Entry, Page
from gateway.retrieval.rendering.words import word
from indexer.contract.errors import InvalidValue
from indexer.framing.markup import text_of_xml

CDA_BYTES_MAX: Final = 24 * 2**20
MARKUP_MAX: Final = 500_000
"""Elements and attributes of a document."""
SECTIONS_DEEP_MAX: Final = 16

_V3: Final = "{urn:hl7-org:v3}"
_LINES: Final = frozenset(f"{_V3}{name}" for name in ("paragraph", "item", "br", "caption", "tr"))
_CELLS: Final = frozenset({f"{_V3}td", f"{_V3}th"})


def open_cda(content: bytes) -> etree._Element:
    """The root of the document.

    Raises:
        NotAcceptable: it is no XML, or not one that can be opened safely.
    """
    try:
        text = text_of_xml(
            content.rstrip(b"\0"), name="the CDA", bytes_max=CDA_BYTES_MAX, markup_max=MARKUP_MAX
        )
    except InvalidValue as error:
        raise NotAcceptable(str(error)) from None
    parser = etree.XMLParser(
        encoding="utf-8",  # whatever the declaration says: the text was decoded here
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        remove_comments=True,
        remove_pis=True,
        huge_tree=True,  # a report within is one long text; sizes are bounded above
    )
    try:
        return etree.fromstring(text.encode(), parser)
    except etree.XMLSyntaxError:
        raise NotAcceptable("the encapsulated CDA is not well-formed XML") from None


def pdf_within(root: etree._Element) -> bytes | None:
    """The report that the document wraps, if it is a PDF (CDA R2 level 1)."""
    body = root.find(f"{_V3}component/{_V3}nonXMLBody/{_V3}text")
    if body is None or body.get("mediaType") != "application/pdf" or not body.text:
        return None
    try:
        return base64.b64decode(body.text)
    except binascii.Error:
        return None


def read_cda(root: etree._Element, language: str) -> Page:
    """The document's text.

    Args:
        language: of our own words, one of `words.LANGUAGES`.
    """
    told = {
        "patient": _name(root.find(f"{_V3}recordTarget//{_V3}patient/{_V3}name")),
        "born": day(_value(root.find(f"{_V3}recordTarget//{_V3}birthTime"))[:8]),
        "written": day(_value(root.find(f"{_V3}effectiveTime"))[:8]),
        "author": _name(root.find(f"{_V3}author//{_V3}assignedPerson/{_V3}name")),
        "institution": _words(root.find(f"{_V3}custodian//{_V3}name")),
    }
    body = root.find(f"{_V3}component/{_V3}structuredBody")
    return Page(
        language=language,
        title=_words(root.find(f"{_V3}title")) or word("untitled", language),
        facts=[(word(name, language), value) for name, value in told.items() if value],
        entries=[] if body is None else list(_sections(body, depth=0)),
    )


def _sections(parent: etree._Element, *, depth: int) -> Iterator[Entry]:
    if depth >= SECTIONS_DEEP_MAX:
        return
    for section in parent.iterfind(f"{_V3}component/{_V3}section"):
        narrative = section.find(f"{_V3}text")
        yield Entry(
            name=_words(section.find(f"{_V3}title")),
            value="" if narrative is None else _narrative(narrative),
            entries=list(_sections(section, depth=depth + 1)),
        )


def _narrative(element: etree._Element) -> str:
    lines = "".join(_pieces(element)).splitlines()
    kept = (" ".join(line.split()).removeprefix("| ") for line in lines)
    return "\n".join(line for line in kept if line)


def _pieces(element: etree._Element) -> Iterator[str]:
    for event, one in etree.iterwalk(element, events=("start", "end")):
        if event == "start":
            if one.tag in _LINES:
                yield "\n"
            elif one.tag in _CELLS:
                yield " | "
            # Line ends of the source are blanks; those of the narrative are its elements.
            yield " ".join((one.text or "").splitlines())
        else:
            if one.tag in _LINES:
                yield "\n"
            if one is not element:
                yield " ".join((one.tail or "").splitlines())


def _name(element: etree._Element | None) -> str:
    if element is None:
        return ""
    parts = (_words(one) for one in element) if len(element) else (_words(element),)
    return " ".join(filter(None, parts))


def _words(element: etree._Element | None) -> str:
    return "" if element is None else " ".join("".join(map(str, element.itertext())).split())


def _value(element: etree._Element | None) -> str:
    return "" if element is None else element.get("value") or ""
