"""Reads media types with their parameters (RFC 9110 §8.3.1): those of Accept and Content-Type."""

import re
from typing import Final

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
