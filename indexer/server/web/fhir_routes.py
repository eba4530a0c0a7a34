"""What the index gives and changes by FHIR: ITI-66, 67 and 68 (IHE MHD), and PDSm's update."""

import logging
from collections.abc import Sequence
from typing import Annotated

import orjson
from fastapi import APIRouter, Depends, FastAPI, Request, Response

from gateway.errors import NotFound
from indexer.contract.errors import InvalidValue
from indexer.server.access.policy import caller_of
from indexer.server.custody.custodian import Custodian
from indexer.server.registry.registry import HeldDocument, HeldEntry
from indexer.server.web.capability import capability_statement
from indexer.server.web.http import (
    address,
    etag,
    fhir_base,
    is_lenient,
    parse_parameters,
    read_form,
    read_patch,
)
from indexer.server.web.negotiation import (
    FhirResponse,
    asks_for_resource,
    needs_fhir,
    require_acceptable,
)
from indexer.wire.fhir.bundles import binary
from indexer.wire.fhir.elements import read_uuid
from indexer.wire.fhir.search import EntrySearch, read_condition, read_search
from indexer.wire.fhir.search_controls import next_page
from indexer.wire.fhir.searchset import searchset
from indexer.wire.fhir.set_search import SetSearch, read_set_search
from indexer.wire.outcome import Json

log = logging.getLogger(__name__)


async def _object_id(id: str) -> str:
    """The id of a path; what is no UUID names nothing here."""
    try:
        return read_uuid(id)
    except InvalidValue as error:
        raise NotFound("the index holds nothing by this id") from error


ObjectId = Annotated[str, Depends(_object_id)]


class FhirRoutes:
    """The endpoints."""

    def __init__(self, custodian: Custodian) -> None:
        self._custodian = custodian

    def add_to(self, app: FastAPI) -> None:
        """Put the endpoints at their addresses."""
        app.include_router(self._router())

    def _router(self) -> APIRouter:
        router = APIRouter(prefix="/fhir", default_response_class=Response)
        fhir = [Depends(needs_fhir)]
        router.add_api_route("/metadata", self.metadata, methods=["GET"], dependencies=fhir)
        place = "/DocumentReference"
        router.add_api_route(place, self.find, methods=["GET"], dependencies=fhir)
        router.add_api_route(
            f"{place}/_search", self.find_by_form, methods=["POST"], dependencies=fhir
        )
        router.add_api_route(f"{place}/{{id}}", self.entry, methods=["GET"], dependencies=fhir)
        router.add_api_route(place, self.update_document, methods=["PATCH"], dependencies=fhir)
        router.add_api_route(f"{place}/{{id}}", self.update, methods=["PATCH"], dependencies=fhir)
        router.add_api_route("/List", self.find_sets, methods=["GET"], dependencies=fhir)
        router.add_api_route(
            "/List/_search", self.find_sets_by_form, methods=["POST"], dependencies=fhir
        )
        router.add_api_route("/List/{id}", self.submission_set, methods=["GET"], dependencies=fhir)
        router.add_api_route("/Binary/{id}", self.document, methods=["GET"])
        return router

    async def find(self, request: Request) -> Response:
        """Find Document References (ITI-67) by address; see `find_by_form`."""
        return await self._find(request, parse_parameters(request.url.query))

    async def find_by_form(self, request: Request) -> Response:
        """Find Document References (ITI-67) by form, which keeps identities out of addresses."""
        return await self._find(request, await read_form(request))

    async def _find(self, request: Request, parameters: list[tuple[str, str]]) -> Response:
        search = read_search(parameters, lenient=is_lenient(request))
        found, more = await self._custodian.find(caller_of(request), search)
        base = fhir_base(request)
        return _searchset(
            f"{base}/DocumentReference",
            [(one.entry_id, _addressed(one, base)) for one in found],
            search,
            more=more,
        )

    async def entry(self, request: Request, entry_id: ObjectId) -> Response:
        """Read one DocumentReference."""
        held = await self._custodian.entry(caller_of(request), entry_id)
        return _versioned(_addressed(held, fhir_base(request)))

    async def update(self, request: Request, entry_id: ObjectId) -> Response:
        """Update the metadata of an entry (PDSm, flow 03), durably."""
        operations = await read_patch(request)
        held = await self._custodian.update(caller_of(request), entry_id, operations)
        return _updated(held, fhir_base(request))

    async def update_document(self, request: Request) -> Response:
        """The same of the entry that a condition names by its unique id, as PDSm would have it."""
        unique_id = read_condition(parse_parameters(request.url.query))
        operations = await read_patch(request)
        held = await self._custodian.update_document(caller_of(request), unique_id, operations)
        return _updated(held, fhir_base(request))

    async def submission_set(self, request: Request, set_id: ObjectId) -> Response:
        """Read the List of a submission."""
        held = await self._custodian.submission_set(caller_of(request), set_id)
        return FhirResponse(orjson.loads(held.resource))

    async def find_sets(self, request: Request) -> Response:
        """Find Document Lists (ITI-66) by address; see `find_sets_by_form`."""
        return await self._find_sets(request, parse_parameters(request.url.query))

    async def find_sets_by_form(self, request: Request) -> Response:
        """Find Document Lists (ITI-66) by form, which keeps identities out of addresses."""
        return await self._find_sets(request, await read_form(request))

    async def _find_sets(self, request: Request, parameters: list[tuple[str, str]]) -> Response:
        search = read_set_search(parameters, lenient=is_lenient(request))
        found, more = await self._custodian.find_sets(caller_of(request), search)
        return _searchset(
            f"{fhir_base(request)}/List",
            [(one.set_id, orjson.loads(one.resource)) for one in found],
            search,
            more=more,
        )

    async def document(self, request: Request, entry_id: ObjectId) -> Response:
        """Retrieve Document (ITI-68): its bytes, in its media type.

        A superseded document is given too. MHD lets an index answer 410 for it; yet a gateway that
        replaces a pointer may have to read the one that it replaced. Of a withdrawn one 410 it is.
        """
        held = await self._custodian.document(caller_of(request), entry_id)
        return _given(held, request)

    async def metadata(self, request: Request) -> Response:
        """What the index can do (R4 §3.1.0.7)."""
        return FhirResponse(capability_statement(fhir_base(request)))


