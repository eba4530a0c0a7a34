"""What a person does about a study: retry, drop, match, confirm its patient, withdraw, lift.

Each asks a reason, is in the study's history, and holds once it is answered.
"""

from collections.abc import Awaitable, Callable
from typing import Annotated

import orjson
from fastapi import APIRouter, Body, Path
from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from starlette.responses import Response

from gateway.catalogue.standings import Standings
from gateway.catalogue.studies import Studies
from gateway.errors import Conflict, InvalidRequest, NotFound
from gateway.model.act import Act, ActKind
from gateway.model.decision import PublicationPolicy
from gateway.model.notification import PersonActed
from gateway.model.report import Report
from gateway.model.speaking import in_force
from gateway.model.study import StudySnapshot
from gateway.publication.comparison import (
    PATIENTS_MAX,
    Patient,
    Reported,
    compared,
    reported_patients,
)
from gateway.publication.rows import address_of, explained, timed
from gateway.storage.database import Database, Row
from indexer.contract.identifiers import UID_LENGTH_MAX, Uid

REASON_CHARS_MAX = 1000
OPERATOR = "operator"  # until people sign in

Reason = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=REASON_CHARS_MAX)
]
UidText = Annotated[
    str, StringConstraints(max_length=UID_LENGTH_MAX, pattern=r"^[0-9]+(\.[0-9]+)*$")
]
StudyUid = Annotated[UidText, Path()]
TakeAct = Callable[[PersonActed], Awaitable[bool]]
"""Returns once the act is durable; False if nothing is known of the study."""


class Why(BaseModel):
    """Why a person does it."""

    model_config = ConfigDict(extra="forbid")

    reason: Reason


class Matching(Why):
    """The study that the report is about."""

    study_uid: UidText


class Confirming(Why):
    """The images' patient who is the reported one; both as `GET /api/set-aside/{study_uid}` tells.

    `patient` is one of its `image_patients`, `reported_patients` are all of them.
    """

    patient: Patient
    reported_patients: Annotated[list[Reported], Field(min_length=1, max_length=PATIENTS_MAX)]


class _Desk:
    """What the routes share: they look a study up, and have an act done."""

    def __init__(
        self,
        database: Database,
        studies: Studies,
        standings: Standings,
        take: TakeAct,
        policy: PublicationPolicy,
    ) -> None:
        self._database = database
        self._studies = studies
        self._standings = standings
        self._take = take
        self._policy = policy

    async def act(self, study: str, kind: ActKind, reason: str, **told: object) -> Response:
        done = Act(kind=kind, reason=reason, by=OPERATOR, **told)  # type: ignore[arg-type]
        if not await self._take(PersonActed(study=Uid(study), act=done)):
            raise NotFound("nothing is known of this study")
        return _json({"done": address_of(kind)})

    async def known(self, study: str) -> StudySnapshot:
        found = await self._database.read(lambda tx: self._studies.snapshot(tx, Uid(study)))
        if found is None:
            raise NotFound("nothing is known of this study")
        return found

    def reports(self, snapshot: StudySnapshot) -> list[Report]:
        """What speaks for the study: its reports, or the order in their place."""
        return in_force(snapshot, self._policy)

    async def listed(self, study: Uid) -> Row:
        rows = await self._database.read(
            lambda tx: self._standings.page(
                tx, state="set_aside", study=study, count_max=1, offset=0
            )
        )
        if not rows:
            raise NotFound("the study is not set aside")
        return rows[0]


def acting_routes(
    database: Database,
    studies: Studies,
    standings: Standings,
    *,
    take: TakeAct,
    policy: PublicationPolicy,
) -> APIRouter:
    """The routes of an operator who decides."""
    router = APIRouter(prefix="/api", tags=["operator"])
    desk = _Desk(database, studies, standings, take, policy)
    _add_simple_acts(router, desk)

    @router.get("/set-aside/{study_uid}")
    async def show(study_uid: StudyUid) -> Response:
        """One study that a person must look at, with both identities side by side."""
        snapshot = await desk.known(study_uid)
        row = await desk.listed(snapshot.study)
        return _json(explained(timed(row)) | compared(snapshot, desk.reports(snapshot)))

    @router.post("/set-aside/{study_uid}/match")
    async def match(study_uid: StudyUid, told: Matching) -> Response:
        """The reports on this study are about another one, which is known."""
        if told.study_uid == study_uid:
            raise InvalidRequest("a study is not matched to itself")
        await desk.listed(Uid(study_uid))
        try:
            return await desk.act(
                told.study_uid, ActKind.MATCH, told.reason, reported_as=Uid(study_uid)
            )
        except NotFound:
            raise NotFound("nothing is known of the study to match to (body.study_uid)") from None

    @router.post("/set-aside/{study_uid}/confirm-patient")
    async def confirm(study_uid: StudyUid, told: Annotated[Confirming, Body()]) -> Response:
        """The images' patient is the one that the report names now. It makes no INS qualified."""
        snapshot = await desk.known(study_uid)
        patient = told.patient.image_patient
        if patient not in {image.patient for image in snapshot.told}:
            raise Conflict("the images do not name this patient: look again")
        reported = tuple(dict.fromkeys(one.patient for one in desk.reports(snapshot)))
        if told.reported_patients != reported_patients(reported):
            raise Conflict("the reports or orders do not name these patients: look again")
        return await desk.act(
            study_uid, ActKind.CONFIRM_PATIENT, told.reason, patient=patient, reported=reported
        )

    return router


def _add_simple_acts(router: APIRouter, desk: _Desk) -> None:
    """Those that need no more than a reason."""

    @router.post("/set-aside/{study_uid}/retry")
    async def retry(study_uid: StudyUid, why: Why) -> Response:
        """Look at the study again, as if all news of it had just come."""
        return await desk.act(study_uid, ActKind.RETRY, why.reason)

    @router.post("/set-aside/{study_uid}/drop")
    async def drop(study_uid: StudyUid, why: Why) -> Response:
        """Leave the study unpublished, until a later report or order speaks of it."""
        await desk.listed(Uid(study_uid))
        return await desk.act(study_uid, ActKind.DROP, why.reason)

    @router.post("/studies/{study_uid}/withdraw")
    async def withdraw(study_uid: StudyUid, why: Why) -> Response:
        """Take the pointer back and refuse the images, at once, until it is lifted."""
        return await desk.act(study_uid, ActKind.WITHDRAW, why.reason)

    @router.post("/studies/{study_uid}/lift")
    async def lift(study_uid: StudyUid, why: Why) -> Response:
        """End what a withdrawal by a person began."""
        return await desk.act(study_uid, ActKind.LIFT, why.reason)


def _json(told: dict[str, object]) -> Response:
    return Response(orjson.dumps(told), media_type="application/json")
