"""Which media types an instance can be rendered into (PS3.18 Table 8.7.4-1)."""

import re
from typing import Final

from pydicom import Dataset

from gateway.dicomweb.negotiation import BULK_TYPE
from gateway.errors import NotAcceptable
from gateway.pixels.attributes import text
from gateway.pixels.picture import PICTURES
from gateway.pixels.presentation import PRESENTATIONS
from indexer.contract.identifiers import Uid

HTML: Final = "text/html"
PLAIN: Final = "text/plain"
XML: Final = "text/xml"
PDF: Final = "application/pdf"
TEXTS: Final = (HTML, PLAIN, XML)
VIDEOS: Final = tuple(
    dict.fromkeys(kind for kind in BULK_TYPE.values() if kind.startswith("video/"))
)
ALL: Final = (*PICTURES, *TEXTS, PDF, *VIDEOS)
"""Every media type that something is given in."""

_STORAGE: Final = "1.2.840.10008.5.1.4.1.1."
# Storage classes (PS3.4 Annex B.5) by what follows their root. A class that is not known here may
# hold an image; whether it does, its header says.
_NO_IMAGE: Final = re.compile(
    r"4\.2|[89]|[89]\..*|1[01]|11\..*|66|66\.[12356]|67|68\..*|7[89]\..*|80\..*|88\..*|9[01]\..*"
    r"|104\..*|131|20[01]\..*|481\.(?!1$|2$|23$|24$).*"
)
_DOCUMENTS: Final = re.compile(r"88\..*|104\.[12]|11\.[123]")


def is_image(sop_class: str) -> bool:
    """Whether an instance of this class may be an image."""
    return not _NO_IMAGE.fullmatch(sop_class.removeprefix(_STORAGE))


def shows_nothing(sop_class: str) -> bool:
    """Whether no instance of this class can be rendered."""
    return not is_image(sop_class) and not _DOCUMENTS.fullmatch(sop_class.removeprefix(_STORAGE))


def is_report(header: Dataset) -> bool:
    """Whether it is a document of the kind of structured reports (PS3.3 §C.17.3)."""
    return text(header, "ValueType") == "CONTAINER"


def media_types(header: Dataset, syntax: Uid) -> tuple[str, ...]:
    """What the instance can be given in, the default first.

    Raises:
        NotAcceptable: nothing of it can be rendered.
    """
    if is_report(header):
        return TEXTS
    if text(header, "SOPClassUID") in PRESENTATIONS:
        return PICTURES
    document = text(header, "MIMETypeOfEncapsulatedDocument").lower()
    if document == PDF:
        return (PDF,)
    if document == XML:
        return (*TEXTS, PDF)
    video = BULK_TYPE.get(syntax, "")
    if video in VIDEOS:
        return (video,)
    if "Rows" in header and "Columns" in header:
        return PICTURES
    raise NotAcceptable("the instance holds nothing that can be rendered")
