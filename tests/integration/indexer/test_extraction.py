"""A record is taken along by its holder, and reads back: by others, and by another index."""

import hashlib
import io
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import aiohttp
import orjson
import pytest
from lxml import etree

from gateway.media.tree import open_medium
from gateway.media.xdm import read_pointers
from gateway.storage.engines import open_at
from gateway.storage.sqlite import SqliteDatabase
from indexer.client.xdm import read_metadata
from indexer.contract.document import Code, DocumentEntry
from indexer.contract.document_set import Association, DocumentSet, Relation
from indexer.contract.identifiers import Ins
from indexer.server.acts import Exchange
from indexer.server.custody.archive_import import ArchiveImport, Fate
from indexer.server.custody.extraction import written_archive
from indexer.wire.fhir.patch import read_json_patch, withdrawal_patch
from indexer.wire.outcome import IssueCode, Refusal
from tests.support.custody import Custody, a_doctor, custody_of
from tests.support.fhir_answers import expect_fhir
from tests.support.pointers import ANNE, KOS, PAUL
from tests.support.xds import a_document, a_set, provide

RIM = "{urn:oasis:names:tc:ebxml-regrep:xsd:rim:3.0}"
HIDDEN = Code(code="INVISIBLE_PATIENT", scheme="1.2.250.1.213.1.1.4.13")
WITHDRAWAL = read_json_patch(withdrawal_patch())
MASKED = Code(code="MASQUE_PS", scheme="1.2.250.1.213.1.1.4.13")


@pytest.fixture
async def custody(tmp_path: Path, database_url: str) -> AsyncIterator[Custody]:
    async with custody_of(await open_at(database_url, tmp_path / "index.sqlite")) as custody:
        yield custody


async def held(custody: Custody, submitted: DocumentSet) -> list[str]:
    """The ids of its documents."""
    done = await custody.custodian.provide(None, submitted, exchange=Exchange.PROVIDE)
    return [one.entry.entry_id for one in done.documents]


def labelled(submitted: DocumentSet, code: Code) -> DocumentSet:
    documents = tuple(
        replace(one, entry=replace(one.entry, confidentiality=(*one.entry.confidentiality, code)))
        for one in submitted.documents
    )
    return replace(submitted, documents=documents)


async def a_record(custody: Custody) -> None:
    """Two sets, the second of which replaces a document of the first, and what is not for Anne."""
    first, _ = await held(custody, a_set(1, 2))
    replaces = Association(relation=Relation.REPLACES, source="Document3", target=first)
    await held(custody, replace(a_set(3), associations=(replaces,)))
    await held(custody, labelled(a_set(4), HIDDEN))
    await held(custody, labelled(a_set(5), MASKED))
    [withdrawn] = await held(custody, a_set(6))
    await custody.custodian.update(None, withdrawn, WITHDRAWAL)
    await held(custody, of_paul(a_set(7)))


def of_paul(submitted: DocumentSet) -> DocumentSet:
    return DocumentSet(
        submission_set=replace(submitted.submission_set, patient=PAUL),
        documents=tuple(
            replace(one, entry=replace(one.entry, patient=PAUL)) for one in submitted.documents
        ),
    )


async def archive_of(custody: Custody, patient: Ins = ANNE) -> bytes:
    sets = await custody.custodian.extract(None, patient)
    return b"".join([one async for one in written_archive(sets, custody.custodian.extracted)])


async def test_an_archive_holds_what_its_holder_may_see_and_nothing_else(
    custody: Custody,
) -> None:
    await a_record(custody)

    archive = ZipFile(io.BytesIO(await archive_of(custody)))

    assert archive.testzip() is None
    described: dict[str, str] = {}
    for name in archive.namelist():
        if name.endswith("METADATA.XML"):
            described.update(entries_of(archive, name))
    assert set(described) == {"2.25.11", "2.25.12", "2.25.13", "2.25.15"}
    assert {hashlib.sha1(KOS).hexdigest()} == set(described.values())
    assert sorted(one for one in archive.namelist() if "IHE_XDM" not in one) == [
        "INDEX.HTM", "README.TXT"
    ]  # fmt: skip


def entries_of(archive: ZipFile, metadata: str) -> dict[str, str]:
    """The SHA-1 of each document that the metadata leads to, by unique id: read by lxml alone."""
    root = etree.fromstring(archive.read(metadata))
    folder = metadata.rpartition("/")[0]
    found = {}
    for entry in root.iter(f"{RIM}ExtrinsicObject"):
        slots = {
            one.get("name"): one.findtext(f".//{RIM}Value") for one in entry.iter(f"{RIM}Slot")
        }
        content = archive.read(f"{folder}/{slots['URI']}")
        assert slots["hash"] == hashlib.sha1(content).hexdigest()
        assert slots["size"] == str(len(content))
        [unique_id] = [
            one.get("value", "")
            for one in entry.iter(f"{RIM}ExternalIdentifier")
            if one.get("identificationScheme") == "urn:uuid:2e82c1f6-a085-4c72-9da3-8640a32e42ab"
        ]
        found[unique_id] = str(slots["hash"])
    return found


async def test_another_index_takes_the_archive_in_and_holds_the_same(
    custody: Custody, tmp_path: Path
) -> None:
    await a_record(custody)
    path = tmp_path / "dossier.zip"
    path.write_bytes(await archive_of(custody))

    async with custody_of(await SqliteDatabase.open(tmp_path / "other.sqlite")) as other:
        importing = ArchiveImport(other.custodian, open_medium(path), set_bytes_max=2**20)
        fates = [one.fate async for one in importing.run()]
        theirs = await other.custodian.extract(None, ANNE)

    ours = await custody.custodian.extract(None, ANNE)
    assert fates == [Fate.HELD] * 4
    assert {one.submission_set.unique_id: described(one) for one in theirs} == {
        one.submission_set.unique_id: described(one) for one in ours
    }


