"""Refusals, in the words of both protocols, and the OperationOutcome that carries them in FHIR."""

import re
from enum import StrEnum
from typing import Any, Final

from indexer.contract.errors import InvalidValue
from indexer.contract.record import RecordState

Json = dict[str, Any]

# It is logged, and shown to operators: a text of any other form could name a patient.
_ISSUE_CODE = re.compile(r"[a-z-]{1,64}", re.ASCII)


class IssueCode(StrEnum):
    """Issue types in use here (value set issue-type)."""

    BUSINESS_RULE = "business-rule"
    CONFLICT = "conflict"
    DELETED = "deleted"
    DUPLICATE = "duplicate"
    EXCEPTION = "exception"
    FORBIDDEN = "forbidden"
    INFORMATIONAL = "informational"
    INVALID = "invalid"
    LOGIN = "login"
    NOT_FOUND = "not-found"
    NOT_SUPPORTED = "not-supported"
    REQUIRED = "required"
    STRUCTURE = "structure"
    SUPPRESSED = "suppressed"
    TIMEOUT = "timeout"
    TOO_COSTLY = "too-costly"
    TOO_LONG = "too-long"
    TRANSIENT = "transient"
    VALUE = "value"


class XdsError(StrEnum):
    """Error codes of XDS.b in use here (ITI TF-3 §4.2.4.1)."""

    DEPRECATED = "XDSRegistryDeprecatedDocumentError"
    DOCUMENT_UNIQUE_ID = "XDSDocumentUniqueIdError"
    DUPLICATE_IN_MESSAGE = "XDSRepositoryDuplicateUniqueIdInMessage"
    DUPLICATE_IN_REGISTRY = "XDSDuplicateUniqueIdInRegistry"
    EXTRA_METADATA = "XDSExtraMetadataNotSaved"
    INVALID_DOCUMENT = "InvalidDocumentContent"
    MISSING_DOCUMENT = "XDSMissingDocument"
    MISSING_METADATA = "XDSMissingDocumentMetadata"
    MISSING_PARAMETER = "XDSStoredQueryMissingParam"
    NON_IDENTICAL_HASH = "XDSNonIdenticalHash"
    NON_IDENTICAL_SIZE = "XDSNonIdenticalSize"
    NOT_SINGLE_PATIENT = "XDSResultNotSinglePatient"
    PARAMETER_NUMBER = "XDSStoredQueryParamNumber"
    PATIENT_DOES_NOT_MATCH = "XDSPatientIdDoesNotMatch"
    REGISTRY_BUSY = "XDSRegistryBusy"
    REGISTRY_ERROR = "XDSRegistryError"
    REGISTRY_METADATA = "XDSRegistryMetadataError"
    REPOSITORY_BUSY = "XDSRepositoryBusy"
    REPOSITORY_ERROR = "XDSRepositoryError"
    REPOSITORY_METADATA = "XDSRepositoryMetadataError"
    REPOSITORY_RESOURCES = "XDSRepositoryOutOfResources"
    TOO_MANY_RESULTS = "XDSTooManyResults"
    UNKNOWN_PATIENT = "XDSUnknownPatientId"
    UNKNOWN_QUERY = "XDSUnknownStoredQuery"
    UNKNOWN_REPOSITORY = "XDSUnknownRepositoryId"
    UNRESOLVED_REFERENCE = "UnresolvedReferenceException"
    UPDATE = "XDSMetadataUpdateError"
    UPDATE_OPERATION = "XDSMetadataUpdateOperationError"


