"""What the gateway was told of studies: news goes in, a snapshot comes out.

Facts are kept as rows whose keys make a repeat harmless. Each news gets the next number of its
study and makes the study due; whoever then decides about it names the number that was known, and
is refused if another has come since.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, cast

import orjson

from gateway.model.image import ImageDescription, KnownImage, StoredObject
from gateway.model.notification import (
    InstanceStored,
    PacsAnswered,
    ReportReceived,
    StudyAnnounced,
)
from gateway.model.report import Report
from gateway.model.resource import Resource
from gateway.model.study import NumberedReport, StudySnapshot
from gateway.storage.database import Dialect, Param, Row, Transaction
from gateway.storage.queries import load_queries
from gateway.storage.records import decode, encode
from indexer.contract.identifiers import Uid

SWEEP_BATCH: Final = 500
"""Discarded objects removed at a time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Where a study stands, beside what is known of it."""

    state: str
    revision: int
    fingerprint: str
    looks: int
    """Looks since the last news."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Conclusion:
    """What was decided about a study when its news had reached `news`."""

    study: Uid
    news: int
    known_revision: int
    state: str
    code: str = ""
    reason: str = ""
    due_at_ms: int | None = None
    revision: int
    fingerprint: str
    left_out: int = 0
    waiting_since_ms: int | None = None
    ask_again: bool = False
    """Whether the PACS's answer is to be forgotten, so that the next look asks again."""


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
        held = await tx.fetch(
            self._sql["stored_instance"], study=news.study, instance=image.instance
        )
        if held and held[0]["sha256"] == stored.sha256:
            return False
        patient_changed = False
        for row in held:
            before = decode(ImageDescription, cast(bytes, row["header"]))
            patient_changed = before.patient.local_id.value != image.patient.local_id.value
            await self.discard(tx, cast(str, row["object_key"]), now_ms=now_ms)
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
            patient_changed=patient_changed,
        )
        return True

    async def study_announced(self, tx: Transaction, news: StudyAnnounced, *, now_ms: int) -> None:
        """Take in that the PACS holds the study: it will be asked."""
        await self._tell(tx, news.study, now_ms=now_ms, due_at_ms=now_ms, ask_pacs=True)

    async def report_received(self, tx: Transaction, news: ReportReceived, *, now_ms: int) -> bool:
        """Take in a report for each study that it names; False if this message was had before."""
        report = news.report
        new = await tx.fetch(
            self._sql["keep_report"], message_digest=report.message_digest, content=encode(report)
        )
        if not new:
            for told in report.studies:
                await self._look_again(tx, told.study, now_ms=now_ms)
            return False
        for told in report.studies:
            number = await self._tell(
                tx, told.study, now_ms=now_ms, due_at_ms=now_ms, ask_pacs=True
            )
            await tx.fetch(
                self._sql["link_report"],
                study=told.study,
                message_digest=report.message_digest,
                news=number,
            )
        return True

    async def pacs_answered(self, tx: Transaction, answer: PacsAnswered) -> None:
        """Take in what the PACS holds now; what it told before and tells no longer is forgotten."""
        images = orjson.dumps([_answer(image) for image in answer.images]).decode()
        study = answer.study
        await tx.fetch(self._sql["forget_unanswered"], study=study, images=images)
        await tx.fetch(self._sql["unanswer_stored"], study=study, images=images)
        await tx.fetch(self._sql["store_answer"], study=study, images=images, pacs=answer.pacs)
        await tx.fetch(self._sql["answered"], study=study, asked_after=answer.asked_after)

    async def snapshot(self, tx: Transaction, study: Uid) -> tuple[StudySnapshot, Standing] | None:
        """All that is known of the study now, and where it stands; None if nothing is."""
        rows = await tx.fetch(self._sql["study"], study=study)
        if not rows:
            return None
        row = rows[0]
        snapshot = StudySnapshot(
            study=study,
            news=cast(int, row["news"]),
            images=tuple(await self.images(tx, Resource(study=study))),
            reports=tuple(await self.reports(tx, study)),
            last_pushed_at_ms=cast("int | None", row["last_pushed_at_ms"]),
            waiting_since_ms=cast("int | None", row["waiting_since_ms"]),
            ask_pacs_after=cast(int, row["ask_pacs_after"]),
            pacs_asked_after=cast(int, row["pacs_asked_after"]),
            patient_changed_by=cast(int, row["patient_changed_by"]),
        )
        standing = Standing(
            state=cast(str, row["state"]),
            revision=cast(int, row["revision"]),
            fingerprint=cast(str, row["fingerprint"]),
            looks=cast(int, row["looks"]),
        )
        return snapshot, standing

    async def images(self, tx: Transaction, resource: Resource) -> list[KnownImage]:
        """The known instances of a study, a series, or one instance; sorted by series and UID."""
        rows = await tx.fetch(
            self._sql["images"],
            study=resource.study,
            series=resource.series,
            instance=resource.instance,
        )
        return [_known_image(row) for row in rows]

    async def reports(self, tx: Transaction, study: Uid) -> list[NumberedReport]:
        """Every message about a report that names the study, oldest news first."""
        rows = await tx.fetch(self._sql["reports"], study=study)
        return [
            NumberedReport(
                news=cast(int, row["news"]), report=decode(Report, cast(bytes, row["content"]))
            )
            for row in rows
        ]

    async def claim_due(
        self, tx: Transaction, *, now_ms: int, lease_ms: int, count_max: int
    ) -> list[Uid]:
        """Studies to look at now, the longest due first; they are due again after the lease."""
        rows = await tx.fetch(
            self._sql["claim_due"],
            now_ms=now_ms,
            lease_end_ms=now_ms + lease_ms,
            count_max=count_max,
        )
        return [Uid(cast(str, row["study_uid"])) for row in rows]

    async def release_claims(self, tx: Transaction, *, now_ms: int) -> None:
        """Make everything that waits due now: whoever held a lease is dead."""
        await tx.fetch(self._sql["release_claims"], now_ms=now_ms)

    async def next_due_at_ms(self, tx: Transaction) -> int | None:
        """When the next study is to be looked at, if any is."""
        [row] = await tx.fetch(self._sql["next_due"])
        return cast("int | None", row["due_at_ms"])

    async def conclude(self, tx: Transaction, conclusion: Conclusion, *, now_ms: int) -> bool:
        """Write down what was decided; False if news came since, which makes it void."""
        told: dict[str, Param] = {
            "study": conclusion.study,
            "news": conclusion.news,
            "known_revision": conclusion.known_revision,
            "state": conclusion.state,
            "code": conclusion.code,
            "reason": conclusion.reason,
            "due_at_ms": conclusion.due_at_ms,
            "revision": conclusion.revision,
            "fingerprint": conclusion.fingerprint,
            "left_out": conclusion.left_out,
            "waiting_since_ms": conclusion.waiting_since_ms,
            "ask_again": int(conclusion.ask_again),
        }
        return bool(await tx.fetch(self._sql["conclude"], now_ms=now_ms, **told))

    async def mark(
        self,
        tx: Transaction,
        study: Uid,
        *,
        state: str,
        now_ms: int,
        code: str = "",
        reason: str = "",
        revision: int | None = None,
        from_state: str | None = None,
    ) -> None:
        """Change where the study stands, if at this revision and in this state (None: any)."""
        await tx.fetch(
            self._sql["mark"],
            study=study,
            state=state,
            code=code,
            reason=reason,
            revision=revision,
            from_state=from_state,
            now_ms=now_ms,
        )

    async def discard(self, tx: Transaction, object_key: str, *, now_ms: int) -> None:
        """Have the object removed once its readers have had their time."""
        await tx.fetch(self._sql["discard_object"], object_key=object_key, now_ms=now_ms)

    async def discarded(self, tx: Transaction, *, before_ms: int) -> list[str]:
        """Objects that may be removed now, at most `SWEEP_BATCH`."""
        rows = await tx.fetch(
            self._sql["discarded_before"], before_ms=before_ms, count_max=SWEEP_BATCH
        )
        return [cast(str, row["object_key"]) for row in rows]

    async def forget_discarded(self, tx: Transaction, object_keys: Iterable[str]) -> None:
        """These objects have been removed."""
        keys = orjson.dumps(list(object_keys)).decode()
        await tx.fetch(self._sql["forget_discarded"], object_keys=keys)

    async def referenced(self, tx: Transaction, object_keys: Iterable[str]) -> set[str]:
        """Which of these objects a row still refers to."""
        keys = orjson.dumps(list(object_keys)).decode()
        rows = await tx.fetch(self._sql["referenced_objects"], object_keys=keys)
        return {cast(str, row["object_key"]) for row in rows}

    async def list(
        self, tx: Transaction, *, state: str | None, count_max: int, offset: int
    ) -> list[Row]:
        """Where studies stand, the latest change first; for operators."""
        return await tx.fetch(self._sql["list"], state=state, count_max=count_max, offset=offset)

    async def count_by_state(self, tx: Transaction) -> dict[str, int]:
        """How many studies stand where."""
        rows = await tx.fetch(self._sql["count_by_state"])
        return {cast(str, row["state"]): cast(int, row["studies"]) for row in rows}

    async def _look_again(self, tx: Transaction, study: Uid, *, now_ms: int) -> None:
        """Decide again about a study that was set aside: "send the report again" must help.

        Many systems send the very same message again, which is no other report.
        """
        rows = await tx.fetch(self._sql["study"], study=study)
        if any(row["state"] == "set_aside" for row in rows):
            await self._tell(tx, study, now_ms=now_ms, due_at_ms=now_ms, ask_pacs=True)

    async def _tell(
        self,
        tx: Transaction,
        study: Uid,
        *,
        now_ms: int,
        due_at_ms: int,
        pushed_at_ms: int | None = None,
        ask_pacs: bool = False,
        patient_changed: bool = False,
    ) -> int:
        [row] = await tx.fetch(
            self._sql["tell_study"],
            study=study,
            now_ms=now_ms,
            due_at_ms=due_at_ms,
            pushed_at_ms=pushed_at_ms,
            ask_pacs=int(ask_pacs),
            patient_changed=int(patient_changed),
        )
        return cast(int, row["news"])


def _answer(image: ImageDescription) -> dict[str, str]:
    return {
        "series": image.series,
        "instance": image.instance,
        "patient_id": image.patient.local_id.value,
        "accession": image.accession.value,
        "answer": encode(image).decode(),
    }


def _known_image(row: Row) -> KnownImage:
    stored = None
    if row["object_key"] is not None:
        stored = StoredObject(
            key=cast(str, row["object_key"]),
            transfer_syntax=Uid(cast(str, row["transfer_syntax"])),
            size_bytes=cast(int, row["size_bytes"]),
            sha256=cast(str, row["sha256"]),
        )
    # Where both speak, the PACS is asked later and corrects what was pushed before.
    told = row["answer"] if row["answer"] is not None else row["header"]
    description = decode(ImageDescription, cast(bytes, told))
    return KnownImage(description=description, stored=stored, pacs=cast(str, row["pacs"]))
