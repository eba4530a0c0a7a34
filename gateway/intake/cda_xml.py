"""Opens a CDA document without trusting it, and takes plain values out of it.

A report comes from outside and may hold anything; sizes are bounded before anything is built in
memory.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from lxml import etree

from gateway.errors import InvalidRequest
from gateway.intake.values import VALUE_LENGTH_MAX, oid_or_empty, point_in_time
from indexer.contract.document import Code, Identifier
from indexer.contract.errors import InvalidValue
from indexer.framing.markup import text_of_xml

Element = etree._Element

NAMESPACES: Final = {"v3": "urn:hl7-org:v3", "ps3-20": "urn:dicom-org:ps3-20"}

CDA_BYTES_MAX = 24 * 1024 * 1024
"""Of the whole document: what remains of the longest message once its base64 is decoded."""

MARKUP_MAX = 500_000
"""Elements and attributes; each costs some hundred bytes in memory, whatever its own length."""


def open_document(xml: bytes) -> Element:
    """The root of the document.

    Raises:
        InvalidRequest: it is no XML, not a CDA, or not one that can be opened safely.
    """
    try:
        text = text_of_xml(xml, name="the CDA", bytes_max=CDA_BYTES_MAX, markup_max=MARKUP_MAX)
    except InvalidValue as error:
        raise InvalidRequest(str(error)) from None
    parser = etree.XMLParser(
        encoding="utf-8",  # whatever the declaration says: the text was decoded here
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        remove_comments=True,
        remove_pis=True,
        # A report is one text node of base64, longer than libxml2's 10 MB; its other ceilings are
        # about entities, which have no declaration here, and about size, bounded above.
        huge_tree=True,
    )
    try:
        root = etree.fromstring(text.encode(), parser)
    except etree.XMLSyntaxError as error:
        line = error.lineno or 0
    else:
        if root.tag != f"{{{NAMESPACES['v3']}}}ClinicalDocument":
            raise InvalidRequest("the document is not a CDA: its root is not a ClinicalDocument")
        return root
    # Raised out here so that nothing holds on to the parser's words, which quote the text.
    raise InvalidRequest(f"the CDA is not well-formed XML at line {line}")


def find_all(element: Element, path: str) -> Iterator[Element]:
    """Elements at a path of ElementPath, with the prefixes `v3` and `ps3-20`."""
    return element.iterfind(path, NAMESPACES)


def find_first(element: Element, path: str) -> Element | None:
    """The first element at the path, if there is one."""
    return next(find_all(element, path), None)


def attribute(element: Element | None, name: str) -> str:
    """The value, blanks around it cut; empty where element or attribute is absent.

    Raises:
        InvalidRequest: it is too long.
    """
    return "" if element is None else bounded(element.get(name, ""), element)


def text_of(element: Element | None) -> str:
    """The text inside, each run of blanks as one; empty where the element is absent.

    Raises:
        InvalidRequest: it is too long.
    """
    return "" if element is None else bounded("".join(map(str, element.itertext())), element)


def code_of(element: Element | None) -> Code | None:
    """The coded value, or None where the element is absent or says that it is not known."""
    code = attribute(element, "code")
    if not code:
        return None
    return Code(
        code=code,
        scheme=attribute(element, "codeSystem"),
        display=attribute(element, "displayName"),
    )


def identifier_of(element: Element) -> Identifier | None:
    """The value of an id with the OID of who gave it; None where it has no extension."""
    value = attribute(element, "extension")
    if not value:
        return None
    return Identifier(value=value, authority=oid_or_empty(attribute(element, "root")))


def time_of(element: Element | None, time_zone: ZoneInfo) -> datetime | None:
    """The point in time of a `value` attribute, in UTC; a part left out counts as its start.

    Args:
        time_zone: holds where the value names no offset.

    Raises:
        InvalidRequest: it is no date or time.
    """
    value = attribute(element, "value")
    if element is None or not value:
        return None
    try:
        return point_in_time(value, time_zone)
    except ValueError:
        raise InvalidRequest(f"{_name(element)} is no date or time") from None


def bounded(value: str, element: Element) -> str:
    """A value of the element, each run of blanks as one.

    Raises:
        InvalidRequest: it is too long.
    """
    if len(value) > VALUE_LENGTH_MAX:
        raise InvalidRequest(f"{_name(element)} is longer than {VALUE_LENGTH_MAX} characters")
    return " ".join(value.split())


def _name(element: Element) -> str:
    """Where the element is, by names that the standard gives: an own name may be a patient's."""
    return etree.QName(element).localname