class Refusal(InvalidValue):
    """What was sent cannot be taken, and would not be if it came again.

    Args:
        reason: what is wrong, without the value that is: it may name a patient.
        code: the issue type that a peer can act on.
        expression: FHIRPath of the element at fault, empty where none is.
        error: what XDS.b calls it; None where its own reader does not say.
        record: why there is no record to do it in; None where that is not what is wrong.
    """

    def __init__(
        self,
        reason: str,
        *,
        code: IssueCode,
        expression: str = "",
        error: XdsError | None = None,
        record: RecordState | None = None,
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.code = code
        self.expression = expression
        self.error = error
        self.record = record


def xds_refusal(reason: str, error: XdsError) -> Refusal:
    """The refusal of what came by XDS.b."""
    return Refusal(reason, code=IssueCode.INVALID, error=error)


_FORBIDDEN: Final = "forbidden"


def forbidden_refusal(reason: str) -> Refusal:
    """The refusal of what who asks may not do.

    XDS.b has no code of its own for it: there it is told by the first word of codeContext.
    """
    return Refusal(f"{_FORBIDDEN}: {reason}", code=IssueCode.FORBIDDEN)


def is_forbidden(context: str) -> bool:
    """Whether the codeContext of an error of XDS.b says that who asks may not."""
    return _first_word(context) == _FORBIDDEN


NO_RECORD: Final = {
    RecordState.ABSENT: "no-record",
    RecordState.CLOSED: "record-closed",
    RecordState.REFUSED: "holder-refuses",
}
"""Neither protocol has words for it: by FHIR these are codes of ours, by XDS.b each is the first
word of codeContext."""
NO_RECORD_SYSTEM: Final = "urn:oid:2.25.182962912856265941718663130209030244409"
_STATES: Final = {word: state for state, word in NO_RECORD.items()}
_WHY: Final = {
    RecordState.ABSENT: "the patient has no record",
    RecordState.CLOSED: "the patient's record is closed",
    RecordState.REFUSED: "the holder of the record refuses",
}


def no_record_refusal(state: RecordState) -> Refusal:
    """The refusal of what would go into a record that takes nothing; not for `OPEN`."""
    absent, refused = state is RecordState.ABSENT, state is RecordState.REFUSED
    return Refusal(
        f"{NO_RECORD[state]}: {_WHY[state]}",
        code=IssueCode.NOT_FOUND if absent else IssueCode.SUPPRESSED,
        error=XdsError.REPOSITORY_ERROR if refused else XdsError.UNKNOWN_PATIENT,
        record=state,
    )


def operation_outcome(
    code: IssueCode, reason: str, *, expression: str = "", record: RecordState | None = None
) -> Json:
    """The answer to a request that failed."""
    issue: Json = {"severity": "error", "code": code, "diagnostics": reason}
    if expression:
        issue["expression"] = [expression]
    if record is not None:
        issue["details"] = {"coding": [{"system": NO_RECORD_SYSTEM, "code": NO_RECORD[record]}]}
    return {"resourceType": "OperationOutcome", "issue": [issue]}


def warning(expression: str, what: str, *, details: str = "") -> Json:
    """An issue of what was done, though not as its sender may have meant it.

    Args:
        expression: FHIRPath of the element in question.
        what: what became of it.
        details: the standard's own word, if it has one.
    """
    issue: Json = {
        "severity": "warning",
        "code": IssueCode.NOT_SUPPORTED,
        "diagnostics": f"{expression} {what}",
        "expression": [expression],
    }
    if details:
        issue["details"] = {"text": details}
    return issue


def outcome_of(issues: list[Json]) -> Json:
    """The OperationOutcome of several issues."""
    return {"resourceType": "OperationOutcome", "issue": issues}


def read_outcome_code(resource: object) -> str | None:
    """The first issue's type; None if this is no OperationOutcome that says one."""
    match resource:
        case {"resourceType": "OperationOutcome", "issue": [{"code": str() as code}, *_]}:
            return code if _ISSUE_CODE.fullmatch(code) else None
        case _:
            return None


def read_no_record(resource: object) -> RecordState | None:
    """Why there is no record, if this is an OperationOutcome that says so."""
    match resource:
        case {"issue": [{"details": {"coding": [{"system": system, "code": str() as word}]}}, *_]}:
            return _STATES.get(word) if system == NO_RECORD_SYSTEM else None
        case _:
            return None


def read_no_record_word(context: str) -> RecordState | None:
    """Why there is no record, if the codeContext of an error of XDS.b begins by saying so."""
    return _STATES.get(_first_word(context))


def _first_word(context: str) -> str:
    return context.partition(":")[0].strip()
