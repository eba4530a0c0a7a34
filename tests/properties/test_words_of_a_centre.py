"""Orders, words about patients and what a PACS tells: by their own times, else the last holds."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.model.decision import Decision, Publish
from gateway.model.notification import (
    HeldByPacs,
    OrderReceived,
    PacsAnswered,
    PatientTold,
    StudyAnnounced,
)
from gateway.model.patient import PatientWord
from gateway.model.publishing import publishable
from indexer.contract.document import Identifier
from tests.support.gateway_stores import Stores, stores_in
from tests.support.studies import (
    INS,
    LOCAL_ID,
    ON_IMAGES,
    OTHER_INS,
    STUDY,
    WITH_PACS,
    WRITTEN_AT,
    a_patient,
    an_image,
    an_instance_stored,
    an_order,
    report_news,
)

FORMER = Identifier(value="LOC899", authority=LOCAL_ID.authority)
HOUR = timedelta(hours=1)
# What is heard is heard after all that messages tell of time, and looked at long after that.
HEARD_FROM_MS = int((WRITTEN_AT + timedelta(days=365)).timestamp() * 1000)
LATER_MS = 10**15

News = OrderReceived | PatientTold
identities = st.fixed_dictionaries(
    {
        "identity_status": st.sampled_from(["VALI", "VALI", "PROV", ""]),
        "patient": st.sampled_from([INS, INS, OTHER_INS, None]).map(lambda ins: a_patient(ins=ins)),
    }
)


def an_order_told(digest: str, hours: int | None, **told: Any) -> OrderReceived:
    said_at = None if hours is None else WRITTEN_AT + hours * HOUR
    order = an_order(ordered_at=None, said_at=said_at, **told)
    return OrderReceived(message_digest=digest, order=order)


def a_word_told(digest: str, hours: int | None, **told: Any) -> PatientTold:
    told_at = None if hours is None else WRITTEN_AT + hours * HOUR + HOUR / 2
    return PatientTold(message_digest=digest, word=PatientWord(told_at=told_at, **told))


@st.composite
def orders(draw: st.DrawFn, *, timed: bool, least: int = 0) -> list[News]:
    """Words of one order. Each tells its own hour, or none does."""
    hours = draw(st.lists(st.integers(1, 9), min_size=least, max_size=4, unique=True))
    return [
        an_order_told(
            f"order {hour}",
            hour if timed else None,
            control=draw(st.sampled_from(["NW", "XO", "CA"])),
            studies=draw(st.sampled_from([(), (STUDY,)])),
            **draw(identities),
        )
        for hour in hours
    ]


@st.composite
def words(draw: st.DrawFn, *, timed: bool, merges: bool = False) -> list[News]:
    """Words about the patient of the images. Each tells its own hour, or none does.

    Args:
        merges: some say that a former local id is the patient's, and that stays so for good.
    """
    hours = draw(st.lists(st.integers(1, 9), max_size=4, unique=True))
    return [
        a_word_told(
            f"word {hour} {timed}",
            hour if timed else None,
            event=draw(st.sampled_from(["A01", "A04", "A08", "A31", "A40", "A47"])),
            merged=draw(st.sampled_from([(), (FORMER,)] if merges else [()])),
            **draw(identities),
        )
        for hour in hours
    ]


telling = st.builds(
    a_word_told,
    st.just("last"),
    st.none(),
    event=st.just("A31"),
    identity_status=st.sampled_from(["VALI", "PROV"]),
    patient=st.sampled_from([a_patient(), a_patient(ins=OTHER_INS)]),
)
"""A word without a time that names a patient and how sure that is."""


@st.composite
def stories(draw: st.DrawFn) -> tuple[Sequence[News], Sequence[News]]:
    """The same messages in two orders, each with repeats of its own."""
    told = draw(orders(timed=True)) + draw(words(timed=True, merges=True))
    repeated = st.lists(st.sampled_from(told), max_size=3) if told else st.just([])
    first, second = (draw(st.permutations(told + draw(repeated))) for _ in range(2))
    return first, second


@settings(max_examples=20)
@given(stories())
async def test_messages_that_tell_when_they_were_said_may_come_in_any_order(
    tmp_path_factory, story
):
    first, second = [await ending(tmp_path_factory.mktemp("words"), told) for told in story]

    assert first == second


@settings(max_examples=15)
@given(orders(timed=False, least=1), st.data())
async def test_of_an_order_that_tells_no_time_the_last_message_received_holds(
    tmp_path_factory, told, data
):
    repeats = data.draw(st.lists(st.sampled_from(told), max_size=3))

    several = await ending(tmp_path_factory.mktemp("several"), [*told, *repeats])

    assert several == await ending(tmp_path_factory.mktemp("last"), told[-1:])


@settings(max_examples=15)
@given(words(timed=True), words(timed=False), telling, st.data())
async def test_of_words_without_a_time_the_last_received_that_tells_an_identity_holds(
    tmp_path_factory, timed, told, last, data
):
    """It comes after whatever times the others tell, for those have passed."""
    told = [*timed, *told, last]
    repeats = data.draw(st.lists(st.sampled_from(told), max_size=3))

    several = await ending(tmp_path_factory.mktemp("several"), [*told, *repeats])

    assert several == await ending(tmp_path_factory.mktemp("last"), [last])


async def ending(folder: Path, told: Sequence[News]) -> object:
    """What is decided of two images after these messages; the PACS is to be asked after each."""
    async with stores_in(folder) as stores:
        stores.clock.now_ms = HEARD_FROM_MS
        for number in (1, 2):
            stored = an_instance_stored(number)
            await write(stores, stores.studies.instance_stored, stored, due_at_ms=0)
        for one in told:
            stores.clock.now_ms += 1000
            await answer(stores, {1, 2}, (await stores.snapshot()).news)
            assert not await must_ask(stores)
            take = stores.studies
            is_order = isinstance(one, OrderReceived)
            await write(stores, take.order_received if is_order else take.patient_told, one)
            assert await must_ask(stores)
        return outcome(publishable(await stores.snapshot(), ON_IMAGES, now_ms=LATER_MS))


async def write(stores: Stores, take: Callable[..., Any], news: object, **times: int) -> None:
    await stores.database.write(lambda tx: take(tx, news, now_ms=stores.clock.now_ms, **times))


async def must_ask(stores: Stores) -> bool:
    snapshot = await stores.snapshot()
    return snapshot.pacs_asked_after < snapshot.ask_pacs_after


def outcome(decision: Decision) -> object:
    return decision.content.fingerprint() if isinstance(decision, Publish) else decision


held = st.sets(st.integers(1, 3))
LATE = st.lists(st.tuples(st.just("late"), held), max_size=2)
STEPS = st.lists(
    st.tuples(st.sampled_from(["told", "asks"]), st.just(set()))
    | st.tuples(st.sampled_from(["answers", "late"]), held),
    max_size=12,
)


@settings(max_examples=20)
@given(STEPS, held, LATE)
async def test_what_the_pacs_held_when_it_was_last_asked_is_what_counts(
    tmp_path_factory, steps, last, late
):
    whole = [("told", set()), ("asks", set()), ("answers", last)]

    several = await asked(tmp_path_factory.mktemp("several"), [*steps, *whole, *late])

    assert several == await asked(tmp_path_factory.mktemp("last"), whole)


async def asked(folder: Path, steps: Sequence[tuple[str, set[int]]]) -> object:
    """What is decided after an IAN (`told`), questions (`asks`), and answers with what it holds: to
    the last question, or `late` to one that was asked before all others."""
    async with stores_in(folder) as stores:
        clock = count(HEARD_FROM_MS)
        await write(stores, stores.studies.report_received, report_news())
        asked_after = 0
        for step, holds in steps:
            stores.clock.now_ms = next(clock)
            match step:
                case "told":
                    await write(stores, stores.studies.study_announced, StudyAnnounced(study=STUDY))
                    assert await must_ask(stores)
                case "asks":
                    asked_after = (await stores.snapshot()).news
                case "answers":
                    await answer(stores, holds, asked_after)
                case "late":
                    await answer(stores, holds, 0)
        return outcome(publishable(await stores.snapshot(), WITH_PACS, now_ms=LATER_MS))


async def answer(stores: Stores, holds: set[int], asked_after: int) -> None:
    images = tuple(HeldByPacs(pacs="PACS", image=an_image(one)) for one in sorted(holds))
    told = PacsAnswered(study=STUDY, held=images, asked_after=asked_after)
    await stores.database.write(lambda tx: stores.studies.pacs_answered(tx, told, now_ms=0))
