"""Writes what a DICOMweb service can do: PS3.18 §8.9 and Annex H.

As a WADL document, or as JSON with the same elements: a sequence of elements of one name is an
array under that name, and an attribute is a value under its own.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from xml.etree.ElementTree import Element, SubElement, tostring

WADL: Final = "application/vnd.sun.wadl+xml"

CHARSETS: Final = ("UTF-8",)
"""In which texts are given (PS3.18 §8.8)."""

_NAMESPACE: Final = "http://wadl.dev.java.net/2009/02"
_ARRAYS: Final = frozenset("resource method param option response representation".split())
_CONVERTER: Final = re.compile(r"\{(\w+):\w+\}")
_TEMPLATE: Final = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Transaction:
    """What a method does with a resource."""

    title: str
    gives: tuple[str, ...] = ()
    """Media types of an answer, the default first."""
    takes: tuple[str, ...] = ()
    """Media types of a request's body."""
    query: tuple[str, ...] = ()
    """Names of query parameters."""


Methods = Mapping[str, Mapping[str, Transaction]]
"""What each method does, by the template of its address below the base, such as
`/studies/{study}`; the base itself is empty."""


def describe(methods: Methods, *, base_url: str, at: str) -> Element:
    """The description of a resource and of all below it, as WADL.

    Args:
        base_url: address of the service, as clients reach it.
        at: template of the address of the resource; empty for the service.
    """
    application = Element("application", {"xmlns": _NAMESPACE})
    SubElement(application, "doc", {"title": "DICOMweb (PS3.18)"})
    resources = SubElement(application, "resources", {"base": base_url})
    plain = {_CONVERTER.sub(r"{\1}", path): found for path, found in methods.items()}
    asked = _CONVERTER.sub(r"{\1}", at)
    holder = resources
    if asked:
        holder = SubElement(resources, "resource", {"path": asked.removeprefix("/")})
        _write_templates(holder, asked)
    _write(holder, plain, asked)
    return application


def write_wadl(description: Element) -> bytes:
    """The document of a description."""
    document: bytes = tostring(description, encoding="utf-8", xml_declaration=True)
    return document


def as_json(description: Element) -> dict[str, Any]:
    """The same as an object."""
    told: dict[str, Any] = dict(description.attrib)
    told.pop("xmlns", None)
    for child in description:
        if child.tag in _ARRAYS:
            told.setdefault(child.tag, []).append(as_json(child))
        else:
            told[child.tag] = as_json(child)
    return told


def _write(holder: Element, methods: Methods, at: str) -> None:
    for name, transaction in sorted(methods.get(at, {}).items()):
        _write_method(holder, name, transaction)
    for segment in sorted(set(_below(methods, at))):
        child = SubElement(holder, "resource", {"path": segment})
        _write_templates(child, segment)
        _write(child, methods, f"{at}/{segment}")


def _below(methods: Methods, at: str) -> Iterator[str]:
    """The next segments of the addresses below one."""
    for path in methods:
        if path.startswith(f"{at}/"):
            yield path[len(at) + 1 :].split("/")[0]


def _write_templates(holder: Element, path: str) -> None:
    for name in _TEMPLATE.findall(path):
        told = {"name": name, "style": "template", "required": "true"}
        SubElement(holder, "param", told)


def _write_method(holder: Element, name: str, transaction: Transaction) -> None:
    method = SubElement(holder, "method", {"name": name})
    SubElement(method, "doc", {"title": transaction.title})
    request = SubElement(method, "request")
    _write_header(request, "Accept", transaction.gives)
    _write_header(request, "Accept-Charset", CHARSETS)
    for parameter in transaction.query:
        SubElement(request, "param", {"name": parameter, "style": "query"})
    _write_representations(request, transaction.takes)
    response = SubElement(method, "response", {"status": "200"})
    _write_representations(response, transaction.gives)


def _write_header(request: Element, name: str, values: Sequence[str]) -> None:
    header = SubElement(request, "param", {"name": name, "style": "header"})
    for value in values:
        SubElement(header, "option", {"value": value})


def _write_representations(holder: Element, media_types: Sequence[str]) -> None:
    for media_type in media_types:
        SubElement(holder, "representation", {"mediaType": media_type})
