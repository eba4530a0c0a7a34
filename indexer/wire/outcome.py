"""Refusals, and the OperationOutcome that carries them (FHIR R4 §OperationOutcome)."""

import re
from enum import StrEnum
from typing import Any

from indexer.contract.errors import InvalidValue

Json = dict[str, Any]

# It is logged, and shown to operators: a text of any other form could name a patient.
_ISSUE_CODE = re.compile(r"[a-z-]{1,64}", re.ASCII)


class IssueCode(StrEnum):
    """Issue types in use here (value set issue-type)."""

    BUSINESS_RULE = "business-rule"
    DELETED = "deleted"
    DUPLICATE = "duplicate"
    EXCEPTION = "exception"
    INVALID = "invalid"
    LOGIN = "login"
    NOT_FOUND = "not-found"
    NOT_SUPPORTED = "not-supported"
    REQUIRED = "required"
    STRUCTURE = "structure"
    TIMEOUT = "timeout"
    TOO_LONG = "too-long"
    TRANSIENT = "transient"
    VALUE = "value"


class Refusal(InvalidValue):
    """What was sent cannot be taken, and would not be if it came again.

    Args:
        reason: what is wrong, without the value that is: it may name a patient.
        code: the issue type that a peer can act on.
        expression: FHIRPath of the element at fault, empty where none is.
    """

    def __init__(self, reason: str, *, code: IssueCode, expression: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.code = code
        self.expression = expression


def operation_outcome(code: IssueCode, reason: str, *, expression: str = "") -> Json:
    """The answer to a request that failed."""
    issue: Json = {"severity": "error", "code": code, "diagnostics": reason}
    if expression:
        issue["expression"] = [expression]
    return {"resourceType": "OperationOutcome", "issue": [issue]}


def read_outcome_code(resource: object) -> str | None:
    """The first issue's type; None if this is no OperationOutcome that says one."""
    match resource:
        case {"resourceType": "OperationOutcome", "issue": [{"code": str() as code}, *_]}:
            return code if _ISSUE_CODE.fullmatch(code) else None
        case _:
            return None
