"""A record as its holder takes it along: `POST /api/records/extract`, identity in the body."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from enum import StrEnum

from fastapi import FastAPI, Request, Response
from starlette.responses import StreamingResponse

from gateway.telemetry import NamedRoute
from indexer.contract.document_set import DocumentSet
from indexer.server.access.policy import caller_of
from indexer.server.custody.custodian import Custodian
from indexer.server.custody.extraction import written_archive, written_bundle
from indexer.server.web.http import fhir_base, patient_in, read_json
from indexer.wire.outcome import IssueCode, Json, Refusal
from indexer.wire.vocabulary import JSON_MEDIA_TYPE

REQUEST_BYTES_MAX = 1024


class Form(StrEnum):
    """What a record is written as."""

    XDM = "xdm"
    FHIR = "fhir"


class ExtractionRoutes:
    """The one address."""

    def __init__(self, custodian: Custodian) -> None:
        self._custodian = custodian

    def add_to(self, app: FastAPI) -> None:
        """Put the endpoint at its address; what it streams is described by hand."""
        path = "/api/records/extract"
        app.router.routes.append(NamedRoute(path, self.extract, methods=["POST"]))
        described = {"summary": "Extract a record", "responses": {"200": {"description": "All"}}}
        app.openapi()["paths"][path] = {"post": described}

    async def extract(self, request: Request) -> Response:
        """What the holder may see of their record, once the journal tells that they took it."""
        told = await read_json(request, bytes_max=REQUEST_BYTES_MAX)
        patient, form = patient_in(told), _form(told)
        sets = await self._custodian.extract(caller_of(request), patient)
        media_type = "application/zip" if form is Form.XDM else JSON_MEDIA_TYPE
        name = "dossier.zip" if form is Form.XDM else "dossier.json"
        return StreamingResponse(
            self._written(sets, form, fhir_base(request)),
            media_type=media_type,
            headers={
                "Content-Disposition": f'attachment; filename="{name}"',
                "Cache-Control": "no-store",
            },
        )

    def _written(self, sets: list[DocumentSet], form: Form, base: str) -> AsyncIterator[bytes]:
        read = self._custodian.extracted
        if form is Form.XDM:
            return written_archive(sets, read)
        return written_bundle(sets, read, base=base, now=datetime.now(UTC))


def _form(told: Json) -> Form:
    try:
        return Form(told.get("format", Form.XDM))
    except ValueError as error:
        raise Refusal("format is to be xdm or fhir", code=IssueCode.VALUE) from error
