"""News told to the stores of a test, each in a transaction of its own, at the time of its clock."""

from gateway.model.act import Act, ActKind
from gateway.model.notification import (
    HeldByPacs,
    OrderReceived,
    PacsAnswered,
    PatientTold,
    PersonActed,
    StudyAnnounced,
)
from gateway.model.patient import PatientWord
from indexer.contract.identifiers import Uid
from tests.support.gateway_stores import Stores
from tests.support.studies import (
    POLICY,
    STUDY,
    a_patient,
    an_instance_stored,
    an_order,
    report_news,
)


async def tell_instance(stores: Stores, *args, **told) -> bool:
    news = an_instance_stored(*args, **told)
    return await stores.database.write(
        lambda tx: stores.studies.instance_stored(
            tx,
            news,
            now_ms=stores.clock.now_ms,
            due_at_ms=stores.clock.now_ms + POLICY.settle_ms,
        )
    )


async def tell_report(stores: Stores, **told) -> None:
    news = report_news(**told)
    await stores.database.write(
        lambda tx: stores.studies.report_received(tx, news, now_ms=stores.clock.now_ms)
    )


async def tell_announcement(stores: Stores, study: Uid = STUDY) -> None:
    news = StudyAnnounced(study=study)
    await stores.database.write(
        lambda tx: stores.studies.study_announced(tx, news, now_ms=stores.clock.now_ms)
    )


async def tell_word(stores: Stores) -> None:
    word = PatientWord(event="A31", told_at=None, identity_status="VALI", patient=a_patient())
    news = PatientTold(message_digest="w1", word=word)
    await stores.database.write(
        lambda tx: stores.studies.patient_told(tx, news, now_ms=stores.clock.now_ms)
    )


async def tell_order(stores: Stores, message_digest: str = "m1", **told) -> None:
    news = OrderReceived(message_digest=message_digest, order=an_order(**told))
    await stores.database.write(
        lambda tx: stores.studies.order_received(tx, news, now_ms=stores.clock.now_ms)
    )


async def act(stores: Stores, kind: ActKind, **told) -> None:
    """A person decides something about the study."""
    news = PersonActed(study=STUDY, act=Act(kind=kind, reason="told", by="operator", **told))
    await stores.database.write(
        lambda tx: stores.studies.person_acted(tx, news, now_ms=stores.clock.now_ms)
    )


async def tell_answer(stores: Stores, *images, asked_after=0) -> None:
    held = tuple(HeldByPacs(pacs="PACS", image=image) for image in images)
    answer = PacsAnswered(study=STUDY, held=held, asked_after=asked_after)
    await stores.database.write(lambda tx: stores.studies.pacs_answered(tx, answer, now_ms=0))
