"""The update of an entry's metadata (PDSm, flows 03 and 04): a JSON Patch (RFC 6902) of its status.

PDSm lets a publisher change status, confidentiality and archiving. One change is spoken here, the
withdrawal: `entered-in-error` stands for what the DMP calls Deleted (TD3.3c).
"""

from typing import Final

from indexer.contract.document import EntryStatus
from indexer.wire.outcome import IssueCode, Json, Refusal

OPERATIONS_MAX = 16

_OPERATIONS: Final = frozenset({"add", "remove", "replace", "move", "copy", "test"})
_STATUS: Final = "/status"
_WITHDRAWAL: Final = {"op": "replace", "path": _STATUS, "value": EntryStatus.WITHDRAWN.value}


class NotChangeable(Refusal):
    """The patch is of an element that stays as it was submitted."""


def withdrawal_patch() -> list[Json]:
    """The patch that withdraws an entry."""
    return [dict(_WITHDRAWAL)]


def read_withdrawal(patch: object) -> None:
    """Make sure that a patch withdraws an entry, and does nothing else.

    Raises:
        NotChangeable: it is of another element than the status.
        Refusal: it is no patch, or the status would become something else.
    """
    if not isinstance(patch, list) or not 1 <= len(patch) <= OPERATIONS_MAX:
        reason = f"the body is no list of 1 to {OPERATIONS_MAX} operations"
        raise Refusal(reason, code=IssueCode.STRUCTURE)
    for operation in patch:
        _check(operation)


def _check(operation: object) -> None:
    match operation:
        case {"op": str() as op, "path": str() as path} if op in _OPERATIONS:
            if path != _STATUS:
                raise NotChangeable("only the status can be changed", code=IssueCode.NOT_SUPPORTED)
            if operation != _WITHDRAWAL:
                raise Refusal(
                    f"the status can only be replaced by {EntryStatus.WITHDRAWN}",
                    code=IssueCode.BUSINESS_RULE,
                    expression="DocumentReference.status",
                )
        case _:
            raise Refusal("an operation lacks its op or its path", code=IssueCode.STRUCTURE)
