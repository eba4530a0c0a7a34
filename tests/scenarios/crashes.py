"""What tests need that kill programs: to start them again, and to look what is left."""

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from tests.scenarios.conftest import Doors
from tests.scenarios.proxy import Hold, Way
from tests.support.program import Program
from tests.support.world import Study, World, until

SAID_BY_DIMSE = b"\x04"  # P-DATA-TF, PS3.8 §9.3.1: the answer to a message, not to an association


def is_an_answer(chunk: bytes) -> bool:
    return chunk.startswith(SAID_BY_DIMSE)


async def again(*programs: Program) -> None:
    """Start those that were killed."""
    for program in programs:
        await asyncio.to_thread(program.start)


def says(program: Program, event: str) -> bool:
    return event in program.log


async def seen(sign: Callable[[], bool]) -> None:
    """Wait for a sign that lasts, with hardly a pause: what comes next is to be interrupted."""

    async def ask() -> bool:
        return sign()

    await until(ask, every_s=0.001)


async def is_published_once(world: World, study: Study, revisions: int = 1) -> None:
    """The index has one entry for each revision, the last alone current, and the study comes."""
    await world.published(study, revisions)
    entries = await world.entries(study.examination.patient)
    submissions = await world.submissions(study)

    statuses = sorted(entry.status for entry in entries)
    assert statuses == ["current", *["superseded"] * (revisions - 1)]
    assert len({entry.unique_id for entry in entries}) == revisions
    assert all(study.uid in entry.references for entry in entries)
    assert [row["revision"] for row in submissions] == list(range(1, revisions + 1))
    assert {row["state"] for row in submissions} == {"sent"}
    assert await world.fetch(study) == study.digests


def left_behind(world: World, study: Study) -> list[tuple[int, str]]:
    """Revisions of the study, with their state, in the database of a gateway that is dead."""
    path = world.data_dir / "gateway.sqlite"
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
        asked = "SELECT revision, state FROM submissions WHERE study_uid = ? ORDER BY revision"
        return database.execute(asked, [study.uid]).fetchall()


def a_minute_passes(world: World) -> None:
    """Have a gateway that is dead find, when it starts, that what it sent was sent a minute ago."""
    with closing(sqlite3.connect(world.data_dir / "gateway.sqlite")) as database, database:
        database.execute("UPDATE submissions SET sent_at_ms = sent_at_ms - 60000")


async def die_unaware(doors: Doors, told: Awaitable[None], *programs: Program) -> None:
    """Kill programs once the index has done what the gateway is told to have done, and before the
    gateway hears of it; start them again.
    """
    answered = doors.index.hold(Way.ANSWER)
    await told
    await answered.begun()
    for program in programs:
        program.kill()
    await doors.index.drop()
    answered.go()
    await again(*programs)


async def die_before_writing(doors: Doors, told: Awaitable[None]) -> None:
    """Kill the gateway once it has heard that the index did what it was told to have done, and
    before it writes that down.
    """
    answered = doors.index.hold(Way.ANSWER)
    await told
    await answered.begun()
    with nothing_written(doors.world.data_dir):
        answered.go()
        await answered.passed()
        await doors.world.get("/health/live")  # its loop has gone round since
        doors.world.gateway.kill()


@contextmanager
def nothing_written(folder: Path) -> Iterator[None]:
    """Keep the gateway from writing, as a backup does, for less time than it gives up after."""
    with closing(sqlite3.connect(folder / "gateway.sqlite", isolation_level=None)) as backup:
        backup.execute("BEGIN IMMEDIATE")
        yield


Continues = Callable[[Doors, Hold, Study], Awaitable[None]]


async def lost(doors: Doors, sent: Hold, study: Study) -> None:
    """The dead gateway's submission never reaches the index; the next one does."""
    await doors.index.drop()
    sent.go()
    await again(doors.world.gateway)


async def late(doors: Doors, sent: Hold, study: Study) -> None:
    """The dead gateway's submission reaches the index before the next."""
    known = await doors.world.entries(study.examination.patient)
    sent.go()

    async def is_told() -> bool:
        return await doors.world.entries(study.examination.patient) != known

    await until(is_told)
    await again(doors.world.gateway)


async def beside(doors: Doors, sent: Hold, study: Study) -> None:
    """The dead gateway's submission reaches the index at the same time as the next."""
    await again(doors.world.gateway)
    await sent.begun(connections=2)
    sent.go()


async def gateway_dies_sending(doors: Doors, arrives: Continues) -> None:
    """Kill the gateway with a submission on its way; the study is published once all the same."""
    world, study = doors.world, doors.world.a_study()
    await world.push(study)

    sent = doors.index.hold(Way.REQUEST)
    await world.report(study)
    await sent.begun()
    world.gateway.kill()
    left = left_behind(world, study)
    await arrives(doors, sent, study)

    assert left == [(1, "waiting")]
    await is_published_once(world, study)


async def index_dies_receiving(doors: Doors) -> None:
    """Kill the index with a submission on its way; the study is published once all the same."""
    world, study = doors.world, doors.world.a_study()
    await world.push(study)

    sent = doors.index.hold(Way.REQUEST)
    await world.report(study)
    await sent.begun()
    world.index.kill()
    sent.go()
    await again(world.index)

    await is_published_once(world, study)


async def programs_die_unaware(doors: Doors, *programs: Program) -> None:
    """Kill programs before the gateway hears that the index holds a pointer; it is held once."""
    world, study = doors.world, doors.world.a_study()
    await world.push(study)

    await die_unaware(doors, world.report(study), *programs)

    await is_published_once(world, study)


async def gateway_dies_before_writing(doors: Doors) -> None:
    """Kill the gateway before it writes down that a pointer is held; it is held once."""
    world, study = doors.world, doors.world.a_study()
    await world.push(study)

    await die_before_writing(doors, world.report(study))
    left = left_behind(world, study)
    await again(world.gateway)

    assert left == [(1, "waiting")]
    await is_published_once(world, study)
