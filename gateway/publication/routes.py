"""`/api/studies`, `/api/set-aside`, `/api/submissions`: where everything stands, for operators."""

from typing import Annotated, Literal

import orjson
from fastapi import APIRouter, Query
from starlette.responses import Response

from gateway.catalogue.standings import Standings
from gateway.clock import at
from gateway.publication.outbox import Outbox
from gateway.storage.database import Database, Param, Row

Limit = Annotated[int, Query(ge=1, le=1000)]
Offset = Annotated[int, Query(ge=0, le=2**31)]
State = Literal["waiting", "queued", "published", "set_aside", "withheld"]


def operator_routes(database: Database, standings: Standings, outbox: Outbox) -> APIRouter:
    """The routes of an operator who watches publication."""
    router = APIRouter(prefix="/api", tags=["operator"])

    @router.get("/studies")
    async def list_studies(
        state: State | None = None, limit: Limit = 100, offset: Offset = 0
    ) -> Response:
        """Studies with where they stand and why, the latest change first."""
        rows = await database.read(
            lambda tx: standings.page(tx, state=state, count_max=limit, offset=offset)
        )
        return _json("studies", [_timed(row) for row in rows])

    @router.get("/set-aside")
    async def list_set_aside(limit: Limit = 100, offset: Offset = 0) -> Response:
        """Studies that a person must look at, with the reason and what to do."""
        rows = await database.read(
            lambda tx: standings.page(tx, state="set_aside", count_max=limit, offset=offset)
        )
        named = ("study_uid", "code", "reason", "since")
        return _json("set_aside", [{name: _timed(row)[name] for name in named} for row in rows])

    @router.get("/submissions")
    async def list_submissions(limit: Limit = 100, offset: Offset = 0) -> Response:
        """What was sent, or is to be sent, to the index; the latest first."""
        rows = await database.read(lambda tx: outbox.page(tx, count_max=limit, offset=offset))
        return _json("submissions", [_timed(row) for row in rows])

    return router


def _timed(row: Row) -> dict[str, Param]:
    """The row with its times as ISO 8601 in UTC: a column `since_ms` becomes `since`."""
    told: dict[str, Param] = {}
    for name, value in row.items():
        if not name.endswith("_ms"):
            told[name] = value
        else:
            moment = at(value).isoformat() if isinstance(value, int) else None
            told[name.removesuffix("_ms")] = moment
    return told


def _json(name: str, rows: list[dict[str, Param]]) -> Response:
    return Response(orjson.dumps({name: rows}), media_type="application/json")
