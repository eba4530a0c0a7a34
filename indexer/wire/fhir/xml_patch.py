"""XML Patch (RFC 5261) of a DocumentReference, brought into a JSON Patch.

Of XPath the selectors are read that lead to what may change: FHIR's elements by name, items by
place, and the `value` of an element.
"""

import re
from typing import Any, Final

from lxml import etree

from indexer.contract.errors import InvalidValue
from indexer.wire.fhir.patch import OPERATIONS_MAX, Operation, read_json_patch
from indexer.wire.fhir.types import TYPES
from indexer.wire.fhir.xml_form import NAMESPACE, resource_of
from indexer.wire.outcome import IssueCode, Json, Refusal
from indexer.wire.xml import Element, open_xml

_SELECTOR: Final = re.compile(
    r"/?(\*|([A-Za-z]{1,20}:)?DocumentReference)"
    r"(?P<way>(/([A-Za-z]{1,20}:)?[A-Za-z]{1,40}(\[[1-9][0-9]{0,3}\])?){0,8})(?P<value>/@value)?",
    re.ASCII,
)
_STEP: Final = re.compile(r"/(?:[A-Za-z]+:)?(?P<name>[A-Za-z]+)(\[(?P<place>[0-9]+)\])?", re.ASCII)


def read_xml_patch(data: bytes) -> tuple[Operation, ...]:
    """The operations of a patch document.

    Raises:
        NotChangeable: it is of another element than those that may change.
        Refusal: it is no patch.
    """
    try:
        root = open_xml(data)
    except InvalidValue as error:
        raise _malformed(str(error)) from error
    operations = list(root.iterchildren(tag=etree.Element))
    if etree.QName(root).localname != "diff" or not 1 <= len(operations) <= OPERATIONS_MAX:
        raise _malformed(f"the body is no diff of 1 to {OPERATIONS_MAX} operations")
    return read_json_patch([_operation(one) for one in operations])


def _operation(told: Element) -> Json:
    found = _SELECTOR.fullmatch(told.get("sel", "").strip())
    if found is None:
        raise _malformed("a sel is no selector that is followed here")
    pointer, repeats = _pointer(found["way"])
    kind = etree.QName(told).localname
    if found["value"]:
        if kind != "replace" or repeats:
            raise _malformed("a value can only be replaced")
        return {"op": "replace", "path": pointer, "value": (told.text or "").strip()}
    match kind:
        case "replace":
            _, value = _content(told)
            return {"op": "replace", "path": pointer, "value": value}
        case "remove":
            return {"op": "remove", "path": pointer}
        case "add":
            return _addition(told, pointer)
        case _:
            raise _malformed("an operation is none of add, replace and remove")


def _addition(told: Element, pointer: str) -> Json:
    name, value = _content(told)
    match told.get("pos", ""):
        case "":
            return {"op": "add", "path": f"{pointer}/{name}/-", "value": value}
        case "before":
            return {"op": "add", "path": pointer, "value": value}
        case "after":
            within, _, place = pointer.rpartition("/")
            if not place.isdecimal():
                raise _malformed("nothing can be added after what does not repeat")
            return {"op": "add", "path": f"{within}/{int(place) + 1}", "value": value}
        case _:
            raise _malformed("pos is neither before nor after")


def _pointer(way: str) -> tuple[str, bool]:
    """The JSON pointer to what a selector names, and whether that is an element that repeats.

    An element that repeats is its first where no place is told, as XML Patch wants one target.
    """
    kind, pointer, repeats = "DocumentReference", "", False
    for step in _STEP.finditer(way):
        child = TYPES.get(kind, {}).get(step["name"])
        pointer += f"/{step['name']}"
        repeats = child is not None and child.several
        if repeats:
            pointer += f"/{int(step['place'] or 1) - 1}"
        kind = child.kind if child else ""
    return pointer, repeats


def _content(told: Element) -> tuple[str, Any]:
    """The one element that an operation brings: its name, and its value in JSON's form."""
    brought = list(told.iterchildren(tag=etree.Element))
    if len(brought) != 1:
        raise _malformed(f"an operation must bring one element, not {len(brought)}")
    # It is read as part of a resource of its own, for only there is its type known.
    resource = etree.Element(f"{{{NAMESPACE}}}DocumentReference")
    resource.append(brought[0])
    name = etree.QName(brought[0]).localname
    value = resource_of(resource).get(name)
    return name, value[0] if isinstance(value, list) else value


def _malformed(reason: str) -> Refusal:
    return Refusal(reason, code=IssueCode.STRUCTURE)
