"""Published studies are compared with the PACS at night, gently, and no more than is needed."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, time
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from gateway.catalogue.checks import Checks
from gateway.errors import PacsAnswerUnreadable, PacsBusy, PacsUnavailable
from gateway.model.image import ImageDescription
from gateway.model.notification import HeldByPacs, PacsAnswered, StudyAnnounced
from gateway.publication import sweep as limits
from gateway.publication.night import Night
from gateway.publication.sweep import PAUSE_S, REST_S_MAX, YIELD_S, Sweep
from indexer.contract.document import Identifier
from indexer.contract.identifiers import Uid
from tests.support.gateway_stores import Stores, stores_in
from tests.support.studies import an_image

NIGHT = Night(begins=time(1), ends=time(5), zone=ZoneInfo("Europe/Paris"))
ONE, TWO, THREE = (Uid(f"1.2.250.1.999.1.{number}") for number in (1, 2, 3))
HOUR_MS = 3_600_000


@dataclass
class FakePacs:
    """Tells what the test says, or fails."""

    images: dict[Uid, list[ImageDescription]] = field(default_factory=dict)
    fails_with: Exception | None = None
    asked: list[Uid] = field(default_factory=list)

    async def describe(self, study: Uid, *, asked_after: int) -> PacsAnswered:
        self.asked.append(study)
        if self.fails_with is not None:
            raise self.fails_with
        held = [HeldByPacs(pacs="PACS", image=image) for image in self.images[study]]
        return PacsAnswered(study=study, held=tuple(held), asked_after=asked_after)


@dataclass
class Bench:
    """Published studies, the PACS that hold them, and a sweep that goes a step at a time."""

    stores: Stores
    pacs: FakePacs = field(default_factory=FakePacs)
    told: int = 0

    def sweep(self, *, studies_max: int = 100) -> Sweep:
        """As one that was just started."""
        return Sweep(
            self.stores.database,
            self.stores.studies,
            Checks(self.stores.database.dialect),
            pacs=self.pacs,
            night=NIGHT,
            studies_max=studies_max,
            studies_per_s=2.0,
            clock=self.stores.clock,
            on_news=self._note,
        )

    def _note(self) -> None:
        self.told += 1

    async def publish(self, *studies: Uid) -> None:
        """Have the studies published as the PACS tells of them now."""
        for study in studies:
            self.pacs.images.setdefault(study, [an_image(1), an_image(2)])
            answer = await FakePacs(images=self.pacs.images).describe(study, asked_after=1)
            await self._keep(study, answer)

    async def announce(self, study: Uid) -> None:
        """Have news of a study, which nobody has looked at yet."""
        studies, news = self.stores.studies, StudyAnnounced(study=study)
        await self.stores.database.write(lambda tx: studies.study_announced(tx, news, now_ms=0))

    async def _keep(self, study: Uid, answer: PacsAnswered) -> None:
        database, studies = self.stores.database, self.stores.studies
        await self.announce(study)
        await database.write(lambda tx: studies.pacs_answered(tx, answer, now_ms=0))
        await self.settle(study, state="published")

    async def lose(self, study: Uid) -> None:
        """Have the study withdrawn, as no PACS told of an image of it any more."""
        answer = PacsAnswered(study=study, held=(), asked_after=1_000)
        studies = self.stores.studies
        await self.stores.database.write(lambda tx: studies.pacs_answered(tx, answer, now_ms=0))
        await self.settle(study, state="withheld", code="images_gone")

    async def settle(self, study: Uid, *, state: str, code: str = "") -> None:
        """Have the study stand like this, with nothing left to look at."""
        settle = (
            "UPDATE studies SET state = :state, code = :code, due_at_ms = NULL"
            " WHERE study_uid = :study"
        )
        await self.stores.database.write(
            lambda tx: tx.fetch(settle, study=study, state=state, code=code)
        )

    async def announced(self) -> list[str]:
        """Studies that are due to be looked at."""
        due = "SELECT study_uid FROM studies WHERE due_at_ms IS NOT NULL ORDER BY study_uid"
        rows = await self.stores.database.read(lambda tx: tx.fetch(due))
        return [str(row["study_uid"]) for row in rows]


@pytest.fixture
async def bench(tmp_path: Path, database_url: str) -> AsyncIterator[Bench]:
    async with stores_in(tmp_path, database_url) as stores:
        two_at_night = datetime(2026, 1, 10, 1, 0, tzinfo=UTC)
        stores.clock.now_ms = int(two_at_night.timestamp() * 1000)
        yield Bench(stores)


async def steps(sweep: Sweep, count: int) -> list[float]:
    return [await sweep.step() for _ in range(count)]


async def test_a_study_that_the_pacs_holds_as_it_was_is_left_in_peace(bench: Bench) -> None:
    await bench.publish(ONE, TWO)

    rests = await steps(bench.sweep(), 3)

    assert bench.pacs.asked == [ONE, TWO]
    assert rests == [0.5, 0.5, 0.0]  # two a second, and then the night is over
    assert (await bench.announced(), bench.told) == ([], 0)


@pytest.mark.parametrize(
    "now",
    [
        [an_image(1)],
        [an_image(1), an_image(2), an_image(3)],
        [an_image(1), an_image(2, accession=Identifier(value="ACC2"))],
        [an_image(1), an_image(2, patient={"local_id": Identifier(value="LOC901")})],
        [an_image(1), an_image(2, patient={"birth_date": "19550518"})],
        [],
    ],
    ids=["instance gone", "instance more", "accession", "patient id", "birth date", "study gone"],
)
async def test_a_study_that_was_corrected_in_the_pacs_is_looked_at_again(
    bench: Bench, now: list[ImageDescription]
) -> None:
    await bench.publish(ONE, TWO)
    bench.pacs.images[ONE] = now

    await steps(bench.sweep(), 2)

    assert (await bench.announced(), bench.told) == ([ONE], 1)


async def test_a_study_whose_images_came_back_is_looked_at_again(bench: Bench) -> None:
    await bench.publish(ONE, TWO)
    for study in (ONE, TWO):
        await bench.lose(study)
    bench.pacs.images[TWO] = []

    await steps(bench.sweep(), 3)

    assert (await bench.announced(), bench.told) == ([ONE], 1)


@pytest.mark.parametrize("state, code", [("set_aside", "images_missing"), ("withheld", "dropped")])
async def test_what_a_person_or_a_message_is_to_decide_is_not_compared(
    bench: Bench, state: str, code: str
) -> None:
    await bench.publish(ONE)
    await bench.settle(ONE, state=state, code=code)

    await bench.sweep().step()

    assert bench.pacs.asked == []


async def test_a_pacs_that_tells_of_nothing_any_more_is_not_believed(bench: Bench) -> None:
    await bench.publish(ONE, TWO, THREE)
    bench.pacs.images = {study: [] for study in (ONE, TWO, THREE)}
    sweep = bench.sweep()

    await steps(sweep, 3)
    asked = list(bench.pacs.asked)
    bench.stores.clock.now_ms += 24 * HOUR_MS
    bench.pacs.images |= {study: [an_image(1), an_image(2)] for study in (TWO, THREE)}
    await sweep.step()

    assert len(asked) == 2  # the first, and another to see whether all are gone
    assert await bench.announced() == [ONE]  # in the next night, when the others were there


async def test_the_study_longest_unchecked_comes_first(bench: Bench) -> None:
    await bench.publish(ONE, TWO)
    await steps(bench.sweep(), 2)
    bench.stores.clock.now_ms += 24 * HOUR_MS
    await bench.publish(THREE)
    bench.pacs.asked.clear()

    await steps(bench.sweep(), 3)

    assert bench.pacs.asked == [THREE, ONE, TWO]


async def test_a_restart_goes_on_where_the_last_one_ended(bench: Bench) -> None:
    await bench.publish(ONE, TWO, THREE)

    await bench.sweep(studies_max=2).step()
    await steps(bench.sweep(studies_max=2), 3)

    assert bench.pacs.asked == [ONE, TWO]


async def test_a_night_has_its_measure_and_the_next_goes_on(bench: Bench) -> None:
    await bench.publish(ONE, TWO, THREE)
    sweep = bench.sweep(studies_max=2)

    await steps(sweep, 3)
    until_the_end_s = await sweep.step()
    bench.stores.clock.now_ms += 24 * HOUR_MS
    await sweep.step()

    assert until_the_end_s == REST_S_MAX
    assert bench.pacs.asked == [ONE, TWO, THREE]


async def test_nothing_is_asked_by_day(bench: Bench) -> None:
    await bench.publish(ONE)
    sweep = bench.sweep()

    bench.stores.clock.now_ms += 12 * HOUR_MS
    by_day_s = await sweep.step()
    bench.stores.clock.now_ms += 11 * HOUR_MS - 90_000
    before_it_begins_s = await sweep.step()

    assert (by_day_s, before_it_begins_s) == (REST_S_MAX, 90.0)
    assert bench.pacs.asked == []


async def test_news_goes_before_the_sweep(bench: Bench) -> None:
    await bench.publish(ONE)
    for number in range(limits.DUE_MAX + 1):
        await bench.announce(Uid(f"1.2.250.1.999.2.{number}"))

    assert await bench.sweep().step() == YIELD_S
    assert bench.pacs.asked == []


async def test_a_pacs_that_is_away_is_left_alone_and_its_study_is_not_checked(
    bench: Bench,
) -> None:
    await bench.publish(ONE, TWO)
    sweep = bench.sweep()

    bench.pacs.fails_with = PacsUnavailable("told to be away", retry_after_s=PAUSE_S + 1)
    rest_s = await sweep.step()
    bench.pacs.fails_with = None
    await steps(sweep, 2)
    again = bench.sweep()
    await again.step()

    assert rest_s == PAUSE_S + 1
    assert bench.pacs.asked == [ONE, TWO, ONE]  # first the others; after a restart, it too


async def test_a_night_without_a_pacs_ends_early(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "FAILURES_MAX", 2)
    await bench.publish(ONE, TWO, THREE)
    bench.pacs.fails_with = PacsUnavailable("told to be away")

    await steps(bench.sweep(), 4)

    assert bench.pacs.asked == [ONE, TWO]


async def test_a_pacs_that_is_busy_is_asked_for_the_same_later(bench: Bench) -> None:
    await bench.publish(ONE)
    sweep = bench.sweep()

    bench.pacs.fails_with = PacsBusy("told to be busy")
    rest_s = await sweep.step()
    bench.pacs.fails_with = None
    await sweep.step()

    assert rest_s == PAUSE_S
    assert bench.pacs.asked == [ONE, ONE]


async def test_an_answer_that_cannot_be_understood_disturbs_nothing_that_is_published(
    bench: Bench,
) -> None:
    await bench.publish(ONE)
    bench.pacs.fails_with = PacsAnswerUnreadable("told to be unreadable")

    await steps(bench.sweep(), 2)

    assert (await bench.announced(), bench.pacs.asked) == ([], [ONE])
