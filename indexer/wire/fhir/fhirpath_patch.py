"""FHIRPath Patch (R4 §3.1.0.10.3): Parameters, each an operation, brought into a JSON Patch.

Of FHIRPath the paths are read that lead to what may change: elements by name, items by index.
"""

import re
from typing import Any, Final

from indexer.wire.fhir.elements import Element
from indexer.wire.fhir.patch import OPERATIONS_MAX, Operation, read_json_patch
from indexer.wire.outcome import IssueCode, Json

_PATH: Final = re.compile(r"DocumentReference(\.[A-Za-z]{1,40}(\[[0-9]{1,4}\])?){0,8}", re.ASCII)
_STEP: Final = re.compile(r"[A-Za-z]+|[0-9]+", re.ASCII)
_PARTS: Final = {
    "add": {"path", "name", "value"},
    "insert": {"path", "index", "value"},
    "delete": {"path"},
    "replace": {"path", "value"},
    "move": {"path", "source", "destination"},
}
"""Parts of an operation, beside its type."""


def read_fhirpath_patch(parameters: Element) -> tuple[Operation, ...]:
    """The operations of a Parameters resource.

    Raises:
        NotChangeable: it is of another element than those that may change.
        Refusal: it is no patch.
    """
    parameters.expect("resourceType", "Parameters")
    told = parameters.children("parameter")
    if len(told) > OPERATIONS_MAX:
        what = f"is more than {OPERATIONS_MAX} operations"
        raise parameters.refuse("parameter", what, IssueCode.TOO_LONG)
    return read_json_patch([_operation(one) for one in told])


def _operation(told: Element) -> Json:
    told.expect("name", "operation")
    parts = {one.text("name"): one for one in told.children("part")}
    kind = _part(told, parts, "type").text("valueCode")
    if kind not in _PARTS:
        raise told.refuse("part", "has a type that is none of a patch", IssueCode.VALUE)
    if parts.keys() - {"type"} != _PARTS[kind]:
        raise told.refuse("part", f"must be those of {kind}", IssueCode.STRUCTURE)
    pointer = _pointer(parts["path"])
    match kind:
        case "add":
            # To an element that repeats, as all are that may be added to here, it adds an item.
            name = parts["name"].text("valueString")
            return {"op": "add", "path": f"{pointer}/{name}/-", "value": _value(parts["value"])}
        case "insert":
            index = parts["index"].unsigned("valueInteger")
            value = _value(parts["value"])
            return {"op": "add", "path": f"{pointer}/{index}", "value": value}
        case "delete":
            return {"op": "remove", "path": pointer}
        case "replace":
            return {"op": "replace", "path": pointer, "value": _value(parts["value"])}
        case _:
            source = parts["source"].unsigned("valueInteger")
            destination = parts["destination"].unsigned("valueInteger")
            return {"op": "move", "from": f"{pointer}/{source}", "path": f"{pointer}/{destination}"}


def _part(told: Element, parts: dict[str, Element], name: str) -> Element:
    if name not in parts:
        raise told.refuse("part", f"lacks {name}", IssueCode.REQUIRED)
    return parts[name]


def _pointer(part: Element) -> str:
    """A FHIRPath as the JSON pointer to the same element."""
    path = part.text("valueString")
    if not _PATH.fullmatch(path):
        raise part.refuse("valueString", "is no path that is followed here", IssueCode.VALUE)
    return "".join(f"/{step}" for step in _STEP.findall(path)[1:])


def _value(part: Element) -> Any:
    """The value of a part, whatever its type; FHIR calls it by the type's name."""
    found = [value for name, value in part.fields.items() if name.startswith("value")]
    if len(found) != 1:
        raise part.refuse("value", f"must be one, not {len(found)}", IssueCode.STRUCTURE)
    return found[0]