def described(one: DocumentSet) -> Any:
    """A set without what each index allots of its own."""
    entries = {document.entry.entry_id: without_ids(document.entry) for document in one.documents}
    relations = [
        (entries[each.source].unique_id, each.relation)
        for each in one.associations
        if each.source in entries
    ]
    told = replace(one.submission_set, set_id="")
    return told, sorted(entries.values(), key=lambda entry: entry.unique_id), relations


def without_ids(entry: DocumentEntry) -> DocumentEntry:
    return replace(entry, entry_id="", document_url="")


async def test_a_gateway_reads_the_pointers_of_the_archive(
    custody: Custody, tmp_path: Path
) -> None:
    await held(custody, a_set(1, 2))
    path = tmp_path / "dossier.zip"
    path.write_bytes(await archive_of(custody))
    tree = open_medium(path)

    metadata = tree.find("IHE_XDM/SUBSET01/METADATA.XML")
    assert metadata is not None
    pointers = read_pointers(tree, metadata, read_metadata)

    found = {one.submission.entry.unique_id: one.submission.document for one in pointers}
    assert found == {"2.25.11": KOS, "2.25.12": KOS}


async def test_it_is_told_in_the_journal_before_a_byte_is_given(custody: Custody) -> None:
    ids = await held(custody, a_set(1, 2))

    await custody.custodian.extract(None, ANNE)

    told = (await custody.told())[-1]
    assert (told["act"], sorted(told["entries"])) == ("extract", sorted(ids))


async def test_nobody_but_its_holder_takes_a_record_along(custody: Custody) -> None:
    await held(custody, a_set(1))

    with pytest.raises(Refusal) as refusal:
        await custody.custodian.extract(a_doctor(), ANNE)

    told = (await custody.told())[-1]
    assert refusal.value.code is IssueCode.FORBIDDEN
    assert (told["act"], told["outcome"]) == ("extract", "forbidden")
    assert told["who"]["number"] == a_doctor().person.number


async def test_what_is_withdrawn_meanwhile_is_left_out(custody: Custody) -> None:
    first, _ = await held(custody, a_set(1, 2))
    sets = await custody.custodian.extract(None, ANNE)
    await custody.custodian.update(None, first, WITHDRAWAL)

    written = [one async for one in written_archive(sets, custody.custodian.extracted)]

    archive = ZipFile(io.BytesIO(b"".join(written)))
    [metadata] = [one for one in archive.namelist() if one.endswith("METADATA.XML")]
    assert set(entries_of(archive, metadata)) == {"2.25.12"}


async def test_no_more_than_a_document_is_held_at_a_time(custody: Custody) -> None:
    documents = [bytes([number]) * 50_000 for number in range(8)]
    for number, content in enumerate(documents):
        one = a_set(number)
        await held(custody, replace(one, documents=(a_document(number, content=content),)))
    sets = await custody.custodian.extract(None, ANNE)
    read: list[str] = []

    async def counted(entry_id: str) -> bytes | None:
        read.append(entry_id)
        return await custody.custodian.extracted(entry_id)

    given = written_archive(sets, counted)
    await anext(given)

    assert len(read) == 1
    await given.aclose()


async def extracted(
    session: aiohttp.ClientSession, index_url: str, told: object, *, status: int = 200
) -> tuple[str, bytes]:
    url = f"{index_url}/api/records/extract"
    async with session.post(url, json=told) as answer:
        assert answer.status == status
        return answer.headers["Content-Type"], await answer.read()


WHOSE = {"ins": ANNE.value, "oid": ANNE.oid}


async def test_it_comes_as_an_archive_over_the_web(
    index_url: str, session: aiohttp.ClientSession
) -> None:
    await provide(index_url, a_set(1, 2))

    media_type, content = await extracted(session, index_url, WHOSE)

    assert media_type == "application/zip"
    archive = ZipFile(io.BytesIO(content))
    assert set(entries_of(archive, "IHE_XDM/SUBSET01/METADATA.XML")) == {"2.25.11", "2.25.12"}


@pytest.mark.parametrize("sets", [[], [(1,), (2, 3)]])
async def test_it_comes_as_a_bundle_that_other_programs_read(
    index_url: str, session: aiohttp.ClientSession, sets: list[tuple[int, ...]]
) -> None:
    for numbers in sets:
        await provide(index_url, a_set(*numbers))

    _, content = await extracted(session, index_url, {**WHOSE, "format": "fhir"})

    bundle = orjson.loads(content)
    expect_fhir(bundle)
    found = [one["resource"]["resourceType"] for one in bundle.get("entry", [])]
    count = sum(len(one) for one in sets)
    assert sorted(found) == sorted(
        [*["Binary", "DocumentReference"] * count, *["List"] * len(sets)]
    )
    urls = {one["fullUrl"] for one in bundle.get("entry", [])}
    for one in bundle.get("entry", []):
        if one["resource"]["resourceType"] == "DocumentReference":
            assert one["resource"]["content"][0]["attachment"]["url"] in urls


@pytest.mark.parametrize("told", [
    {}, {"ins": ANNE.value}, {"ins": "1", "oid": ANNE.oid}, {**WHOSE, "format": "pdf"},
    {**WHOSE, "format": []}, {"ins": 1, "oid": 2},
])  # fmt: skip
async def test_a_request_that_is_none_is_refused(
    index_url: str, session: aiohttp.ClientSession, told: object
) -> None:
    media_type, content = await extracted(session, index_url, told, status=400)

    assert media_type.startswith("application/fhir+json")
    assert ANNE.value.encode() not in content
