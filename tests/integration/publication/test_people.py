"""The operator's list: what waits for a person, and what they do about it, over HTTP."""

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
from aiohttp import ClientSession
from fastapi import FastAPI

from gateway import http_errors
from gateway.model.notification import PersonActed
from gateway.model.report import ReportedStudy, Visibility
from gateway.publication.people import acting_routes
from gateway.publication.routes import operator_routes
from indexer.contract.document import Code, Identifier
from indexer.contract.identifiers import Uid
from tests.support.publishing import Bench, published, states
from tests.support.retrieval import serving
from tests.support.studies import (
    INS,
    LOCAL_ID,
    ON_IMAGES,
    OTHER_INS,
    POLICY,
    STUDY,
    WRITTEN_AT,
    a_patient,
    an_image,
)
from tests.support.telling import tell_announcement, tell_order

SOMEBODY = replace(an_image().patient, local_id=Identifier(value="LOC901"))
OTHER_STUDY = Uid("1.2.250.1.999.1.2")
WHY = {"reason": "seen with the patient"}
AS_TOLD = {
    "local_id": LOCAL_ID.value,
    "authority": LOCAL_ID.authority,
    "name": an_image().patient.name,
    "birth_date": an_image().patient.birth_date,
    "sex": an_image().patient.sex,
}
AS_REPORTED = {
    "ins": INS.value,
    "ins_oid": INS.oid,
    "local_ids": [],
    "birth_name": "EXEMPLE",
    "first_given_name": "CAMILLE",
    "birth_date": "19550517",
    "sex": "M",
    "birth_place": "",
}


class Web:
    """What is answered: the status, and the JSON."""

    def __init__(self, session: ClientSession) -> None:
        self._session = session

    async def get(self, path: str) -> Any:
        async with self._session.get(path) as response:
            assert response.status == 200, await response.text()
            return await response.json()

    async def post(self, path: str, told: object) -> int:
        async with self._session.post(path, json=told) as response:
            return response.status

    async def refused(self, path: str, told: object) -> Any:
        async with self._session.post(path, json=told) as response:
            return await response.json()

    async def confirmation(self) -> dict[str, Any]:
        """What confirms the first patient of the images, as the list shows them now."""
        shown = await self.get(f"/api/set-aside/{STUDY}")
        told = {"patient": shown["image_patients"][0], **WHY}
        return told | {"reported_patients": shown["reported_patients"]}

    async def history(self, study: Uid) -> list[Any]:
        told: list[Any] = (await self.get(f"/api/studies/{study}/history"))["history"]
        return told


@pytest.fixture
async def web(bench: Bench) -> AsyncIterator[Web]:
    stores = bench.stores

    async def take(news: PersonActed) -> bool:
        return await stores.database.write(
            lambda tx: stores.studies.person_acted(tx, news, now_ms=stores.clock.now_ms)
        )

    app = FastAPI()
    http_errors.install(app)
    app.include_router(operator_routes(stores.database, stores.standings, stores.outbox))
    app.include_router(
        acting_routes(
            stores.database, stores.studies, stores.standings, take=take, policy=ON_IMAGES
        )
    )
    async with serving(app) as url, ClientSession(url) as session:
        yield Web(session)


async def of_somebody(bench: Bench) -> None:
    await bench.tell_instance(patient={"local_id": SOMEBODY.local_id})
    await bench.tell_report()
    await bench.come_to_rest()
    assert await states(bench) == ("set_aside", "patient_differs")


async def test_what_waits_is_explained_with_both_identities_side_by_side(bench, web):
    await of_somebody(bench)

    [listed] = (await web.get("/api/set-aside"))["set_aside"]
    shown = await web.get(f"/api/set-aside/{STUDY}")

    assert listed["study_uid"] == STUDY
    assert listed["why"]["fr"].startswith("Les images et le compte rendu")
    assert listed["actions"] == ["confirm-patient", "match", "retry", "drop"]
    assert [one["local_id"] for one in shown["image_patients"]] == ["LOC901"]
    [reported] = shown["reported_patients"]
    assert reported["local_ids"][0]["local_id"] == "LOC900"


async def test_a_confirmed_patient_is_published_and_who_confirmed_is_in_the_history(bench, web):
    await of_somebody(bench)
    told = await web.confirmation()

    answer = await web.post(f"/api/set-aside/{STUDY}/confirm-patient", told)
    await bench.come_to_rest()

    assert answer == 200
    assert await states(bench) == ("published", "")
    acts = [row["detail"] for row in await web.history(STUDY) if row["event"] == "confirm_patient"]
    assert acts == [
        {
            **WHY,
            "by": "operator",
            "patient": {"local_id": "LOC901", "authority": ""},
            "reported": [
                {
                    "ins": INS.value,
                    "local_ids": [{"local_id": "LOC900", "authority": LOCAL_ID.authority}],
                }
            ],
        }
    ]


