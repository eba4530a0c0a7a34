"""Which media types an instance can be rendered into (PS3.18 Table 8.7.4-1)."""

import re
from typing import Final

from pydicom import Dataset

from gateway.dicomweb.negotiation import BULK_TYPE
from gateway.errors import NotAcceptable
from gateway.pixels.picture import PICTURES
from indexer.contract.identifiers import Uid

_STORAGE: Final = "1.2.840.10008.5.1.4.1.1."
# Storage classes (PS3.4 Annex B.5) by what follows their root. A class that is not known here may
# hold an image; whether it does, its header says.
_NO_IMAGE: Final = re.compile(
    r"4\.2|[89]|[89]\..*|1[01]|11\..*|66|66\.[12356]|67|68\..*|7[89]\..*|80\..*|88\..*|9[01]\..*"
    r"|104\..*|131|20[01]\..*|481\.(?!1$|2$|23$|24$).*"
)


def is_image(sop_class: str) -> bool:
    """Whether an instance of this class may be an image."""
    return not _NO_IMAGE.fullmatch(sop_class.removeprefix(_STORAGE))


def media_types(header: Dataset, syntax: Uid) -> tuple[str, ...]:
    """What the instance can be rendered into, the default first.

    Raises:
        NotAcceptable: nothing of it can be rendered.
    """
    if BULK_TYPE.get(syntax, "").startswith("video/"):
        raise NotAcceptable("a video is passed on, not rendered")
    if "Rows" in header and "Columns" in header:
        return PICTURES
    raise NotAcceptable("the instance holds nothing that can be rendered")
