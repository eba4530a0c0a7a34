"""Writes a data set as the Native DICOM Model in XML (PS3.19 §A.1, PS3.18 §F.3).

For answers that the gateway makes itself: texts, numbers and sequences, no names and no pixels.
"""

from typing import Final
from xml.etree.ElementTree import Element, SubElement, tostring

from pydicom.datadict import keyword_for_tag

from gateway.dicomweb.dicom_json import JsonDataSet

_NAMESPACE: Final = "http://dicom.nema.org/PS3.19/models/NativeDICOM"


def write_xml(told: JsonDataSet) -> bytes:
    """The document of a data set that is at hand in the form of DICOM JSON."""
    root = Element("NativeDicomModel", {"xmlns": _NAMESPACE, "xml:space": "preserve"})
    _write(root, told)
    document: bytes = tostring(root, encoding="utf-8", xml_declaration=True)
    return document


def _write(parent: Element, told: JsonDataSet) -> None:
    for tag, attribute in sorted(told.items()):
        names = {"tag": tag, "vr": attribute["vr"], "keyword": keyword_for_tag(tag)}
        written = SubElement(parent, "DicomAttribute", names)
        for number, value in enumerate(attribute.get("Value", ()), start=1):
            if attribute["vr"] == "SQ":
                _write(SubElement(written, "Item", {"number": str(number)}), value)
            else:
                SubElement(written, "Value", {"number": str(number)}).text = str(value)
