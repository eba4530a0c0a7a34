"""The journal as its record's holder reads it: AuditEvents by patient, the latest first."""

from dataclasses import dataclass
from typing import Final

from fastapi import APIRouter, Depends, FastAPI, Request, Response

from indexer.contract.errors import InvalidValue
from indexer.contract.identifiers import Ins, Oid
from indexer.server.access import caller_of
from indexer.server.custodian import Custodian
from indexer.server.http import address, fhir_base, read_form
from indexer.server.journal.audit_event import audit_event
from indexer.server.negotiation import FhirResponse, needs_fhir
from indexer.wire.elements import read_uri_oid
from indexer.wire.outcome import IssueCode, Refusal
from indexer.wire.searchset import searchset

PAGE_EVENTS: Final = 100
PAGE_EVENTS_MAX: Final = 500

_PATIENT: Final = "patient.identifier"
_BEFORE: Final = "_before"
_COUNT: Final = "_count"
_DIGITS_MAX: Final = 18  # of a number that a column can hold
_NEVER: Final = 10**_DIGITS_MAX


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalSearch:
    """A page of a record's journal."""

    patient: Ins
    before: int
    """Position that is not reached any more."""
    count_max: int


class JournalRoutes:
    """The one address. By form alone, for an address is no place for an identity."""

    def __init__(self, custodian: Custodian) -> None:
        self._custodian = custodian

    def add_to(self, app: FastAPI) -> None:
        """Put the endpoint at its address."""
        router = APIRouter(prefix="/fhir", default_response_class=Response)
        router.add_api_route(
            "/AuditEvent/_search",
            self.find,
            methods=["POST"],
            dependencies=[Depends(needs_fhir)],
        )
        app.include_router(router)

    async def find(self, request: Request) -> Response:
        """One page. That of the next is asked by the same form, at the address that is named."""
        search = read_journal_search(await read_form(request))
        lines = await self._custodian.journal(
            caller_of(request),
            search.patient,
            before=search.before,
            count_max=search.count_max + 1,
        )
        page = lines[: search.count_max]
        place = f"{fhir_base(request)}/AuditEvent"
        next_url = ""
        if len(lines) > len(page):
            told = [(_COUNT, str(search.count_max)), (_BEFORE, str(page[-1].position))]
            next_url = address(f"{place}/_search", told)
        found = [(one.hash.hex(), audit_event(one, search.patient)) for one in page]
        bundle = searchset(
            [(f"{place}/{event_id}", event) for event_id, event in found],
            self_url=f"{place}/_search",
            next_url=next_url,
        )
        return FhirResponse(bundle)


def read_journal_search(parameters: list[tuple[str, str]]) -> JournalSearch:
    """The search that parameters ask for; of two of one name the one of the form counts.

    Raises:
        Refusal: a parameter is unknown, malformed or absent.
    """
    told = dict(reversed(parameters))
    if unknown := told.keys() - {_PATIENT, _BEFORE, _COUNT, "_format"}:
        raise Refusal(
            f"{len(unknown)} of the parameters are not searched by here",
            code=IssueCode.NOT_SUPPORTED,
        )
    if _PATIENT not in told:
        raise Refusal(f"{_PATIENT} is missing", code=IssueCode.REQUIRED)
    return JournalSearch(
        patient=_patient(told[_PATIENT]),
        before=_number(told, _BEFORE, _NEVER),
        count_max=min(_number(told, _COUNT, PAGE_EVENTS), PAGE_EVENTS_MAX),
    )


def _patient(token: str) -> Ins:
    system, _, value = token.rpartition("|")
    try:
        return Ins(value=value, oid=Oid(read_uri_oid(system)))
    except InvalidValue as error:
        raise Refusal(f"{_PATIENT} is refused: {error}", code=IssueCode.VALUE) from error


def _number(told: dict[str, str], name: str, otherwise: int) -> int:
    text = told.get(name, str(otherwise))
    if not (text.isascii() and text.isdecimal() and len(text) <= _DIGITS_MAX + 1 and int(text)):
        raise Refusal(f"{name} is no number from 1", code=IssueCode.VALUE)
    return int(text)
