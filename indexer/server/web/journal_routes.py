"""The journal as its record's holder reads it: AuditEvents by patient, the latest first."""

from fastapi import APIRouter, Depends, FastAPI, Request, Response

from indexer.server.access.policy import caller_of
from indexer.server.custody.custodian import Custodian
from indexer.server.journal.audit_event import audit_event
from indexer.server.web.http import address, fhir_base, read_form
from indexer.server.web.negotiation import FhirResponse, needs_fhir
from indexer.wire.fhir.journal_search import read_journal_search
from indexer.wire.fhir.search_controls import next_page
from indexer.wire.fhir.searchset import searchset


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
        form = await read_form(request)
        search = read_journal_search(form)
        page, more = await self._custodian.journal(caller_of(request), search)
        place = f"{fhir_base(request)}/AuditEvent"
        next_url = ""
        if more:
            next_url = address(f"{place}/_search", next_page(form, str(page[-1].position)))
        found = [(one.hash.hex(), audit_event(one, search.patient)) for one in page]
        bundle = searchset(
            [(f"{place}/{event_id}", event) for event_id, event in found],
            self_url=f"{place}/_search",
            next_url=next_url,
        )
        return FhirResponse(bundle)
