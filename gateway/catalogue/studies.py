"""What the gateway was told of studies: news goes in, a snapshot comes out.

Facts are kept as rows whose keys make a repeat harmless. Each news gets the next number of its
study and makes the study due (see `standings`). Images are kept here, the rest by its own module.
"""

from typing import cast

import orjson

from gateway.catalogue.acts import Acts
from gateway.catalogue.copies import Copies
from gateway.catalogue.news import News
from gateway.catalogue.reports import Reports
from gateway.catalogue.rows import description_in, known_image
from gateway.catalogue.searched import Searched
from gateway.catalogue.words import Words
from gateway.dicomweb.matching import normal_number
from gateway.model.agreement import Disagreement, DisagreementCode
from gateway.model.event import Event
from gateway.model.image import ImageDescription, KnownImage, StoredObject
from gateway.model.notification import (
    HeldByPacs,
    InstancesRejected,
    InstanceStored,
    OrderReceived,
    PacsAnswered,
    PatientTold,
    PersonActed,
    ReportReceived,
    StudyAnnounced,
)
from gateway.model.resource import Resource
from gateway.model.study import NumberedDisagreement, StudySnapshot
from gateway.storage.database import Dialect, Param, Row, Transaction
from gateway.storage.queries import load_queries
from gateway.storage.records import decode, encode
from indexer.contract.document import Identifier, Submission
from indexer.contract.identifiers import Uid