def _searchset(
    place: str,
    found: Sequence[tuple[str, Json]],
    search: EntrySearch | SetSearch,
    *,
    more: bool,
) -> Response:
    """One page of what was found, each with its id."""
    heeded = search.parameters
    bundle = searchset(
        [(f"{place}/{one_id}", resource) for one_id, resource in found],
        self_url=address(place, heeded),
        next_url=address(place, next_page(heeded, found[-1][0])) if more else "",
        whole=search.after is None,
    )
    return FhirResponse(bundle)


def _given(held: HeldDocument, request: Request) -> Response:
    """A document as it is, or within a resource for who asks for that."""
    if asks_for_resource(request):
        return FhirResponse(binary(held.content, mime_type=held.mime_type))
    require_acceptable(request, held.mime_type)
    return Response(
        held.content,
        headers={"Content-Type": held.mime_type, "X-Content-Type-Options": "nosniff"},
    )


def _updated(held: HeldEntry, base: str) -> Response:
    """The answer to an update, which is durable by now (PDSm, flow 04)."""
    log.info("entry_updated", extra={"entry": held.entry_id, "status": held.resource["status"]})
    return _versioned(_addressed(held, base))


def _versioned(resource: Json) -> Response:
    """A resource with the headers that tell its version (R4 §3.1.0.5)."""
    return FhirResponse(resource, headers={"ETag": etag(resource["meta"]["versionId"])})


def _addressed(held: HeldEntry, base: str) -> Json:
    """The resource with the address that its document has for this caller."""
    held.resource["content"][0]["attachment"]["url"] = f"{base}/Binary/{held.entry_id}"
    return held.resource
