"""Where a centre publishes on images, orders and admissions speak until a report does."""

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from simulators.imaging_centre.admissions import build_adt
from simulators.imaging_centre.hl7 import Header
from simulators.imaging_centre.mllp import Message
from simulators.imaging_centre.orders import build_omi, build_orm
from simulators.synthetic.examination import TIME_ZONE
from simulators.synthetic.identity import RADIOLOGIST, make_patient
from tests.support.world import SEED, World, a_world, until

NOON = datetime(2026, 1, 2, 12, tzinfo=TIME_ZONE)
HEADER = Header(sent_at=NOON)
LATER = Header(sent_at=NOON + timedelta(hours=1))
SETTINGS = {
    "GATEWAY_PUBLISH_ON": "images",
    "GATEWAY_AUTHOR_ID": RADIOLOGIST.number,
    "GATEWAY_AUTHOR_NAME": f"{RADIOLOGIST.family}^{RADIOLOGIST.given}",
    "GATEWAY_FACILITY_CODE": "SA08",
    "GATEWAY_PRACTICE_SETTING_CODE": "AMBULATOIRE",
    "GATEWAY_REGION_CODE": "67734004",
    "GATEWAY_ORGANISATION_NAME": "Centre d'essai",
}
ORDERS = pytest.mark.parametrize("build", [build_orm, build_omi], ids=["orm", "omi"])


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A gateway that publishes on images."""
    with a_world(tmp_path_factory.mktemp("on-images"), settings=SETTINGS) as world:
        yield world


@ORDERS
@pytest.mark.parametrize("order_first", [True, False], ids=["order first", "images first"])
async def test_an_ordered_exam_is_published_as_soon_as_its_images_are_there(
    world: World, build: Callable[..., Message], order_first: bool
) -> None:
    study = world.a_study()
    order = build(study.examination, header=HEADER)

    if order_first:
        await world.tell(order)
    await world.push(study)
    if not order_first:
        await world.stands(study, "waiting", "identity")
        await world.tell(order)
    await world.published(study)

    entry = await world.pointer(study)
    assert entry is not None
    assert {study.examination.accession, study.examination.order} <= entry.references
    assert await world.fetch(study) == study.digests


@pytest.mark.parametrize("event", ["A01", "A04", "A08", "A31"])
async def test_who_is_admitted_is_known_by_their_images(world: World, event: str) -> None:
    study = world.a_study()
    patient = study.examination.patient
    await world.push(study)

    await world.tell(build_adt(event, patient, header=HEADER, happened_at=NOON, with_ins=False))
    await world.tell(build_adt(event, patient, header=HEADER, happened_at=NOON))
    await world.published(study)

    assert await world.fetch(study) == study.digests


async def test_an_identity_is_published_once_it_is_validated(world: World) -> None:
    study = world.a_study()
    patient = study.examination.patient
    await world.push(study)

    await world.tell(build_orm(study.examination, header=HEADER, status="PROV"))
    await world.stands(study, "set_aside", "identity_not_validated")
    await world.tell(build_adt("A31", patient, header=LATER, happened_at=NOON))
    await world.published(study)

    assert await world.fetch(study) == study.digests


@pytest.mark.parametrize("event", ["A08", "A31"])
async def test_an_identity_that_is_corrected_takes_the_pointer_along(
    world: World, event: str
) -> None:
    study = world.a_study()
    patient = study.examination.patient
    right = replace(patient, ins=make_patient(SEED, int(event[1:])).ins)
    noon, one, two = (NOON + timedelta(hours=hours) for hours in range(3))
    await world.push(study)
    await world.tell(build_orm(study.examination, header=HEADER))
    await world.published(study)

    doubted = build_adt(event, patient, header=LATER, happened_at=one, status="PROV")
    await world.tell(doubted)
    row = await world.withdrawn(study)
    await world.tell(build_adt(event, patient, header=LATER, happened_at=noon))  # late
    await world.settled()
    still = await world.standing(study)
    await world.tell(build_adt(event, right, header=LATER, happened_at=two))
    await until(lambda: world.pointer(study, right), told=lambda: world.standing(study))

    assert (row["state"], row["code"]) == ("set_aside", "identity_not_validated")
    assert (still["state"], still["pointer"]) == ("set_aside", "none")
    assert await world.pointer(study) is None


@pytest.mark.parametrize("status", ["PROV", "VIDE", "VALI~DOUT", ""])
async def test_an_ins_that_is_not_qualified_is_never_published(world: World, status: str) -> None:
    study = world.a_study()
    patient = study.examination.patient
    await world.push(study)

    await world.tell(build_orm(study.examination, header=HEADER, status=status))
    await world.tell(build_adt("A04", patient, header=LATER, happened_at=NOON, status=status))
    await world.stands(study, "set_aside", "identity_not_validated")
    await world.settled()

    assert await world.entries(patient) == []


async def test_a_cancelled_order_takes_its_pointer_back(world: World) -> None:
    study = world.a_study()
    await world.push(study)
    await world.tell(build_omi(study.examination, header=HEADER))
    await world.published(study)

    await world.tell(build_omi(study.examination, header=LATER, control="CA"))
    row = await world.withdrawn(study)

    assert (row["state"], row["code"]) == ("withheld", "order_cancelled")


async def test_an_order_that_comes_late_does_not_undo_its_cancellation(world: World) -> None:
    study = world.a_study()
    await world.push(study)
    await world.tell(build_omi(study.examination, header=HEADER))
    await world.published(study)
    await world.tell(build_omi(study.examination, header=LATER, control="CA"))
    await world.withdrawn(study)

    await world.tell(build_omi(study.examination, header=HEADER, control="XO"))
    await world.settled()

    row = await world.standing(study)
    assert (row["state"], row["code"]) == ("withheld", "order_cancelled")
    assert await world.pointer(study) is None


async def test_an_order_is_believed_before_an_older_word_on_its_patient(world: World) -> None:
    study = world.a_study()
    order = build_omi(study.examination, header=LATER, status="PROV")
    untimed = replace(order, text=re.sub(r"(\rORC[^\r]*)\|\d{14}\r", r"\1|\r", order.text))
    await world.push(study)

    await world.tell(build_adt("A08", study.examination.patient, header=HEADER, happened_at=NOON))
    await world.published(study)
    await world.tell(untimed)
    row = await world.stands(study, "set_aside", "identity_not_validated")

    assert untimed.text != order.text
    assert row["pointer"] != "current"


async def test_a_local_number_that_was_changed_is_the_same_patients(world: World) -> None:
    study = world.a_study()
    former = study.examination.patient
    patient = replace(former, local_id=f"{former.local_id}-N")
    await world.push(study)

    word = build_adt("A47", patient, header=HEADER, happened_at=NOON, merged=[former])
    await world.tell(word)
    await world.published(study)

    assert await world.fetch(study) == study.digests


async def test_a_report_that_comes_later_speaks_in_place_of_the_order(world: World) -> None:
    study = world.a_study()
    await world.push(study)
    await world.tell(build_orm(study.examination, header=HEADER))
    await world.published(study)
    ordered = await world.pointer(study)

    await world.report(study)
    await world.published(study, revision=2)

    reported = await world.pointer(study)
    assert ordered is not None
    assert ordered.confidentiality == {"N"}
    assert reported is not None
    assert reported.confidentiality == {"N", "INVISIBLE_PATIENT"}
