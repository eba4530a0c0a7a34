"""What the gateway was told of studies: news goes in, a snapshot comes out.

Facts are kept as rows whose keys make a repeat harmless. Each news gets the next number of its
study and makes the study due (see `standings`).
"""

from hashlib import sha256
from typing import cast

import orjson

from gateway.model.agreement import Disagreement, DisagreementCode
from gateway.model.image import ImageDescription, KnownImage, StoredObject
from gateway.model.notification import (
    HeldByPacs,
    InstanceStored,
    PacsAnswered,
    ReportReceived,
    StudyAnnounced,
)
from gateway.model.report import Report
from gateway.model.resource import Resource
from gateway.model.study import NumberedDisagreement, NumberedReport, StudySnapshot
from gateway.storage.database import Dialect, Param, Row, Transaction
from gateway.storage.queries import load_queries
from gateway.storage.records import decode, encode
from indexer.contract.identifiers import Uid


class Studies:
    """Repository of studies, their instances and their reports."""

    def __init__(self, dialect: Dialect) -> None:
        self._sql = load_queries("gateway.catalogue", "studies.sql", dialect)

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
        if before is not None and before["sha256"] == stored.sha256 and not before["gone"]:
            return False
        if before is not None and before["object_key"] is not None:
            key = cast(str, before["object_key"])
            await tx.fetch(self._sql["discard_object"], object_key=key, now_ms=now_ms)
        await tx.fetch(
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
        )
        await self._tell(
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

    async def study_announced(self, tx: Transaction, news: StudyAnnounced, *, now_ms: int) -> None:
        """Take in that the PACS holds the study: it will be asked."""
        await self._tell(tx, news.study, now_ms=now_ms, due_at_ms=now_ms, ask_pacs=True)

    async def report_received(self, tx: Transaction, news: ReportReceived, *, now_ms: int) -> None:
        """Take in a report for each study that it names, or that what it replaces was about.

        The same message again is no other word, yet its studies are looked at again: a person who
        mended what was wrong elsewhere has the RIS repeat it.
        """
        heard = await tx.fetch(self._sql["heard_message"], message_digest=news.message_digest)
        if heard:
            digest = heard[0]["content_digest"]
            for row in await tx.fetch(self._sql["studies_of_content"], content_digest=digest):
                await self._tell_of_report(tx, Uid(cast(str, row["study_uid"])), now_ms=now_ms)
            return
        report, content = news.report, encode(news.report)
        digest = sha256(content).hexdigest()
        parents = orjson.dumps(report.replaces).decode()
        await tx.fetch(
            self._sql["keep_report"],
            content_digest=digest,
            document_id=report.document_id,
            content=content,
        )
        await tx.fetch(self._sql["keep_parents"], content_digest=digest, parents=parents)
        await tx.fetch(
            self._sql["hear_message"], message_digest=news.message_digest, content_digest=digest
        )
        for study in await self._concerned(tx, report):
            number = await self._tell_of_report(tx, study, now_ms=now_ms)
            told: dict[str, Param] = {"study": study, "news": number}
            await tx.fetch(self._sql["link_report"], content_digest=digest, **told)
            await tx.fetch(self._sql["link_heirs"], document_id=report.document_id, **told)

    async def images_disagreed(
        self, tx: Transaction, study: Uid, found: Disagreement, *, now_ms: int
    ) -> None:
        """Take in that images which were fetched do not fit the study's report."""
        await self._tell(tx, study, now_ms=now_ms, due_at_ms=now_ms)
        await tx.fetch(self._sql["disagree"], study=study, code=found.code, reason=found.reason)

    async def pacs_answered(self, tx: Transaction, answer: PacsAnswered) -> None:
        """Take in what the PACS holds now; what it told before and tells no longer is forgotten.

        An answer that a later question has overtaken is void.
        """
        study = answer.study
        told = await tx.fetch(self._sql["answered"], study=study, asked_after=answer.asked_after)
        if not told:
            return
        images = orjson.dumps([_held(one) for one in answer.held]).decode()
        await tx.fetch(self._sql["forget_unanswered"], study=study, images=images)
        await tx.fetch(self._sql["unanswer_stored"], study=study, images=images)
        await tx.fetch(self._sql["store_answer"], study=study, images=images)

    async def snapshot(self, tx: Transaction, study: Uid) -> StudySnapshot | None:
        """All that is known of the study now; None if nothing is."""
        rows = await tx.fetch(self._sql["study"], study=study)
        if not rows:
            return None
        row = rows[0]
        return StudySnapshot(
            study=study,
            news=cast(int, row["news"]),
            images=tuple(await self.images(tx, Resource(study=study))),
            reports=tuple(await self.reports(tx, study)),
            last_pushed_at_ms=cast("int | None", row["last_pushed_at_ms"]),
            waiting_since_ms=cast("int | None", row["waiting_since_ms"]),
            ask_pacs_after=cast(int, row["ask_pacs_after"]),
            pacs_asked_after=cast(int, row["pacs_asked_after"]),
            patient_changed_by=cast(int, row["patient_changed_by"]),
            disagreement=_disagreement(row),
        )

    async def images(self, tx: Transaction, resource: Resource) -> list[KnownImage]:
        """The known instances of a study, a series, or one instance; sorted by series and UID."""
        rows = await tx.fetch(
            self._sql["images"],
            study=resource.study,
            series=resource.series,
            instance=resource.instance,
        )
        return [known_image(row) for row in rows]

    async def reports(self, tx: Transaction, study: Uid) -> list[NumberedReport]:
        """Every message about a report that names the study, oldest news first."""
        rows = await tx.fetch(self._sql["reports"], study=study)
        return [
            NumberedReport(
                news=cast(int, row["news"]), report=decode(Report, cast(bytes, row["content"]))
            )
            for row in rows
        ]

    async def _concerned(self, tx: Transaction, report: Report) -> list[Uid]:
        """Studies that the report names, and those that its earlier words were about."""
        documents = orjson.dumps([report.document_id, *report.replaces]).decode()
        rows = await tx.fetch(self._sql["studies_of_documents"], documents=documents)
        before = {Uid(cast(str, row["study_uid"])) for row in rows}
        return sorted(before | {told.study for told in report.studies})

    async def _tell_of_report(self, tx: Transaction, study: Uid, *, now_ms: int) -> int:
        return await self._tell(
            tx, study, now_ms=now_ms, due_at_ms=now_ms, ask_pacs=True, wait_anew=True
        )

    async def _tell(
        self,
        tx: Transaction,
        study: Uid,
        *,
        now_ms: int,
        due_at_ms: int,
        pushed_at_ms: int | None = None,
        ask_pacs: bool = False,
        wait_anew: bool = False,
        patient_changed: bool = False,
    ) -> int:
        [row] = await tx.fetch(
            self._sql["tell_study"],
            study=study,
            now_ms=now_ms,
            due_at_ms=due_at_ms,
            pushed_at_ms=pushed_at_ms,
            ask_pacs=int(ask_pacs),
            wait_anew=int(wait_anew),
            patient_changed=int(patient_changed),
        )
        return cast(int, row["news"])


def _held(held: HeldByPacs) -> dict[str, str]:
    return {
        "series": held.image.series,
        "instance": held.image.instance,
        "patient_id": held.image.patient.local_id.value,
        "accession": held.image.accession.value,
        "answer": encode(held.image).decode(),
        "pacs": held.pacs,
    }


def _description(record: Param) -> ImageDescription | None:
    return None if record is None else decode(ImageDescription, cast(bytes, record))


def _names_another(before: Row, image: ImageDescription) -> bool:
    """Whether what was known of the instance names another patient than it does now."""
    known = (_description(before["header"]), _description(before["answer"]))
    now = image.patient.local_id.value
    return any(one is not None and one.patient.local_id.value != now for one in known)


def known_image(row: Row) -> KnownImage:
    """The instance of a row; a row without the columns of its object tells only what it is."""
    stored = None
    if row.get("object_key") is not None:
        stored = StoredObject(
            key=cast(str, row["object_key"]),
            transfer_syntax=Uid(cast(str, row["transfer_syntax"])),
            size_bytes=cast(int, row["size_bytes"]),
            sha256=cast(str, row["sha256"]),
        )
    return KnownImage(
        header=_description(row["header"]),
        answer=_description(row["answer"]),
        stored=stored,
        pacs=cast(str, row.get("pacs", "")),
    )


def _disagreement(row: Row) -> NumberedDisagreement | None:
    if not row["disagreed_by"]:
        return None
    found = Disagreement(
        code=DisagreementCode(cast(str, row["disagreed_code"])),
        reason=cast(str, row["disagreed_reason"]),
    )
    return NumberedDisagreement(news=cast(int, row["disagreed_by"]), found=found)