class Studies:
    """Repository of studies, their instances and their reports."""

    def __init__(self, dialect: Dialect) -> None:
        self._sql = load_queries("gateway.catalogue", "studies.sql", dialect)
        self._news = News(dialect)
        self._reports = Reports(dialect)
        self._words = Words(dialect)
        self._acts = Acts(dialect)
        self._copies = Copies(dialect)
        self._searched = Searched(dialect)

    async def instance_stored(
        self, tx: Transaction, news: InstanceStored, *, now_ms: int, due_at_ms: int
    ) -> bool:
        """Take in an instance that was pushed; False if it is the one that is held already.

        Another data set under a known SOP Instance UID replaces the first, for a PACS corrects
        that way. The object it replaces is discarded, which leaves it to its readers for a while.
        """
        image, stored = news.image, news.stored
        known = await tx.fetch(
            self._sql["known_instance"], study=news.study, instance=image.instance
        )
        before = known[0] if known else None
        if before is not None and _is_held_alike(before, stored):
            return False
        if before is not None and before["object_key"] is not None:
            key = cast(str, before["object_key"])
            await tx.fetch(self._sql["discard_object"], object_key=key, now_ms=now_ms)
        [kept] = await tx.fetch(
            self._sql["store_instance"],
            study=news.study,
            series=image.series,
            instance=image.instance,
            patient_id=image.patient.local_id.value,
            accession=image.accession.value,
            header=encode(image),
            object_key=stored.key,
            transfer_syntax=stored.transfer_syntax,
            size_bytes=stored.size_bytes,
            sha256=stored.sha256,
            sop_class=image.sop_class,
            instance_number=normal_number(image.instance_number),
        )
        if before is not None:
            await self._searched.stored_again(tx, news.study, image, before)
        elif not kept["rejected"]:
            await self._searched.stored(tx, news.study, image)
        await self._news.tell(
            tx,
            news.study,
            now_ms=now_ms,
            due_at_ms=due_at_ms,
            pushed_at_ms=now_ms,
            # What the PACS told of the instance may have changed with it.
            ask_pacs=before is not None and before["pacs"] != "",
            patient_changed=before is not None and _names_another(before, image),
        )
        return True

    async def object_of(self, tx: Transaction, news: InstanceStored) -> str | None:
        """Key of the object that is held of an instance which was stored before; None if it was
        dropped since.
        """
        [row] = await tx.fetch(
            self._sql["known_instance"], study=news.study, instance=news.image.instance
        )
        return cast("str | None", row["object_key"])

    async def object_lost(self, tx: Transaction, key: str, *, by: InstanceStored) -> None:
        """Take in that the same instance was stored again where its object has gone."""
        stored = by.stored
        await tx.fetch(
            self._sql["exchange_object"], lost=key, object_key=stored.key, sha256=stored.sha256
        )
        await tx.fetch(self._sql["forget_description"], lost=key)

    async def study_announced(self, tx: Transaction, news: StudyAnnounced, *, now_ms: int) -> None:
        """Take in that what the PACS holds of the study may have changed: it will be asked."""
        await self._news.tell(tx, news.study, now_ms=now_ms, due_at_ms=now_ms, ask_pacs=True)
        await self._news.history.note(tx, news.study, Event.ANNOUNCED, now_ms=now_ms, by=news.by)

    async def report_received(self, tx: Transaction, news: ReportReceived, *, now_ms: int) -> None:
        """Take in a report for each study that it concerns."""
        await self._reports.received(tx, news, now_ms=now_ms)

    async def instances_rejected(
        self, tx: Transaction, news: InstancesRejected, *, now_ms: int
    ) -> None:
        """Take in a rejection note, whose instances may be known or yet to come."""
        told: dict[str, Param] = {
            "study": news.study,
            "code": news.code,
            "instances": orjson.dumps(news.instances).decode(),
        }
        if not await tx.fetch(self._sql["reject"], note=news.note, **told):
            return
        await tx.fetch(self._sql["mark_rejected"], **told)
        await self._searched.restate(tx, news.study)
        await self._news.tell(tx, news.study, now_ms=now_ms, due_at_ms=now_ms, ask_pacs=True)
        await self._news.history.note(
            tx,
            news.study,
            Event.INSTANCES_REJECTED,
            now_ms=now_ms,
            code=news.code,
            instances=len(news.instances),
        )

    async def order_received(self, tx: Transaction, news: OrderReceived, *, now_ms: int) -> None:
        """Take in an order, or a word about an exam that was ordered.

        Raises:
            InvalidRequest: it names no order, accession or study.
        """
        await self._words.order_received(tx, news, now_ms=now_ms)

    async def patient_told(self, tx: Transaction, news: PatientTold, *, now_ms: int) -> None:
        """Take in a word about a patient."""
        await self._words.patient_told(tx, news, now_ms=now_ms)

    async def person_acted(self, tx: Transaction, news: PersonActed, *, now_ms: int) -> bool:
        """Take in what a person decided; False if nothing is known of the study."""
        return await self._acts.done(tx, news, now_ms=now_ms)

    async def images_disagreed(
        self, tx: Transaction, study: Uid, found: Disagreement, *, now_ms: int
    ) -> None:
        """Take in that images which were fetched do not fit the study's report."""
        await self._news.tell(tx, study, now_ms=now_ms, due_at_ms=now_ms)
        await tx.fetch(self._sql["disagree"], study=study, code=found.code, reason=found.reason)
        await self._news.history.note(
            tx, study, Event.IMAGES_DISAGREED, code=found.code, now_ms=now_ms
        )

    async def pacs_answered(self, tx: Transaction, answer: PacsAnswered, *, now_ms: int) -> None:
        """Take in what the PACS holds now; what it told before and tells no longer is forgotten.

        An answer that a later question has overtaken is void.
        """
        study, asked_after = answer.study, answer.asked_after
        if not await tx.fetch(self._sql["answered"], study=study, asked_after=asked_after):
            return
        told = {one.image.instance: (one.pacs, one.image) for one in answer.held}
        await self._copies.drop_stale(tx, study, told, now_ms=now_ms)
        listed = _listed(answer.held)
        await tx.fetch(self._sql["forget_unanswered"], study=study, images=listed["images"])
        await tx.fetch(self._sql["unanswer_kept"], study=study, images=listed["images"])
        await tx.fetch(self._sql["store_answer"], study=study, asked_after=asked_after, **listed)
        await self._searched.restate(tx, study)

    async def images_assumed(
        self, tx: Transaction, study: Uid, images: tuple[HeldByPacs, ...]
    ) -> None:
        """Take in what the study should hold, of which nothing is known here; nobody was asked."""
        await tx.fetch(self._sql["store_answer"], study=study, asked_after=-1, **_listed(images))
        await tx.fetch(self._sql["assume"], study=study)
        await self._searched.restate(tx, study)

    async def snapshot(self, tx: Transaction, study: Uid) -> StudySnapshot | None:
        """All that is known of the study now; None if nothing is."""
        return await self._snapshot(tx, study, images="images")

    async def identity(self, tx: Transaction, study: Uid) -> StudySnapshot | None:
        """The same, but of the images that name the same patient and exam one stands for all: what
        is asked before thousands of them are given."""
        return await self._snapshot(tx, study, images="images_apart")

    async def _snapshot(self, tx: Transaction, study: Uid, *, images: str) -> StudySnapshot | None:
        rows = await tx.fetch(self._sql["study"], study=study)
        if not rows:
            return None
        row = rows[0]
        found = await tx.fetch(self._sql[images], study=study)
        known = tuple(known_image(one) for one in found)
        reports = tuple(await self._reports.of(tx, study))
        accessions = {told.accession.value for image in known for told in image.told}
        orders = await self._words.orders_of(tx, study, accessions - {""})
        ids = [told.patient.local_id for image in known for told in image.told]
        ids += [one for numbered in reports for one in numbered.report.patient.local_ids]
        ids += [one for order in orders for one in order.patient.local_ids]
        return StudySnapshot(
            study=study,
            news=cast(int, row["news"]),
            images=known,
            reports=reports,
            orders=orders,
            words=await self._words.words_about(tx, set(ids)),
            acts=await self._acts.of(tx, study),
            last_pushed_at_ms=cast("int | None", row["last_pushed_at_ms"]),
            waiting_since_ms=cast("int | None", row["waiting_since_ms"]),
            ask_pacs_after=cast(int, row["ask_pacs_after"]),
            pacs_asked_after=cast(int, row["pacs_asked_after"]),
            patient_changed_by=cast(int, row["patient_changed_by"]),
            spoken_by=cast(int, row["spoken_by"]),
            disagreement=_disagreement(row),
            was_decided=cast(int, row["revision"]) > 0,
            seeks_images=bool(row["seeks"]),
        )

    async def has_disagreed(self, tx: Transaction, study: Uid) -> bool:
        """Whether images that were fetched ever did not fit, be it settled or not."""
        return bool(await tx.fetch(self._sql["disagreed"], study=study))

    async def published_as(self, tx: Transaction, study: Uid) -> Identifier | None:
        """The local id under which the pointer that is out names its patient; None where none is,
        or it names them by their INS alone.

        Raises:
            UnreadableRecord: another version of the program wrote it.
        """
        rows = await tx.fetch(self._sql["published"], study=study)
        if not rows or rows[0]["kind"] != "publish":
            return None
        entry = decode(Submission, cast(bytes, rows[0]["content"])).entry
        is_local = entry.local_patient.value not in ("", entry.patient.value)
        return entry.local_patient if is_local else None

    async def shown(self, tx: Transaction, resource: Resource) -> list[KnownImage]:
        """What may be shown of a study, a series, or one instance; sorted by series and UID."""
        rows = await tx.fetch(
            self._sql["shown"],
            study=resource.study,
            series=resource.series,
            instance=resource.instance,
        )
        return [known_image(row) for row in rows]

    async def classes(self, tx: Transaction, study: Uid) -> dict[str, str]:
        """SOP class of each instance that was ever told of the study, by its UID."""
        return {
            cast(str, row["instance_uid"]): decode(
                ImageDescription, cast(bytes, row["description"])
            ).sop_class
            for row in await tx.fetch(self._sql["described"], study=study)
        }


