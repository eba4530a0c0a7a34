"""What reports said of studies."""

from dataclasses import replace
from hashlib import sha256
from typing import Final, cast

import orjson

from gateway.catalogue.news import News
from gateway.clock import at
from gateway.model.event import Event
from gateway.model.notification import ReportReceived
from gateway.model.report import WITHDRAWN, Report
from gateway.model.study import NumberedReport
from gateway.storage.database import Dialect, Param, Row, Transaction
from gateway.storage.queries import load_queries
from gateway.storage.records import decode, encode
from indexer.contract.identifiers import Uid

_EVENTS: Final = {"C": Event.REPORT_REPLACED, WITHDRAWN: Event.REPORT_WITHDRAWN}


class Reports:
    """Repository of reports."""

    def __init__(self, dialect: Dialect) -> None:
        self._sql = load_queries("gateway.catalogue", "reports.sql", dialect)
        self._news = News(dialect)

    async def received(self, tx: Transaction, news: ReportReceived, *, now_ms: int) -> None:
        """Take in a report for each study that it names, or that what it replaces was about.

        The same message again is no other word, yet its studies are looked at again: a person who
        mended what was wrong elsewhere has the RIS repeat it.
        """
        heard = await tx.fetch(self._sql["heard_message"], message_digest=news.message_digest)
        if heard:
            digest = cast(str, heard[0]["content_digest"])
            for row in await tx.fetch(self._sql["studies_of_content"], content_digest=digest):
                study = Uid(cast(str, row["study_uid"]))
                await self._speak(tx, study, Event.REPORT_REPEATED, now_ms=now_ms)
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
        ids = orjson.dumps([one.value for one in report.patient.local_ids]).decode()
        await tx.fetch(self._sql["keep_patients"], content_digest=digest, ids=ids)
        await tx.fetch(
            self._sql["hear_message"], message_digest=news.message_digest, content_digest=digest
        )
        event = _EVENTS.get(report.status, Event.REPORT_RECEIVED)
        said_at_ms = None if news.said_at is None else int(news.said_at.timestamp() * 1000)
        for study in await self._concerned(tx, report):
            number = await self._speak(
                tx, study, event, now_ms=now_ms, document_id=report.document_id
            )
            told: dict[str, Param] = {"study": study, "news": number}
            await tx.fetch(
                self._sql["link_report"], content_digest=digest, said_at_ms=said_at_ms, **told
            )
            await tx.fetch(self._sql["link_others"], document_id=report.document_id, **told)

    async def of(self, tx: Transaction, study: Uid) -> list[NumberedReport]:
        """Every message about a report that names the study, oldest news first.

        A report on another study that a person matched to it is told as if it named this one.
        """
        rows = await tx.fetch(self._sql["reports"], study=study)
        return [_numbered(row, study) for row in rows]

    async def _concerned(self, tx: Transaction, report: Report) -> list[Uid]:
        """Studies that the report names, and those that its earlier words were about."""
        documents = orjson.dumps([report.document_id, *report.replaces]).decode()
        rows = await tx.fetch(self._sql["studies_of_documents"], documents=documents)
        before = {Uid(cast(str, row["study_uid"])) for row in rows}
        return sorted(before | {told.study for told in report.studies})

    async def _speak(
        self, tx: Transaction, study: Uid, event: Event, *, now_ms: int, document_id: str = ""
    ) -> int:
        """The number of the news. It speaks of the study, or of those to which a person matched the
        reports on it, which are told.
        """
        matched = await tx.fetch(self._sql["matched"], study=study)
        number = await self._news.speak(
            tx, study, event, now_ms=now_ms, names_it=not matched, document_id=document_id
        )
        for row in matched:
            other = Uid(cast(str, row["study_uid"]))
            by = await self._news.speak(tx, other, event, now_ms=now_ms, document_id=document_id)
            await tx.fetch(self._sql["matched_by"], study=other, reported_as=study, news=by)
        return number


def _numbered(row: Row, study: Uid) -> NumberedReport:
    report = decode(Report, cast(bytes, row["content"]))
    named = row["study_uid"]
    if named != study:
        told = tuple(
            replace(one, study=study) if one.study == named else one for one in report.studies
        )
        report = replace(report, studies=told)
    said_at_ms = cast("int | None", row["said_at_ms"])
    return NumberedReport(
        news=cast(int, row["news"]),
        report=report,
        said_at=None if said_at_ms is None else at(said_at_ms),
    )
