"""Makes text of XML that others wrote, before a parser sees it.

A document type declaration, with which XML brings entities, is refused; so is what would cost a
parser more than its reader allows.
"""

import re
from typing import Final

from indexer.contract.errors import InvalidValue

_ENCODINGS: Final = frozenset({"utf-8", "us-ascii", "iso-8859-1", "iso-8859-15", "windows-1252"})
_BYTE_ORDER_MARKS: Final = {
    b"\xef\xbb\xbf": "utf-8-sig",
    b"\xff\xfe": "utf-16",
    b"\xfe\xff": "utf-16",
}
_DECLARATION = re.compile(rb"<\?xml[^>]{0,200}?encoding\s*=\s*[\"']([A-Za-z0-9._-]{1,40})[\"']")


def text_of_xml(data: bytes, *, name: str, bytes_max: int, markup_max: int) -> str:
    """The text of a document, whatever encoding it declares.

    Args:
        name: what to call the document where it is refused.
        bytes_max: of the whole document.
        markup_max: elements and attributes; each costs a parser some hundred bytes.

    Raises:
        InvalidValue: it cannot be opened safely; no value of it is quoted.
    """
    if len(data) > bytes_max:
        raise InvalidValue(f"{name} is longer than {bytes_max} bytes")
    text = _decoded(data, name)
    if "<!DOCTYPE" in text:
        raise InvalidValue(f"{name} has a document type declaration")
    if text.count("<") + text.count("=") > markup_max:
        raise InvalidValue(f"{name} has too many elements")
    return text


def _decoded(data: bytes, name: str) -> str:
    marked = (codec for mark, codec in _BYTE_ORDER_MARKS.items() if data.startswith(mark))
    codec = next(marked, None) or _declared_codec(data)
    if not codec:
        raise InvalidValue(f"{name} declares an encoding that is not supported: send UTF-8")
    try:
        return data.decode(codec).lstrip()
    except UnicodeDecodeError:
        raise InvalidValue(f"{name} is not written in the encoding that it declares") from None


def _declared_codec(data: bytes) -> str | None:
    declared = _DECLARATION.match(data.lstrip()[:400])
    codec = declared[1].decode("ascii").lower() if declared else "utf-8"
    return codec if codec in _ENCODINGS else None
