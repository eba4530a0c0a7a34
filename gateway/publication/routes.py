"""`/api/studies`, `/api/set-aside`, `/api/submissions`: where everything stands, for operators."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Annotated, Literal

import orjson
from fastapi import APIRouter, Query
from starlette.responses import Response

from gateway.catalogue.standings import Standings
from gateway.errors import NotFound
from gateway.model.event import Event
from gateway.publication.explanations import told_of
from gateway.publication.outbox import Outbox
from gateway.publication.people import StudyUid
from gateway.publication.rows import explained, standing, timed
from gateway.storage.database import Database
from indexer.contract.identifiers import Uid

Limit = Annotated[int, Query(ge=1, le=1000)]
Offset = Annotated[int, Query(ge=0, le=2**31)]
State = Literal["waiting", "queued", "published", "no_record", "set_aside", "withheld"]


def operator_routes(database: Database, standings: Standings, outbox: Outbox) -> APIRouter:
    """The routes of an operator who watches publication."""
    router = APIRouter(prefix="/api", tags=["operator"])

    _add_studies(router, database, standings)

    @router.get("/set-aside")
    async def list_set_aside(limit: Limit = 100, offset: Offset = 0) -> Response:
        """Studies that a person must look at, with the reason and what to do."""
        rows = await database.read(
            lambda tx: standings.page(tx, state="set_aside", count_max=limit, offset=offset)
        )
        named = ("study_uid", "code", "reason", "since")
        told = [{name: timed(row)[name] for name in named} for row in rows]
        return _json("set_aside", [explained(row) for row in told])

    @router.get("/submissions")
    async def list_submissions(limit: Limit = 100, offset: Offset = 0) -> Response:
        """What was sent, or is to be sent, to the index; the latest first."""
        rows = await database.read(lambda tx: outbox.page(tx, count_max=limit, offset=offset))
        return _json("submissions", [timed(row) for row in rows])

    return router


def _add_studies(router: APIRouter, database: Database, standings: Standings) -> None:
    """Where studies stand, and what happened to each."""

    @router.get("/studies")
    async def list_studies(
        state: State | None = None, limit: Limit = 100, offset: Offset = 0
    ) -> Response:
        """Studies with where they stand and why, the latest change first."""
        rows = await database.read(
            lambda tx: standings.page(tx, state=state, count_max=limit, offset=offset)
        )
        return _json("studies", [standing(row) for row in rows])

    @router.get("/studies/{study_uid}")
    async def show_study(study_uid: StudyUid) -> Response:
        """Where one study stands, as the list of all shows it."""
        rows = await database.read(
            lambda tx: standings.page(tx, study=Uid(study_uid), count_max=1, offset=0)
        )
        if not rows:
            raise NotFound("nothing is known of this study")
        return Response(orjson.dumps(standing(rows[0])), media_type="application/json")

    @router.get("/studies/{study_uid}/history")
    async def show_history(
        study_uid: StudyUid, limit: Limit = 1000, offset: Offset = 0
    ) -> Response:
        """What happened to a study, oldest first."""
        rows = await database.read(
            lambda tx: standings.history.of(tx, Uid(study_uid), count_max=limit, offset=offset)
        )
        if not rows and not offset:
            raise NotFound("nothing is known of this study")
        told = [timed(row) for row in rows]
        texts = [told_of(Event(str(row["event"])), str(row["code"])) for row in told]
        return _json(
            "history",
            [row | {"text": asdict(text)} for row, text in zip(told, texts, strict=True)],
        )


def _json(name: str, rows: Sequence[Mapping[str, object]]) -> Response:
    return Response(orjson.dumps({name: rows}), media_type="application/json")
