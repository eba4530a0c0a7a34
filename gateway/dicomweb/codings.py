"""In which coding a client takes a body of text (RFC 9110 §12.5.3)."""

import re
from typing import Final

GZIP: Final = "gzip"
SMALL_BYTES: Final = 1400
"""A body that fits into one packet is not made shorter."""
CODINGS_LENGTH_MAX: Final = 1024
"""Characters of an Accept-Encoding header; a longer one counts as none."""

_LEVEL_OF_NONE: Final = 0.0
_QUALITY: Final = re.compile(r"[ \t]*q=(0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?)[ \t]*", re.ASCII)


def takes_gzip(accept_encoding: str) -> bool:
    """Whether the client takes gzip at least as gladly as a body as it is."""
    if len(accept_encoding) > CODINGS_LENGTH_MAX:
        return False
    told = dict(_read(one) for one in accept_encoding.lower().split(","))
    anything = told.get("*", _LEVEL_OF_NONE)
    gzip = told.get(GZIP, told.get("x-gzip", anything))
    return gzip > 0 and gzip >= told.get("identity", _LEVEL_OF_NONE)


def _read(text: str) -> tuple[str, float]:
    name, _, parameter = text.partition(";")
    if not parameter:
        return name.strip(), 1.0
    quality = _QUALITY.fullmatch(parameter)
    return name.strip(), float(quality[1]) if quality else _LEVEL_OF_NONE
