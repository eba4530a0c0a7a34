"""Find Document Lists (ITI-66): its parameters, and what submission sets they ask for."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from indexer.contract.document import Person
from indexer.contract.document_set import SubmissionSet
from indexer.wire.entry_tests import system_of
from indexer.wire.fhir.elements import read_uuid
from indexer.wire.fhir.search_controls import (
    AFTER,
    CONTROLS,
    PATIENT,
    ObjectSearch,
    heeded,
    once,
    read_count,
    read_identifiers,
    read_name_test,
    read_parameter,
    read_patient,
    refuse_unknown,
)
from indexer.wire.fhir.search_values import Parameter, Parameters, Token
from indexer.wire.outcome import IssueCode, Refusal
from indexer.wire.vocabulary import LIST_TYPES, OID_PREFIX, SUBMISSION_SET

Test = Callable[[SubmissionSet], bool]

SOURCES: Final[dict[str, Callable[[Person], str]]] = {
    "source.family": lambda person: person.family,
    "source.given": lambda person: person.given,
}
PARAMETERS: Final = {
    PATIENT: "token",
    "code": "token",
    "status": "token",
    "date": "date",
    "designationType": "token",
    "identifier": "token",
    "sourceId": "token",
    **dict.fromkeys(SOURCES, "string"),
}
"""Each with the type that FHIR gives it."""
_STATUSES: Final = frozenset({"current", "retired", "entered-in-error", "superseded"})
"""MHD has a word of its own for the last but one; no set is ever anything but current."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SetSearch(ObjectSearch):
    """What submission sets an index is asked for."""

    tests: tuple[Test, ...]

    def wants(self, one: SubmissionSet) -> bool:
        """Whether a set is what is asked for, beside its patient and its ids."""
        return all(test(one) for test in self.tests)


def read_set_search(parameters: Parameters, *, lenient: bool = False) -> SetSearch:
    """The search that parameters ask for; see `search.read_search`.

    Raises:
        Refusal: a parameter is unknown, malformed or absent.
    """
    told = []
    for one in map(read_parameter, parameters):
        if one.name in PARAMETERS or one.name in CONTROLS:
            told.append(one)
        elif not lenient:
            raise refuse_unknown(one)
    names = {one.name for one in told}
    if not names & {PATIENT, "identifier", AFTER}:
        raise Refusal(f"{PATIENT} is missing", code=IssueCode.REQUIRED)
    for name in ("code", "status"):
        if name not in names and "identifier" not in names:
            raise Refusal(f"{name} is missing", code=IssueCode.REQUIRED)
    patient, after, count = (once(told, name) for name in (PATIENT, AFTER, "_count"))
    return SetSearch(
        patient=read_patient(patient) if patient else None,
        identifiers=read_identifiers(told),
        after=after.parsed(after.value, read_uuid) if after else None,
        tests=tuple(test for one in told for test in _tests(one)),
        page_max=read_count(count),
        parameters=heeded(parameters, told),
    )


def _tests(one: Parameter) -> list[Test]:
    match one.name:
        case "code":
            told = any(_is_submission_set(token) for token in one.plain().tokens())
            return [lambda _: told]  # no folder is held
        case "status":
            return [_status_test(one.plain())]
        case "date":
            dates = one.plain().dates()
            return [
                lambda told: any(date.meets(told.submitted_at, told.submitted_at) for date in dates)
            ]
        case "designationType":
            types = one.plain().tokens()
            return [lambda told: any(_is_type(told, token) for token in types)]
        case "sourceId":
            codes = {(token.code or "").removeprefix(OID_PREFIX) for token in one.plain().tokens()}
            return [lambda told: told.source_id in codes]
        case "source.family" | "source.given":
            name, meets = SOURCES[one.name], read_name_test(one)
            return [lambda told: meets(name(told.author))]
        case _:
            return []


def _is_submission_set(token: Token) -> bool:
    return token.code in (None, SUBMISSION_SET) and token.system in (None, LIST_TYPES)


def _status_test(one: Parameter) -> Test:
    codes = {token.code for token in one.tokens()}
    if not codes <= _STATUSES:
        raise one.refuse("is no status of a list", IssueCode.VALUE)
    current = "current" in codes
    return lambda _: current


def _is_type(told: SubmissionSet, token: Token) -> bool:
    return token.code in (None, told.content_type.code) and (
        token.system is None or system_of(token.system) == system_of(told.content_type.scheme)
    )