async def test_a_confirmed_patient_is_not_published_as_somebody_else_later(bench, web, index):
    await of_somebody(bench)
    await web.post(f"/api/set-aside/{STUDY}/confirm-patient", await web.confirmation())
    await bench.come_to_rest()

    other = a_patient(ins=OTHER_INS, local_ids=(Identifier(value="LOC777"),))
    await bench.tell_report(message_digest="m2", version=2, patient=other, announced=other)
    await bench.come_to_rest()

    assert await states(bench) == ("set_aside", "patient_differs")
    assert [index.is_withdrawn(submission) for submission in index.held] == [True]


async def test_without_a_report_the_orders_patient_is_shown_beside_that_of_the_images(
    stores, index, web
):
    bench = Bench(stores, index, policy=ON_IMAGES)
    await bench.tell_instance(patient={"birth_date": "19550518"})
    await tell_order(stores)
    await bench.come_to_rest()

    shown = await web.get(f"/api/set-aside/{STUDY}")

    assert shown["code"] == "patient_differs"
    told = [*shown["image_patients"], *shown["reported_patients"]]
    assert [one["birth_date"] for one in told] == ["19550518", "19550517"]


async def test_what_is_not_set_aside_is_neither_dropped_nor_matched(bench, web):
    await published(bench)
    await tell_announcement(bench.stores, OTHER_STUDY)

    told = {"study_uid": OTHER_STUDY, **WHY}
    answers = [
        await web.post(f"/api/set-aside/{STUDY}/drop", WHY),
        await web.post(f"/api/set-aside/{STUDY}/match", told),
    ]
    await bench.come_to_rest()

    assert answers == [404, 404]
    assert await states(bench) == ("published", "")


async def test_only_a_patient_whom_the_images_name_can_be_confirmed(bench, web):
    await of_somebody(bench)

    told = await web.confirmation() | {"patient": {"local_id": "LOC1"}}

    answer = await web.post(f"/api/set-aside/{STUDY}/confirm-patient", told)

    assert answer == 409


async def test_a_report_that_came_since_somebody_looked_is_not_confirmed_unseen(bench, web):
    await of_somebody(bench)
    seen = await web.confirmation()

    other = a_patient(ins=OTHER_INS)
    await bench.tell_report(message_digest="m2", version=2, patient=other, announced=other)
    refusal = await web.refused(f"/api/set-aside/{STUDY}/confirm-patient", seen)
    seen_now = await web.post(f"/api/set-aside/{STUDY}/confirm-patient", await web.confirmation())

    assert (refusal["status"], refusal["detail"]) == (
        409,
        "the reports or orders do not name these patients: look again",
    )
    assert seen_now == 200


async def test_both_exams_are_shown_where_their_accessions_differ(bench, web):
    elsewhere = (Identifier(value="ACC2", authority="1.2.250.1.999.7"),)
    await bench.tell_instance()
    await bench.tell_instance(2)
    scanner = Code(code="ZCQK002", scheme="1.2.250.1.213.2.5", display="Scanner abdominal")
    told = ReportedStudy(study=STUDY, acts=(scanner,), started_at=WRITTEN_AT)
    await bench.tell_report(accessions=elsewhere, studies=(told,))
    await bench.come_to_rest()

    shown = await web.get(f"/api/set-aside/{STUDY}")

    assert shown["code"] == "accession_differs"
    assert shown["image_exams"] == [
        {
            "accession": "ACC1",
            "authority": "1.2.250.1.999.7",
            "study_date": "20260102",
            "modality": "CT",
            "study_description": "Scanner du crâne",
        }
    ]
    assert shown["reported_exams"] == [
        {
            "accessions": [{"accession": "ACC2", "authority": "1.2.250.1.999.7"}],
            "acts": ["Scanner abdominal"],
            "started_at": WRITTEN_AT.isoformat(),
            "written_at": WRITTEN_AT.isoformat(),
        }
    ]


async def test_a_report_on_a_study_that_nobody_has_is_matched_to_the_one_it_is_about(
    bench, web, index
):
    there = (ReportedStudy(study=OTHER_STUDY),)
    await bench.tell_instance()
    await bench.tell_report(studies=there)
    bench.stores.clock.now_ms += POLICY.images_wait_ms
    await bench.come_to_rest()
    bench.stores.clock.now_ms += POLICY.images_wait_ms
    await bench.come_to_rest()
    assert (await bench.stores.standing(OTHER_STUDY))["code"] == "images_missing"

    answer = await web.post(f"/api/set-aside/{OTHER_STUDY}/match", {"study_uid": STUDY, **WHY})
    await bench.come_to_rest()

    assert answer == 200
    assert await states(bench) == ("published", "")
    assert (await bench.stores.standing(OTHER_STUDY))["code"] == "matched"
    assert (await web.get("/api/set-aside"))["set_aside"] == []
    matched = [row["detail"] for row in await web.history(STUDY) if row["event"] == "match"]
    assert matched == [{**WHY, "by": "operator", "reported_as": OTHER_STUDY}]
    left = [row["detail"] for row in await web.history(OTHER_STUDY) if row["event"] == "matched"]
    assert left == [{**WHY, "by": "operator", "matched_to": STUDY}]

    hidden = frozenset({Visibility.HIDDEN_FROM_PATIENT})
    await bench.tell_report(message_digest="m2", version=2, studies=there, visibility=hidden)
    await bench.come_to_rest()

    assert [len(submission.entry.confidentiality) for submission in index.held] == [1, 2]
    assert (await bench.stores.standing(OTHER_STUDY))["code"] == "matched"


