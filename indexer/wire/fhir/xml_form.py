"""FHIR R4 resources as XML (R4 §2.6.1), both ways, of and into the same dictionaries as JSON.

XML is the way of few: what is read and kept is JSON's form, and only the border knows of another.
"""

import re
from collections.abc import Callable, Iterator
from typing import Any, Final, cast

from lxml import etree

from indexer.contract.errors import InvalidValue
from indexer.wire.fhir.types import RESOURCE_TYPES, TYPES, Child
from indexer.wire.outcome import IssueCode, Json, Refusal
from indexer.wire.xml import Element, clean, open_xml

NAMESPACE: Final = "http://hl7.org/fhir"
XHTML: Final = "http://www.w3.org/1999/xhtml"

_NAMESPACES: Final = cast("dict[str, str]", {None: NAMESPACE})  # lxml's word for no prefix

FHIR_XML_BYTES_MAX: Final = 9 * 2**20
"""Of a whole resource, with the documents in it: no parser here takes longer attributes."""
DEPTH_MAX: Final = 40

_DECLARATION: Final = b'<?xml version="1.0" encoding="UTF-8"?>'
_INTEGER: Final = re.compile(r"-?(0|[1-9][0-9]{0,17})", re.ASCII)
_DECIMAL: Final = re.compile(_INTEGER.pattern + r"(\.[0-9]{1,17})?", re.ASCII)


def write_resource(resource: Json) -> bytes:
    """A resource as an XML document."""
    root = _write_resource(resource)
    etree.cleanup_namespaces(root)
    return _DECLARATION + etree.tostring(root, encoding="utf-8")


def _write_resource(resource: Json) -> Element:
    kind = resource["resourceType"]
    root = etree.Element(_fhir(kind), nsmap=_NAMESPACES)
    _write_children(root, resource, TYPES[kind], attributes=())
    return root


def _write_children(
    parent: Element, value: Json, children: dict[str, Child], *, attributes: tuple[str, ...]
) -> None:
    told = {name.removeprefix("_") for name in value} - {"resourceType"}
    if unknown := told - children.keys():
        raise ValueError(f"no element of this type: {min(unknown)}")  # ours: no peer's text
    for name, child in children.items():
        if name in attributes and name in value:
            parent.set(name, clean(value[name]))
        elif name in told:
            for one, extended in _pairs(value.get(name), value.get(f"_{name}")):
                _write_child(parent, child, one, extended)


def _pairs(value: Any, extended: Any) -> Iterator[tuple[Any, Any]]:
    """Each value with what extends it, if anything does."""
    if not isinstance(value, list) and not isinstance(extended, list):
        yield value, extended
        return
    values, extensions = value or [], extended or []
    for number in range(max(len(values), len(extensions))):
        yield (
            values[number] if number < len(values) else None,
            extensions[number] if number < len(extensions) else None,
        )


def _write_child(parent: Element, child: Child, value: Any, extended: Any) -> None:
    if child.kind == "xhtml":
        parent.append(open_xml(value.encode()))
        return
    element = etree.SubElement(parent, _fhir(child.name))
    if child.kind == "Resource":
        element.append(_write_resource(value))
    elif child.kind in TYPES:
        own = ("id", "url") if child.kind == "Extension" else ("id",)
        _write_children(element, value, TYPES[child.kind], attributes=own)
    else:
        if value is not None:
            element.set("value", _write_primitive(value))
        if extended is not None:
            _write_children(element, extended, TYPES["Element"], attributes=("id",))


