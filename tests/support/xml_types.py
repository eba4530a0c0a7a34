"""What a strict reader of XML makes of the types that a message tells."""

from indexer.wire.xml import Element

_TYPE = "{http://www.w3.org/2001/XMLSchema-instance}type"


def types_told(message: Element) -> set[str]:
    """Each type told by `xsi:type`, with the namespace in which its name stands."""
    told = [(one, one.get(_TYPE, "")) for one in message.iter() if one.get(_TYPE)]
    return {_resolved(one, name) for one, name in told}


def _resolved(element: Element, name: str) -> str:
    prefix, _, local = name.rpartition(":")
    return f"{{{element.nsmap.get(prefix or None, '')}}}{local}"
