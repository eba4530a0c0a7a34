"""What the first schema of the gateway's database held is known to the program that opens it."""

from importlib import resources
from pathlib import Path

import orjson
import pytest

from gateway.model.notification import PatientTold
from gateway.model.patient import PatientWord
from gateway.storage.migrations import migrate
from gateway.storage.records import encode
from gateway.storage.sqlite import SqliteDatabase
from tests.support.gateway_stores import stores_in
from tests.support.packages import package_maker
from tests.support.studies import STUDY, a_patient, a_report

FIRST = "0001_studies_and_submissions.sql"

STUDY_ROW = """INSERT INTO studies (study_uid, news, state, since_ms, revision)
VALUES (:study, 1, :state, 0, 1)"""
REPORT_ROW = """INSERT INTO reports (content_digest, document_id, content)
VALUES ('digest', :document_id, :content)"""
LINK_ROW = """INSERT INTO report_studies (study_uid, content_digest, news)
VALUES (:study, 'digest', 1)"""


def as_the_first_program_kept_it() -> bytes:
    """The report, with a field that later programs have not."""
    kept = orjson.loads(encode(a_report()))
    kept["studies"][0]["modalities"] = [{"code": "CT", "scheme": "1.2.840.10008.2.16.4"}]
    return orjson.dumps(kept)


async def a_database_of_the_first_schema(
    folder: Path, monkeypatch: pytest.MonkeyPatch, *, state: str = "published"
) -> None:
    """A study of which a report alone is known."""
    script = resources.files("gateway.migrations").joinpath(FIRST).read_text(encoding="utf-8")
    package = package_maker(folder, monkeypatch)({FIRST: script})
    database = await SqliteDatabase.open(folder / "gateway.sqlite")
    await migrate(database, package)
    document_id, content = a_report().document_id, as_the_first_program_kept_it()
    await database.write(lambda tx: tx.fetch(STUDY_ROW, study=STUDY, state=state))
    await database.write(lambda tx: tx.fetch(REPORT_ROW, document_id=document_id, content=content))
    await database.write(lambda tx: tx.fetch(LINK_ROW, study=STUDY))
    await database.close()


async def test_a_report_that_an_older_program_kept_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await a_database_of_the_first_schema(tmp_path, monkeypatch)

    async with stores_in(tmp_path) as stores:
        snapshot = await stores.snapshot()
        standing = await stores.standing()

    assert [numbered.report for numbered in snapshot.reports] == [a_report()]
    assert (standing["state"], standing["revision"]) == ("published", 1)


async def test_a_word_about_a_patient_reaches_a_study_that_an_older_program_knew_by_its_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await a_database_of_the_first_schema(tmp_path, monkeypatch)
    told = a_patient(birth_name="AUTRE")
    word = PatientWord(event="A31", told_at=None, identity_status="VALI", patient=told)
    news = PatientTold(message_digest="m1", word=word)

    async with stores_in(tmp_path) as stores:
        await stores.database.write(lambda tx: stores.studies.patient_told(tx, news, now_ms=0))
        snapshot = await stores.snapshot()

    assert snapshot.news == 2
    assert [numbered.word for numbered in snapshot.words] == [word]


async def test_what_an_older_program_set_aside_is_looked_at_once_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await a_database_of_the_first_schema(tmp_path, monkeypatch, state="set_aside")

    async with stores_in(tmp_path) as stores:
        due = await stores.database.write(
            lambda tx: stores.standings.claim_due(tx, now_ms=1, lease_ms=1, count_max=2)
        )

    assert [one.study for one in due] == [STUDY]
