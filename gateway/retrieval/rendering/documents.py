"""Gives what is no image: reports as texts, encapsulated documents and videos as they are."""

from itertools import pairwise
from typing import Final

from pydicom.dataelem import RawDataElement

from gateway.dicomweb.dicom_xml import write_xml
from gateway.dicomweb.encapsulation import ITEM_HEAD_BYTES
from gateway.errors import NotAcceptable
from gateway.pixels.attributes import whole
from gateway.pixels.syntaxes import DEFLATED_LITTLE_ENDIAN
from gateway.retrieval.rendering.clinical_document import open_cda, pdf_within, read_cda
from gateway.retrieval.rendering.forms import HTML, PDF, XML, is_report
from gateway.retrieval.rendering.stored_instance import StoredInstance
from gateway.retrieval.rendering.structured_report import ReportReader
from gateway.retrieval.rendering.text_page import Page, write_html, write_plain

Ranges = list[tuple[int, int]]
"""Where bytes begin and end in a file."""

ENCAPSULATED_DOCUMENT: Final = 0x00420011


def give_text(instance: StoredInstance, kind: str, language: str) -> bytes:
    """A report or a CDA as a text of this media type.

    Raises:
        NotAcceptable: the document cannot be read.
    """
    if is_report(instance.header):
        if kind == XML:
            return write_xml(instance.header.to_json_dict())
        return _written(ReportReader(instance.header, language).read(), kind)
    content = bytes(instance.header.EncapsulatedDocument)
    if kind == XML:
        return content.rstrip(b"\0")
    root = open_cda(content)
    if kind == PDF:
        report = pdf_within(root)
        if report is None:
            raise NotAcceptable("the CDA wraps no PDF")
        return report
    return _written(read_cda(root, language), kind)


def find_document(instance: StoredInstance) -> Ranges:
    """Where the encapsulated document lies in the file.

    Raises:
        NotAcceptable: there is none, or it does not lie in the file as it is.
    """
    raw: object = instance.header.get_item(ENCAPSULATED_DOCUMENT, keep_deferred=True)
    if not isinstance(raw, RawDataElement) or instance.syntax == DEFLATED_LITTLE_ENDIAN:
        raise NotAcceptable("the encapsulated document is not given apart from its instance")
    length = whole(instance.header, "EncapsulatedDocumentLength", raw.length)
    ranges = [(raw.value_tell, raw.value_tell + min(length, raw.length))]
    return _whole(instance, ranges, "the encapsulated document is cut short")


def find_video(instance: StoredInstance) -> Ranges:
    """Where the fragments of the stream lie in the file (PS3.5 §A.4).

    Raises:
        NotAcceptable: the last one is not there whole.
        ValueError: the pixels hold something else than fragments.
    """
    fragments = instance.fragments
    if not fragments.delimited or not fragments.count:
        raise NotAcceptable("the video is cut short")
    edges = (instance.pixels_value_at + start for start in fragments.starts)
    return [(at + ITEM_HEAD_BYTES, end) for at, end in pairwise(edges)]


def _whole(instance: StoredInstance, ranges: Ranges, fault: str) -> Ranges:
    if ranges[-1][1] > instance.path.stat().st_size:
        raise NotAcceptable(fault)
    return ranges


def _written(page: Page, kind: str) -> bytes:
    return write_html(page) if kind == HTML else write_plain(page)
