"""Messages that carry their own order end in the same pointer, however they come and repeat."""

from dataclasses import dataclass
from datetime import timedelta
from itertools import count

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.catalogue.studies import Studies
from gateway.model.decision import Decision, Publish
from gateway.model.notification import (
    InstancesRejected,
    PatientTold,
    ReportReceived,
)
from gateway.model.patient import PatientWord
from gateway.model.publishing import publishable
from gateway.model.report import ReportedStudy, Visibility
from gateway.storage.database import Transaction
from indexer.contract.document import Identifier
from indexer.contract.identifiers import Uid
from tests.support.gateway_stores import Stores, stores_in
from tests.support.studies import (
    INS,
    LOCAL_ID,
    OTHER_INS,
    POLICY,
    SERIES,
    STUDY,
    WRITTEN_AT,
    a_patient,
    a_report,
    an_instance_stored,
)

MERGED = Identifier(value="LOC899", authority=LOCAL_ID.authority)
HERE = (ReportedStudy(study=STUDY),)
THERE = (ReportedStudy(study=Uid("1.2.250.1.999.1.2")),)
HIDDEN = frozenset({Visibility.HIDDEN_FROM_PATIENT})
IMAGES = 3
LATER_MS = 10**15


@dataclass(frozen=True)
class Told:
    """A message, whichever door it comes by."""

    news: ReportReceived | InstancesRejected | PatientTold | int


@st.composite
def reports(draw: st.DrawFn, root: str) -> list[Told]:
    """A chain: each replaces the one before, under its id as a next version or under an id of its
    own, and may be about another study; any may be withdrawn, in whichever version.
    """
    told: list[Told] = []
    name = f"{root}.0"
    parents: tuple[str, ...] = ()
    for number in range(draw(st.integers(1, 4))):
        if number and draw(st.booleans()):
            name, parents = f"{root}.{number}", (name,)
        status = draw(st.sampled_from([*"FFCC", "P", "D"]))
        report = a_report(
            document_id=name,
            version=1 if status == "D" else number + 1,
            replaces=parents,
            status=status,
            written_at=WRITTEN_AT + timedelta(minutes=number),
            visibility=draw(st.sampled_from([HIDDEN, frozenset()])),
            studies=draw(st.sampled_from([HERE, THERE, HERE + THERE])),
        )
        said_at = WRITTEN_AT + timedelta(hours=number)
        news = ReportReceived(message_digest=f"{root} {number}", report=report, said_at=said_at)
        told.append(Told(news))
    return told


@st.composite
def words(draw: st.DrawFn) -> list[Told]:
    told = []
    for number in draw(st.sets(st.integers(1, 5), max_size=3)):
        word = PatientWord(
            event="A40",
            told_at=WRITTEN_AT + timedelta(days=number),
            identity_status=draw(st.sampled_from(["VALI", "PROV"])),
            patient=a_patient(ins=draw(st.sampled_from([INS, OTHER_INS]))),
            merged=(MERGED,) if draw(st.booleans()) else (),
        )
        told.append(Told(PatientTold(message_digest=f"w{number}", word=word)))
    return told


@st.composite
def rejections(draw: st.DrawFn) -> list[Told]:
    notes = draw(st.lists(st.sets(st.integers(1, IMAGES), min_size=1), max_size=2))
    return [
        Told(
            InstancesRejected(
                study=STUDY,
                note=Uid(f"1.2.9.{number}"),
                code="113001",
                instances=tuple(Uid(f"{SERIES}.{one}") for one in sorted(rejected)),
            )
        )
        for number, rejected in enumerate(notes, start=1)
    ]


@st.composite
def stories(draw: st.DrawFn) -> tuple[list[Told], list[Told]]:
    """The same messages in two orders, each with repeats of its own."""
    told = [Told(number) for number in range(1, IMAGES + 1)]
    for part in (reports("1.2.1"), reports("1.2.2"), words(), rejections()):
        told += draw(part)
    first, second = (
        draw(st.permutations(told + draw(st.lists(st.sampled_from(told), max_size=4))))
        for _ in range(2)
    )
    return first, second


@settings(max_examples=60)
@given(stories())
async def test_any_order_and_any_repetition_end_in_the_same_pointer(tmp_path_factory, story):
    first, second = [await ending(tmp_path_factory.mktemp("order"), told) for told in story]

    assert outcome(first) == outcome(second)


def outcome(decision: Decision) -> object:
    if isinstance(decision, Publish):
        return decision.content.fingerprint()
    return type(decision), decision


async def ending(folder, told: list[Told]) -> Decision:
    async with stores_in(folder) as stores:
        clock = count(1)
        for one in told:
            await take(stores, one, now_ms=next(clock))
        return publishable(await stores.snapshot(), POLICY, now_ms=LATER_MS)


async def take(stores: Stores, told: Told, *, now_ms: int) -> None:
    studies: Studies = stores.studies

    async def work(tx: Transaction) -> None:
        match told.news:
            case int():
                stored = an_instance_stored(told.news)
                await studies.instance_stored(tx, stored, now_ms=now_ms, due_at_ms=now_ms)
            case ReportReceived():
                await studies.report_received(tx, told.news, now_ms=now_ms)
            case InstancesRejected():
                await studies.instances_rejected(tx, told.news, now_ms=now_ms)
            case PatientTold():
                await studies.patient_told(tx, told.news, now_ms=now_ms)

    await stores.database.write(work)
