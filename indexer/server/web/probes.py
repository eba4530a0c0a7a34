"""What watches the index: is it alive, is it ready, what has it done."""

import asyncio

from fastapi import APIRouter
from starlette.responses import PlainTextResponse, Response

from gateway.errors import Unavailable
from gateway.storage.database import Database
from indexer.server.telemetry import IndexMetrics

CHECK_S_MAX = 5.0
"""How long the database may take to answer; longer, and the index is not ready."""


def probes(database: Database, metrics: IndexMetrics) -> APIRouter:
    """The probes of one index."""
    router = APIRouter(default_response_class=PlainTextResponse)

    @router.get("/health/live")
    async def live() -> str:
        """The process answers."""
        return "live"

    @router.get("/health/ready")
    async def ready() -> Response:
        """The database answers: submissions can be taken."""
        try:
            async with asyncio.timeout(CHECK_S_MAX):
                await database.read(lambda tx: tx.fetch("SELECT 1 AS answer"))
        except (Unavailable, TimeoutError):
            return PlainTextResponse("the database does not answer", status_code=503)
        return PlainTextResponse("ready")

    router.add_api_route("/metrics", metrics.exposition, methods=["GET"])
    return router
