"""What the index takes by FHIR: ITI-65 and ITI-105 (IHE MHD), whole or not at all.

Resources are plain dictionaries, checked by `indexer.wire`: models of FHIR would cost more than
everything else that a submission needs.
"""

import logging
from datetime import UTC, datetime
from typing import Final
from uuid import uuid4

from fastapi import FastAPI, Request, Response

from gateway.telemetry import NamedRoute
from indexer.contract.document_set import DocumentSet
from indexer.contract.identifiers import Oid, Uid
from indexer.server.access.policy import caller_of
from indexer.server.acts import Exchange
from indexer.server.custody.custodian import Custodian
from indexer.server.web.http import etag, fhir_base, read_resource
from indexer.server.web.negotiation import FhirResponse, require_fhir
from indexer.server.web.xds_routes import REPOSITORY_UID
from indexer.wire.fhir.document_reference import document_reference
from indexer.wire.fhir.simplified_publish import read_publication
from indexer.wire.fhir.transaction import read_transaction, transaction_response
from indexer.wire.outcome import Json
from indexer.wire.vocabulary import JSON_MEDIA_TYPE, XML_MEDIA_TYPE

log = logging.getLogger(__name__)

SOURCE_ID: Final = Oid(REPOSITORY_UID)
"""sourceId of the submission sets that the index makes itself."""

_OBJECT: Final[Json] = {"schema": {"type": "object"}}
_FORMS: Final[Json] = {JSON_MEDIA_TYPE: _OBJECT, XML_MEDIA_TYPE: _OBJECT}


class SubmissionRoutes:
    """The two addresses, with what they share."""

    def __init__(self, custodian: Custodian, *, body_bytes_max: int) -> None:
        self._custodian = custodian
        self._bytes_max = body_bytes_max

    def add_to(self, app: FastAPI) -> None:
        """Put the endpoints at their addresses.

        Submissions come by the thousand, so theirs are plain routes: FastAPI's own work would be a
        fifth of what one costs. They are described by hand instead. ITI-65's comes before all
        others, each of which would else be asked whether it is meant.
        """
        for root in ("/fhir", "/fhir/"):  # FHIR names the base without a slash; clients differ
            app.router.routes.insert(0, NamedRoute(root, self.provide, methods=["POST"]))
        place = "/fhir/DocumentReference"
        app.router.routes.append(NamedRoute(place, self.publish, methods=["POST"]))
        paths = app.openapi()["paths"]
        described = _described("Provide Document Bundle (ITI-65)", "200")
        paths.setdefault("/fhir", {})["post"] = described
        paths.setdefault(place, {})["post"] = _described("Simplified Publish (ITI-105)", "201")

    async def provide(self, request: Request) -> Response:
        """Provide Document Bundle (ITI-65): all of it is held, durably, or nothing is."""
        require_fhir(request)
        # Nothing names the resource: it is let go while it is in the processor's caches, and not
        # held until its batch is durable.
        transaction = read_transaction(await read_resource(request, bytes_max=self._bytes_max))
        held = await self._hold(request, transaction.submitted, Exchange.PROVIDE_BUNDLE)
        return FhirResponse(transaction_response(transaction, held))

    async def publish(self, request: Request) -> Response:
        """Simplified Publish (ITI-105): a document within its metadata; its set is made here."""
        require_fhir(request)
        submitted = read_publication(
            await read_resource(request, bytes_max=self._bytes_max),
            submission_id=Uid(f"2.25.{uuid4().int}"),
            source_id=SOURCE_ID,
            submitted_at=datetime.now(UTC),
        )
        held = await self._hold(request, submitted, Exchange.PUBLISH)
        [document], base = held.documents, fhir_base(request)
        entry_id = document.entry.entry_id
        created = document_reference(
            document.entry,
            attachment_url=f"{base}/Binary/{entry_id}",
            relations=held.associations,
        )
        headers = {"Location": f"{base}/DocumentReference/{entry_id}", "ETag": etag("1")}
        return FhirResponse(created, status_code=201, headers=headers)

    async def _hold(
        self, request: Request, submitted: DocumentSet, exchange: Exchange
    ) -> DocumentSet:
        held = await self._custodian.provide(caller_of(request), submitted, exchange=exchange)
        entries = [one.entry.entry_id for one in held.documents]
        log.info("submission_held", extra={"entries": entries, "set": held.submission_set.set_id})
        return held


def _described(summary: str, status: str) -> Json:
    return {
        "summary": summary,
        "requestBody": {"required": True, "content": _FORMS},
        "responses": {
            status: {"description": "All of it is held", "content": _FORMS},
            "4XX": {"description": "None of it is held", "content": _FORMS},
        },
    }