async def test_a_match_with_what_nobody_knows_tells_so(bench, web):
    await of_somebody(bench)

    refusal = await web.refused(f"/api/set-aside/{STUDY}/match", {"study_uid": OTHER_STUDY, **WHY})

    assert (refusal["status"], refusal["detail"]) == (
        404,
        "nothing is known of the study to match to (body.study_uid)",
    )


async def test_one_study_is_shown_as_the_list_of_all_shows_it(bench, web):
    await of_somebody(bench)

    shown = await web.get(f"/api/studies/{STUDY}")

    assert [shown] == (await web.get("/api/studies"))["studies"]
    assert shown["why"]["fr"] == "Les images et le compte rendu désignent des patients différents."
    answer = await web.refused("/api/studies/1.2.3/withdraw", WHY)
    assert (answer["status"], answer["detail"]) == (404, "nothing is known of this study")


async def test_a_dropped_study_leaves_the_list_until_a_message_speaks_of_it(bench, web):
    await of_somebody(bench)

    assert await web.post(f"/api/set-aside/{STUDY}/drop", WHY) == 200
    await bench.come_to_rest()
    assert await states(bench) == ("withheld", "dropped")

    await bench.tell_report(message_digest="m2", version=2)
    await bench.come_to_rest()
    assert await states(bench) == ("set_aside", "patient_differs")


async def test_a_published_study_is_withdrawn_at_once_and_shown_to_nobody(bench, web):
    await bench.tell_instance()
    await bench.tell_report()
    await bench.come_to_rest()

    answer = await web.post(f"/api/studies/{STUDY}/withdraw", WHY)

    assert answer == 200
    assert await shown(bench) == 0
    await bench.come_to_rest()
    assert await states(bench) == ("withheld", "withdrawn_by_person")

    await web.post(f"/api/studies/{STUDY}/lift", WHY)
    await bench.come_to_rest()
    assert await states(bench) == ("published", "")
    assert await shown(bench) == 1


@pytest.mark.parametrize(
    "study, told, status",
    [
        ("1.2.3", WHY, 404),
        (STUDY, {}, 400),
        (STUDY, {"reason": "  "}, 400),
        (STUDY, {"reason": "x" * 1001}, 400),
        ("1.2.x", WHY, 400),
        (STUDY, {**WHY, "by": "me"}, 400),
    ],
)
async def test_an_act_needs_a_study_and_a_reason(bench, web, study, told, status):
    await bench.tell_instance()

    for act in ("studies/{}/withdraw", "set-aside/{}/retry", "set-aside/{}/drop"):
        assert await web.post(f"/api/{act.format(study)}", told) == status


@pytest.mark.parametrize(
    "act, told, told_why",
    [
        ("1.2.3/retry", WHY, (404, "nothing is known of this study")),
        (f"{STUDY}/match", {**WHY, "study_uid": STUDY}, (400, "a study is not matched to itself")),
        (
            f"{STUDY}/confirm-patient",
            {**WHY, "patient": {"local_id": "LOC1"}, "reported_patients": [AS_REPORTED]},
            (409, "the images do not name this patient: look again"),
        ),
        (
            f"{STUDY}/confirm-patient",
            {**WHY, "patient": AS_TOLD, "reported_patients": [AS_REPORTED]},
            (409, "the reports or orders do not name these patients: look again"),
        ),
        (
            f"{STUDY}/confirm-patient",
            {"patient": "LOC1", "reported_patients": [], "reason": 1},
            (
                400,
                "missing or not of the expected form: body.patient (an object), "
                "body.reason (a text), body.reported_patients (too few)",
            ),
        ),
        (
            f"{STUDY}/retry",
            {},
            (400, "missing or not of the expected form: body.reason (missing)"),
        ),
    ],
)
async def test_who_is_refused_is_told_why(bench, web, act, told, told_why):
    await bench.tell_instance()

    refusal = await web.refused(f"/api/set-aside/{act}", told)

    assert (refusal["status"], refusal["detail"]) == told_why


async def shown(bench: Bench) -> object:
    rows = await bench.stores.database.read(
        lambda tx: tx.fetch("SELECT count(*) AS n FROM shown_instances")
    )
    [row] = rows
    return row["n"]
