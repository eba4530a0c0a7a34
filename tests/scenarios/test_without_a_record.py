"""A patient who has no record that takes a pointer keeps it waiting, and nobody busy."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from indexer.contract.record import RecordState
from tests.scenarios.crashes import again, left_behind
from tests.scenarios.other_index import a_world_at
from tests.scenarios.reports import a_report, flagged
from tests.support.world import Study, World


@pytest.fixture(params=["mhd", "xds"])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    """A world in which only those have a record who are listed, and none is."""
    settings = {"GATEWAY_INDEX_PROTOCOL": request.param, "GATEWAY_RECORD_RETRY_S": "0.5"}
    with a_world_at(tmp_path, settings, {"INDEX_RECORDS": "listed"}) as world:
        yield world


def put(world: World, study: Study, state: RecordState) -> None:
    """How the record of the study's patient stands from now on."""
    patient = study.examination.patient
    key = f"{patient.ins_oid}|{patient.ins}"
    path = world.index_dir / "index.sqlite"
    with closing(sqlite3.connect(path, timeout=30)) as database, database:
        database.execute("DELETE FROM record WHERE patient_key = ?", [key])
        database.execute(
            "INSERT INTO record (patient_key, state, since_ms, refuses_documents, opposed,"
            " excluded, masked_in_emergency, treating_doctor) VALUES (?, ?, 0, 0, 0, '[]', 0, '')",
            [key, state.value],
        )


async def test_a_pointer_waits_for_a_record_and_no_person_looks(world: World) -> None:
    study = world.a_study()
    await world.push(study)
    await world.report(study)

    row = await world.stands(study, "no_record", "record_absent")
    set_aside = (await world.get("/api/set-aside"))["set_aside"]
    put(world, study, RecordState.OPEN)
    await world.published(study)

    assert row["why"]["en"] == "The patient has no national record."
    assert set_aside == []
    assert [one["state"] for one in await world.submissions(study)] == ["sent"]
    assert await world.fetch(study) == study.digests


async def test_a_gateway_that_dies_meanwhile_still_waits(world: World) -> None:
    study = world.a_study()
    await world.push(study)
    await world.report(study)
    await world.stands(study, "no_record", "record_absent")

    world.gateway.kill()
    left = left_behind(world, study)
    put(world, study, RecordState.OPEN)
    await again(world.gateway)
    await world.published(study)

    assert left == [(1, "no_record")]
    [entry] = await world.entries(study.examination.patient)
    assert entry.status == "current"


async def test_a_record_that_is_closed_has_the_next_revision_wait_until_it_opens(
    world: World,
) -> None:
    study = world.a_study()
    put(world, study, RecordState.OPEN)
    await world.push(study)
    await world.report(a_report(study))
    await world.published(study)
    put(world, study, RecordState.CLOSED)

    await world.report(a_report(study, version=2, message=[flagged("MASQUE_PS", "Y")]))
    row = await world.stands(study, "no_record", "record_closed")
    closed = await world.entries(study.examination.patient)
    put(world, study, RecordState.OPEN)
    await world.published(study, revision=2)

    assert (row["pointer"], closed) == ("published", [])
    statuses = sorted(one.status for one in await world.entries(study.examination.patient))
    assert statuses == ["current", "superseded"]