def _listed(held: tuple[HeldByPacs, ...]) -> dict[str, Param]:
    """The images, each once, as JSON; their answers as bytes, where the images say."""
    images, answers = [], bytearray()
    for one in {one.image.instance: one for one in held}.values():
        answer = encode(one.image)
        images.append(
            {
                "series": one.image.series,
                "instance": one.image.instance,
                "patient_id": one.image.patient.local_id.value,
                "accession": one.image.accession.value,
                "pacs": one.pacs,
                "sop_class": one.image.sop_class,
                "instance_number": normal_number(one.image.instance_number),
                "starts_at": len(answers) + 1,
                "size_bytes": len(answer),
            }
        )
        answers += answer
    return {"images": orjson.dumps(images).decode(), "answers": bytes(answers)}


def _is_held_alike(before: Row, stored: StoredObject) -> bool:
    """Whether these bytes are held for good: a copy is not, for it may be dropped."""
    alike = before["sha256"] == stored.sha256 and not before["gone"]
    return alike and before["copied"] is None


def _names_another(before: Row, image: ImageDescription) -> bool:
    """Whether what was known of the instance names another patient than it does now."""
    known = (description_in(before["header"]), description_in(before["answer"]))
    now = image.patient.local_id.value
    return any(one is not None and one.patient.local_id.value != now for one in known)


def _disagreement(row: Row) -> NumberedDisagreement | None:
    if not row["disagreed_by"]:
        return None
    found = Disagreement(
        code=DisagreementCode(cast(str, row["disagreed_code"])),
        reason=cast(str, row["disagreed_reason"]),
    )
    return NumberedDisagreement(news=cast(int, row["disagreed_by"]), found=found)
