"""An index of before submission sets had tables of their own goes on with what it holds."""

import hashlib
import json
import sqlite3
from dataclasses import replace
from importlib import resources
from pathlib import Path
from uuid import UUID

import aiohttp

from gateway.storage.database import Dialect
from gateway.storage.migrations import told
from indexer.client.mhd import MhdIndex
from indexer.contract.document import DocumentQuery, EntryStatus
from indexer.contract.document_set import Association, Relation
from indexer.wire.fhir.document_reference import document_reference
from indexer.wire.xds.stored_query import QueryKind
from tests.support.indexes import a_served_index
from tests.support.pointers import ANNE, KOS, a_submission, an_entry
from tests.support.xds import APPROVED, a_set, provide, query

OLD = "11111111-2222-4333-8444-555555555555"
NEW = "66666666-7777-4888-8999-000000000000"
FIRST = "0001_entries.sql"


def an_older_index(folder: Path) -> None:
    """Two entries, of which one replaced the other, as they were kept."""
    file = resources.files("indexer.server.migrations").joinpath(FIRST)
    sql = told(file.read_text(encoding="utf-8"), Dialect.SQLITE)
    with sqlite3.connect(folder / "index.sqlite") as database:
        database.executescript(sql)
        database.execute("CREATE TABLE schema_migrations (number INTEGER PRIMARY KEY,"
                         " name TEXT NOT NULL, checksum TEXT NOT NULL)")  # fmt: skip
        checksum = hashlib.sha256(sql.encode()).hexdigest()
        database.execute("INSERT INTO schema_migrations VALUES (1, 'entries', ?)", [checksum])
        replaces = Association(relation=Relation.REPLACES, source=NEW, target=OLD)
        add(database, OLD, number=1, status=EntryStatus.DEPRECATED, relations=[])
        add(database, NEW, number=2, status=EntryStatus.APPROVED, relations=[replaces])
    database.close()


def add(
    database: sqlite3.Connection,
    entry_id: str,
    *,
    number: int,
    status: EntryStatus,
    relations: list[Association],
) -> None:
    entry, patient = an_entry(number), f"{ANNE.oid}|{ANNE.value}"
    resource = document_reference(
        replace(entry, entry_id=entry_id),
        attachment_url=f"urn:uuid:{entry_id}",
        relations=relations,
    )
    listed = (Path(__file__).with_name("older_list.json")).read_text()
    row = (
        patient,
        entry_id,
        entry.unique_id,
        status,
        entry.type_code.scheme,
        entry.type_code.code,
        int(entry.created_at.timestamp() * 1000),
        "[]",
        json.dumps(resource),
        listed.replace("ENTRY", entry_id).replace("UNIQUE", a_submission(number).submission_id),
    )
    database.execute(f"INSERT INTO entry VALUES ({', '.join('?' * len(row))})", row)
    database.execute(
        "INSERT INTO document VALUES (?, ?, ?, ?)", (patient, entry_id, entry.mime_type, KOS)
    )


async def test_what_an_older_index_held_is_found_by_both_protocols(tmp_path: Path) -> None:
    an_older_index(tmp_path)
    statuses = [
        (f"$XDS{one}Status", f"('{APPROVED}')")
        for one in ("DocumentEntry", "SubmissionSet", "Folder")
    ]

    async with a_served_index(tmp_path) as url, aiohttp.ClientSession() as session:
        by_fhir = await MhdIndex(url, session).find(DocumentQuery(patient=ANNE))
        documents = [await MhdIndex(url, session).retrieve(one) for one in by_fhir]
        everything = await query(
            url, QueryKind.GET_ALL, ("$patientId", f"'{ANNE.value}^^^&{ANNE.oid}&ISO'"), *statuses
        )
        related = await query(
            url,
            QueryKind.GET_RELATED,
            ("$XDSDocumentEntryEntryUUID", f"'urn:uuid:{NEW}'"),
            ("$AssociationTypes", "('urn:ihe:iti:2007:AssociationType:RPLC')"),
        )
        again = await provide(url, a_set(2))
        async with session.get(f"{url}/fhir/List/{OLD}") as answer:
            listed = answer.status
        async with session.get(f"{url}/fhir/DocumentReference/{NEW}") as answer:
            meta = json.loads(await answer.read())["meta"]

    assert [one.entry_id for one in by_fhir] == [NEW]
    assert documents == [KOS]
    assert everything.ids("ExtrinsicObject") == [NEW]
    sets = everything.ids("RegistryPackage")
    assert len({UUID(one).version for one in sets}) == 1
    assert len(set(sets)) == 2
    assert set(related.ids("ExtrinsicObject")) == {OLD, NEW}
    assert listed == 200  # a set was named by the id of its one entry
    assert meta["versionId"] == "1"
    assert meta["lastUpdated"].startswith("20")  # when it was submitted
    assert again.errors == ["XDSDuplicateUniqueIdInRegistry"]
