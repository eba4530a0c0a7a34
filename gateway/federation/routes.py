"""`/api/pointers/search`: a patient's pointers, for viewers."""

from dataclasses import asdict

import orjson
from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict
from starlette.responses import Response

from gateway.federation.resolver import Resolver
from indexer.contract.identifiers import Ins, Oid


class PointerSearch(BaseModel):
    """Whose pointers are wanted. In the body, for an address would be logged on its way."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    ins: str
    """The national health identity: 15 characters, with its key."""
    oid: str
    """Its authority, as 1.2.250.1.213.1.4.8."""


def pointer_routes(resolver: Resolver) -> APIRouter:
    """The routes of the resolver."""
    router = APIRouter(prefix="/api/pointers", tags=["pointers"])

    @router.post("/search")
    async def search(search: PointerSearch, request: Request) -> Response:
        """The current pointers of a patient, newest first."""
        ins = Ins(value=search.ins, oid=Oid(search.oid))
        pointers = await resolver.find(request.state.access, ins)
        body = orjson.dumps({"pointers": [asdict(pointer) for pointer in pointers]})
        return Response(body, media_type="application/json")

    return router
