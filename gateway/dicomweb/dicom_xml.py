"""Writes a data set as the Native DICOM Model in XML (PS3.19 §A.1, PS3.18 §F.3).

What it writes is at hand in the form of DICOM JSON, which answers are made and kept in. Private
creators are told with the elements that they own, not on their own (PS3.19 Table A.1.5-2).
"""

import re
from collections.abc import Iterator
from typing import Any, Final

import orjson
from pydicom.datadict import keyword_for_tag

from gateway.dicomweb.dicom_json import JsonDataSet
from gateway.dicomweb.negotiation import DICOM_XML
from indexer.framing.multipart_writer import MultipartRelated

_DECLARATION: Final = '<?xml version="1.0" encoding="utf-8"?>\n'
_ROOT: Final = (
    '<NativeDicomModel xmlns="http://dicom.nema.org/PS3.19/models/NativeDICOM"'
    ' xml:space="preserve">{}</NativeDicomModel>'
)
_NAME_PARTS: Final = ("FamilyName", "GivenName", "MiddleName", "NamePrefix", "NameSuffix")

_ESCAPES: Final = {
    "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;",
    # Else a reader would take the end of a line for a line feed, or for a blank in an attribute.
    "\r": "&#13;", "\n": "&#10;", "\t": "&#9;",
}  # fmt: skip
_NEVER_IN_XML: Final = "\ufffd"
"""Stands for what XML 1.0 §2.2 has no way to write, such as a form feed."""
_ESCAPED: Final = re.compile(r'[&<>"\x00-\x1f\ud800-\udfff\ufffe\uffff]')


class XmlParts(MultipartRelated):
    """A body of such documents, each a part of it (PS3.18 §8.7.3.2)."""

    def __init__(self, boundary: str | None = None) -> None:
        super().__init__(DICOM_XML, boundary=boundary)

    def data_set(self, told: bytes) -> bytes:
        """The next data set, from its JSON object, as a whole part."""
        document = write_xml(orjson.loads(told))
        return self.part(DICOM_XML, size_bytes=len(document)) + document


def write_xml(told: JsonDataSet) -> bytes:
    """The document of a data set that is at hand in the form of DICOM JSON."""
    return (_DECLARATION + _ROOT.format("".join(_attributes(told)))).encode()


def _attributes(told: JsonDataSet) -> Iterator[str]:
    for tag, attribute in sorted(told.items()):
        names = _names(tag, told)
        if names is not None:
            content = "".join(_content(attribute))
            yield f'<DicomAttribute {names} vr="{attribute["vr"]}">{content}</DicomAttribute>'


def _names(tag: str, told: JsonDataSet) -> str | None:
    """What names an attribute; None for a private creator."""
    if int(tag[3], 16) % 2 == 0:
        keyword = keyword_for_tag(tag)
        return f'tag="{tag}" keyword="{keyword}"' if keyword else f'tag="{tag}"'
    group, block, element = tag[:4], tag[4:6], tag[6:]
    if block == "00" and element >= "10":
        return None
    # Which block it is in is the writer's own affair, so it is left out of the tag.
    written = f'tag="{group}00{element}"'
    for creator in told.get(f"{group}00{block}", {}).get("Value", ()):
        return f'{written} privateCreator="{_escaped(str(creator))}"'
    return written


def _content(attribute: dict[str, Any]) -> Iterator[str]:
    if "BulkDataURI" in attribute:
        yield f'<BulkData uri="{_escaped(attribute["BulkDataURI"])}"/>'
    elif "InlineBinary" in attribute:
        yield f"<InlineBinary>{attribute['InlineBinary']}</InlineBinary>"
    vr = attribute["vr"]
    for number, value in enumerate(attribute.get("Value", ()), start=1):
        if vr == "SQ":
            yield f'<Item number="{number}">{"".join(_attributes(value or {}))}</Item>'
        elif vr == "PN":
            yield f'<PersonName number="{number}">{_name(value or {})}</PersonName>'
        else:
            yield f'<Value number="{number}">{_text(value)}</Value>'


def _text(value: Any) -> str:
    match value:
        case None:
            return ""
        case float():
            # A decimal of DICOM has 16 characters (PS3.5 §6.2); what needs none is not spent.
            return repr(value).removesuffix(".0").replace("e+", "e")
        case _:
            return _escaped(str(value))


def _name(groups: dict[str, str]) -> str:
    """A person's name, by its component groups and their components (PS3.5 §6.2.1.1)."""
    return "".join(
        f"<{group}>{_components(groups[group])}</{group}>"
        for group in ("Alphabetic", "Ideographic", "Phonetic")
        if groups.get(group)
    )


def _components(group: str) -> str:
    parts = zip(_NAME_PARTS, group.split("^"), strict=False)
    return "".join(f"<{part}>{_escaped(text)}</{part}>" for part, text in parts if text)


def _escaped(text: str) -> str:
    return _ESCAPED.sub(lambda found: _ESCAPES.get(found[0], _NEVER_IN_XML), text)
