"""The update of an entry's metadata (PDSm, flows 03 and 04): what may change, and how.

PDSm lets a publisher change status, confidentiality and archiving; there is no archive here, so
the first two are left. Of the three forms that a patch may have, JSON Patch (RFC 6902) is the one
that is applied; the others are brought into it.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import orjson

from indexer.contract.document import EntryStatus
from indexer.wire.fhir.document_reference import read_status
from indexer.wire.fhir.elements import Element, concept, read_concept
from indexer.wire.outcome import IssueCode, Json, Refusal

OPERATIONS_MAX: Final = 16
LABELS_MAX: Final = 16
GROWTH_BYTES_MAX: Final = 64 * 1024
"""By which a patch may make what it changes longer on the way: each copy may double it."""

_CHANGEABLE: Final = frozenset({"status", "securityLabel"})
_WITH_VALUE: Final = frozenset({"add", "replace", "test"})
_WITH_SOURCE: Final = frozenset({"move", "copy"})
_POINTER: Final = re.compile(r"(/([^~/]|~0|~1)*)*")
_POINTER_LENGTH_MAX: Final = 200
_INDEX: Final = re.compile(r"0|[1-9][0-9]{0,3}", re.ASCII)
_NEXT: Final = {
    EntryStatus.APPROVED: frozenset(EntryStatus),
    EntryStatus.DEPRECATED: frozenset({EntryStatus.DEPRECATED, EntryStatus.WITHDRAWN}),
    EntryStatus.WITHDRAWN: frozenset({EntryStatus.WITHDRAWN}),
}
"""What a status may become: itself, so that a repeat does no harm, or a later one."""


class NotChangeable(Refusal):
    """The patch is of an element that stays as it was submitted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One operation of a JSON Patch, on what of an entry may change."""

    name: str
    way: tuple[str, ...]
    source: tuple[str, ...] = ()
    value: bytes = b"null"
    """In JSON, so that what is put into an entry is always a copy."""


def withdrawal_patch() -> list[Json]:
    """The patch that withdraws an entry, which the DMP calls its deletion (TD3.3c)."""
    return [{"op": "replace", "path": "/status", "value": EntryStatus.WITHDRAWN.value}]


def read_json_patch(patch: object) -> tuple[Operation, ...]:
    """The operations of a JSON Patch.

    Raises:
        NotChangeable: it is of another element than those that may change.
        Refusal: it is no patch.
    """
    if not isinstance(patch, list) or not 1 <= len(patch) <= OPERATIONS_MAX:
        reason = f"the body is no list of 1 to {OPERATIONS_MAX} operations"
        raise Refusal(reason, code=IssueCode.STRUCTURE)
    return tuple(_operation(one) for one in patch)


def _operation(told: object) -> Operation:
    match told:
        case {"op": str() as name, "path": str() as path, "value": value} if name in _WITH_VALUE:
            return Operation(name=name, way=_way(path), value=_json(value))
        case {"op": str() as name, "path": str() as path, "from": str() as source} if (
            name in _WITH_SOURCE
        ):
            return Operation(name=name, way=_way(path), source=_way(source))
        case {"op": "remove", "path": str() as path}:
            return Operation(name="remove", way=_way(path))
        case _:
            raise Refusal("an operation lacks a part, or is none", code=IssueCode.STRUCTURE)


def _json(value: object) -> bytes:
    try:
        return orjson.dumps(value)
    except orjson.JSONEncodeError as error:
        raise Refusal("a value lies too deep", code=IssueCode.STRUCTURE) from error


def _way(pointer: str) -> tuple[str, ...]:
    """The steps of a JSON pointer (RFC 6901) to what may change."""
    if len(pointer) > _POINTER_LENGTH_MAX or not _POINTER.fullmatch(pointer):
        raise Refusal("a path is no JSON pointer", code=IssueCode.STRUCTURE)
    steps = pointer.split("/")[1:]
    way = tuple(step.replace("~1", "/").replace("~0", "~") for step in steps)
    if not way or way[0] not in _CHANGEABLE:
        raise NotChangeable(
            "only the status and the security labels can be changed", code=IssueCode.NOT_SUPPORTED
        )
    return way


def of_version(number: str) -> Operation:
    """What makes a patch one of this version alone."""
    return Operation(name="version", way=("meta", "versionId"), value=_json(number))


def withdraws(operations: Sequence[Operation]) -> bool:
    """Whether a patch would withdraw an entry, or might: what is moved is known when it is done."""
    withdrawn = _json(EntryStatus.WITHDRAWN)
    return any(
        one.way == ("status",) and (one.value == withdrawn or bool(one.source))
        for one in operations
    )


def patched(operations: Sequence[Operation], resource: Json) -> Json:
    """The DocumentReference after a patch, all of it or nothing.

    Raises:
        Refusal: an operation cannot be done, or the entry may not become what it would be.
    """
    before = EntryStatus(resource["status"])
    labels = resource.get("securityLabel", [])
    part = orjson.loads(orjson.dumps({"status": resource["status"], "securityLabel": labels}))
    bytes_max = len(_json(part)) + GROWTH_BYTES_MAX
    for operation in operations:
        if operation.name == "version":
            _expect_version(operation, resource)
        else:
            _apply(operation, part)
            if len(_json(part)) > bytes_max:
                raise Refusal("the patch makes too much of the entry", code=IssueCode.TOO_LONG)
    rest = {name: value for name, value in resource.items() if name not in _CHANGEABLE}
    changed = Element(rest | part, "DocumentReference")
    after = changed.parsed("status", read_status)
    if after not in _NEXT[before]:
        raise _unprocessable(f"the status cannot become {after} any more", "status")
    labels = changed.children("securityLabel")
    if not 1 <= len(labels) <= LABELS_MAX:
        raise _unprocessable(f"there must be 1 to {LABELS_MAX} security labels", "securityLabel")
    read = [concept(read_concept(one)) for one in labels]
    return resource | {"status": after.value, "securityLabel": read}


def _expect_version(operation: Operation, resource: Json) -> None:
    if resource["meta"]["versionId"] != orjson.loads(operation.value):
        raise Refusal("the entry has been changed since", code=IssueCode.CONFLICT)


def _apply(operation: Operation, part: Json) -> None:
    match operation.name:
        case "test":
            if _found(part, operation.way) != orjson.loads(operation.value):
                raise _unprocessable("a test of the patch fails", operation.way[0])
        case "remove":
            _remove(part, operation.way)
        case "replace":
            _found(part, operation.way)  # must be there
            _put(part, operation.way, orjson.loads(operation.value), replacing=True)
        case "add":
            _put(part, operation.way, orjson.loads(operation.value))
        case _:
            value = orjson.loads(_json(_found(part, operation.source)))
            if operation.name == "move":
                _remove(part, operation.source)
            _put(part, operation.way, value)


def _found(part: Json, way: tuple[str, ...]) -> Any:
    place: Any = part
    for step in way:
        if isinstance(place, dict) and step in place:
            place = place[step]
        elif isinstance(place, list) and _INDEX.fullmatch(step) and int(step) < len(place):
            place = place[int(step)]
        else:
            raise _unprocessable("a path of the patch leads nowhere", way[0])
    return place


def _remove(part: Json, way: tuple[str, ...]) -> None:
    _found(part, way)
    within = _found(part, way[:-1])
    del within[int(way[-1]) if isinstance(within, list) else way[-1]]


def _put(part: Json, way: tuple[str, ...], value: Any, *, replacing: bool = False) -> None:
    within, last = _found(part, way[:-1]), way[-1]
    if isinstance(within, dict):
        within[last] = value
    elif not isinstance(within, list):
        raise _unprocessable("a path of the patch leads nowhere", way[0])
    elif last == "-":
        within.append(value)
    elif not _INDEX.fullmatch(last) or int(last) > len(within):
        raise _unprocessable("a path of the patch leads nowhere", way[0])
    elif replacing:
        within[int(last)] = value
    else:
        within.insert(int(last), value)


def _unprocessable(reason: str, name: str) -> Refusal:
    expression = f"DocumentReference.{name}"
    return Refusal(reason, code=IssueCode.BUSINESS_RULE, expression=expression)
