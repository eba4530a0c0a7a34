"""Reads media types (RFC 9110 §8.3.1): those of Accept and Content-Type, and of documents."""

import re
from typing import Final

from indexer.contract.errors import InvalidValue

# Printable only: it becomes a header of the answer that carries the document.
_MEDIA_TYPE: Final = re.compile(r"[!-.0-~]+/[!-~][ -~]*", re.ASCII)
_PARTED: Final = re.compile(r'(?:[^;"]|"[^"]*")+')


def read_media_type(text: str) -> tuple[str, dict[str, str]]:
    """The type, and its parameters without quotes; their names in lower case.

    Whatever the text is: none of it is refused, and long ones take no longer than they are.
    """
    kind, *rest = [part.strip() for part in _PARTED.findall(text)] or [""]
    parameters = {}
    for parameter in rest:
        name, _, value = parameter.partition("=")
        parameters[name.strip().lower()] = value.strip().strip('"').strip()
    return kind.lower(), parameters


def checked_media_type(text: str) -> str:
    """The text itself, if it may be a document's media type.

    Raises:
        InvalidValue: it may not.
    """
    if not _MEDIA_TYPE.fullmatch(text):
        raise InvalidValue("not a media type")
    return text
