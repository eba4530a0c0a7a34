"""The character set of texts, which is UTF-8 (PS3.18 §8.8).

A media type with another charset is another type (see `accept`), and a query that names none but
others is refused (§8.3.3.2). Accept-Charset is passed over: what is not supported of it is to be,
and what is left then is the default of the media types, UTF-8 (§8.8.4, §8.8.5, RFC 9110 §12.5.2).
"""

import re
from typing import Final

from gateway.errors import InvalidRequest

CHARSETS_LENGTH_MAX: Final = 1024
"""Characters of a charset parameter."""

_UTF_8: Final = frozenset({"utf-8", "utf8", "iso_ir 192"})  # the last is DICOM's own name
_REFUSED: Final = re.compile(r"q=0(?:\.0{0,3})?", re.ASCII)


def ensure_utf_8(charsets: str) -> None:
    """Return if UTF-8 is among the character sets of a `charset` parameter.

    Raises:
        InvalidRequest: it is not.
    """
    if len(charsets) <= CHARSETS_LENGTH_MAX:
        for one in charsets.split(","):
            name, _, weight = (part.strip().lower() for part in one.partition(";"))
            if name.strip('"') in _UTF_8 and not _REFUSED.fullmatch(weight):
                return
    raise InvalidRequest("charset: texts are given in UTF-8")