def _write_primitive(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return clean(str(value))


def read_resource(data: bytes) -> Json:
    """The resource of an XML document, in JSON's form.

    Raises:
        Refusal: it is no XML that can be opened safely, or has what FHIR R4 does not know.
    """
    if len(data) > FHIR_XML_BYTES_MAX:
        reason = f"the body is larger than {FHIR_XML_BYTES_MAX} bytes, as XML: send JSON"
        raise Refusal(reason, code=IssueCode.TOO_LONG)
    try:
        return resource_of(open_xml(data, bytes_max=FHIR_XML_BYTES_MAX))
    except Refusal:
        raise
    except InvalidValue as error:
        raise Refusal(str(error), code=IssueCode.STRUCTURE) from error


def resource_of(root: Element) -> Json:
    """The resource that an element is; see `read_resource`."""
    return _read_resource(root, "", depth=0)


def _read_resource(element: Element, path: str, *, depth: int) -> Json:
    kind = _local_name(element, path)
    if kind not in RESOURCE_TYPES:
        raise _refusal(path or "the root", "is no resource of a type taken here")
    resource = {"resourceType": kind}
    return resource | _read_children(element, TYPES[kind], path or kind, depth=depth, attributes=())


def _read_children(
    element: Element,
    children: dict[str, Child],
    path: str,
    *,
    depth: int,
    attributes: tuple[str, ...],
) -> Json:
    if depth > DEPTH_MAX:
        raise _refusal(path, f"lies deeper than {DEPTH_MAX} elements")
    _expect_bare(element, path, attributes)
    value: Json = {name: str(element.attrib[name]) for name in attributes if name in element.attrib}
    place = -1
    order = list(children)
    for inner in element.iterchildren(tag=etree.Element):
        child = children.get(_local_name(inner, path))
        if child is None or child.name in attributes:
            raise _refusal(path, "has an element that FHIR R4 does not know there")
        at = order.index(child.name)
        if at < place or (at == place and not child.several):
            raise _refusal(f"{path}.{child.name}", "is out of its order, or told twice")
        place = at
        _put(value, child, inner, f"{path}.{child.name}", depth=depth)
    return value


def _put(value: Json, child: Child, inner: Element, path: str, *, depth: int) -> None:
    """Read a child, and add it where JSON has it."""
    read, extended = _read_child(child, inner, path, depth=depth)
    if not child.several:
        if read is not None:
            value[child.name] = read
        if extended:
            value[f"_{child.name}"] = extended
        return
    several = value.setdefault(child.name, [])
    several.append(read)
    beside = f"_{child.name}"
    if extended or beside in value:
        extensions = value.setdefault(beside, [None] * (len(several) - 1))
        extensions.append(extended or None)


def _read_child(child: Child, inner: Element, path: str, *, depth: int) -> tuple[Any, Json]:
    """The value of a child, and what extends it where it is a primitive."""
    if child.kind == "xhtml":
        return etree.tostring(inner, encoding="unicode", with_tail=False), {}
    if child.kind == "Resource":
        found = list(inner.iterchildren(tag=etree.Element))
        if len(found) != 1:
            raise _refusal(path, f"must be one resource, not {len(found)}")
        return _read_resource(found[0], path, depth=depth + 1), {}
    if child.kind in TYPES:
        own = ("id", "url") if child.kind == "Extension" else ("id",)
        kind = TYPES[child.kind]
        return _read_children(inner, kind, path, depth=depth + 1, attributes=own), {}
    extended = _read_children(
        inner, TYPES["Element"], path, depth=depth + 1, attributes=("id", "value")
    )
    text = extended.pop("value", None)
    if text is None and not extended:
        raise _refusal(path, "is empty")
    return None if text is None else _read_primitive(child.kind, text, path), extended


def _read_primitive(kind: str, text: str, path: str) -> object:
    read = _PRIMITIVES.get(kind)
    if read is None:
        return text
    try:
        return read(text.strip())
    except (KeyError, ValueError) as error:
        raise _refusal(path, f"is no {kind}") from error


def _read_boolean(text: str) -> bool:
    return {"true": True, "false": False}[text]


def _read_integer(text: str) -> int:
    if not _INTEGER.fullmatch(text):
        raise ValueError
    return int(text)


def _read_decimal(text: str) -> int | float:
    if not _DECIMAL.fullmatch(text):
        raise ValueError
    return float(text) if "." in text else int(text)


_PRIMITIVES: Final[dict[str, Callable[[str], object]]] = {
    "boolean": _read_boolean,
    "integer": _read_integer,
    "decimal": _read_decimal,
}


def _expect_bare(element: Element, path: str, attributes: tuple[str, ...]) -> None:
    """Refuse text between elements, and attributes that FHIR has not."""
    texts = [element.text, *(inner.tail for inner in element)]
    if any(text and text.strip() for text in texts):
        raise _refusal(path, "holds text outside of a value")
    # Schema locations and the like are no part of a resource.
    if any(
        not name.startswith("{") and name not in attributes for name in map(str, element.attrib)
    ):
        raise _refusal(path, "has an attribute that FHIR R4 does not know there")


def _local_name(element: Element, path: str) -> str:
    name = etree.QName(element)
    if name.namespace != NAMESPACE and (name.namespace, name.localname) != (XHTML, "div"):
        raise _refusal(path or "the root", "is not of FHIR's namespace")
    return name.localname


def _fhir(name: str) -> str:
    return f"{{{NAMESPACE}}}{name}"


def _refusal(path: str, what: str) -> Refusal:
    return Refusal(f"{path} {what}", code=IssueCode.STRUCTURE, expression=path)
