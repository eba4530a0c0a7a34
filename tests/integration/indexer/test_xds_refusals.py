"""ITI-41: what cannot be taken whole is refused by its code, and nothing of it is held."""

import sqlite3
from contextlib import closing
from pathlib import Path

import asyncpg
import pytest
from lxml import etree

from indexer.contract.document_set import Relation
from indexer.wire.soap.mtom import XOP_INCLUDE
from indexer.wire.xds import vocabulary as names
from indexer.wire.xds.writer import submit_objects_request
from indexer.wire.xml import Element
from tests.support.pointers import ANNE, PAUL, a_submission, an_entry
from tests.support.spoiling import Change, classify, drop, put, repeat, say, share_part
from tests.support.xds import (
    APPROVED,
    PROVIDE,
    SPACES,
    Reply,
    a_set,
    ask,
    package,
    post,
    provide,
    provide_body,
    query,
    uuid_of,
)

FIND = "14d4debf-8f97-4251-9a74-a90016b0af0d"
PATIENT = f"'{ANNE.value}^^^&{ANNE.oid}&ISO'"
OLD = a_submission(1)


async def rows(folder: Path, database_url: str) -> int:
    """What an index holds of submissions, in any of its tables."""
    tables = ("entry", "document", "submission_set", "association")
    counted = f"SELECT {' + '.join(f'(SELECT count(*) FROM {table})' for table in tables)}"
    if database_url:
        connection = await asyncpg.connect(database_url)
        found = await connection.fetchval(counted)
        await connection.close()
        return int(found)
    with closing(sqlite3.connect(folder / "index.sqlite")) as database:
        return int(database.execute(counted).fetchone()[0])


async def found_by_xds(index_url: str) -> Reply:
    return await query(
        index_url,
        FIND,
        ("$XDSDocumentEntryPatientId", PATIENT),
        ("$XDSDocumentEntryStatus", f"('{APPROVED}')"),
    )


DOCUMENT = ".//rim:ExtrinsicObject"
OF_PATIENT = f"{DOCUMENT}/rim:ExternalIdentifier[@identificationScheme='{names.PATIENT_ID}']"
OF_SET = (
    f".//rim:RegistryPackage/rim:ExternalIdentifier[@identificationScheme='{names.SET_UNIQUE_ID}']"
)
UNIQUE_IDS = f"{DOCUMENT}/rim:ExternalIdentifier[@identificationScheme='{names.UNIQUE_ID}']"


CONFIDENTIALITY = (
    f"{DOCUMENT}/rim:Classification[@classificationScheme='{names.CONFIDENTIALITY_CODE}']"
)
OF_EVENT = f"{DOCUMENT}/rim:Classification[@classificationScheme='{names.EVENT_CODE}']"


def submit_another(body: Element) -> None:
    """A second request in the same message."""
    body.insert(1, submit_objects_request(a_set(2)))


def classify_in_a_circle(body: Element) -> None:
    """Two classifications beside the objects, each of the other."""
    objects = body.find(".//rim:RegistryObjectList", SPACES)
    assert objects is not None
    for own, other in (("A", "B"), ("B", "A")):
        etree.SubElement(objects, f"{{{names.RIM}}}Classification", id=own, classifiedObject=other)


@pytest.mark.parametrize("change, code", [
    (drop("xds:Document"), "XDSMissingDocument"),
    (put("xds:Document", "id", "Another"), "XDSMissingDocumentMetadata"),
    (repeat("xds:Document"), "XDSRepositoryMetadataError"),
    (say("hash", "0" * 40), "XDSRepositoryMetadataError"),
    (say("hash", "no hash"), "XDSRepositoryMetadataError"),
    (say("size", "7"), "XDSRepositoryMetadataError"),
    (say("creationTime", "yesterday"), "XDSRepositoryMetadataError"),
    (drop(f"{DOCUMENT}/rim:Classification"), "XDSRepositoryMetadataError"),
    (drop(".//rim:Association"), "XDSRepositoryMetadataError"),
    (drop(".//rim:RegistryPackage"), "XDSRepositoryMetadataError"),
    (drop(".//rim:RegistryObjectList"), "XDSRepositoryMetadataError"),
    (repeat(".//rim:RegistryPackage"), "XDSRepositoryMetadataError"),
    (put(DOCUMENT, "objectType", "urn:uuid:34268e47-fdf5-41a6-ba33-82133c465248"),
     "XDSRepositoryMetadataError"),
    (put(DOCUMENT, "mimeType", "text"), "XDSRepositoryMetadataError"),
    (put(DOCUMENT, "id", ""), "XDSRepositoryMetadataError"),
    (repeat(".//rim:Association"), "XDSRepositoryMetadataError"),
    (put(".//rim:Association", "sourceObject", "Nobody"), "UnresolvedReferenceException"),
    (put(".//rim:Association", "targetObject", "Nobody"), "UnresolvedReferenceException"),
    (put(".//rim:Association", "targetObject", "urn:uuid:7"), "UnresolvedReferenceException"),
    (put(".//rim:Association", "associationType", "urn:own"), "XDSRepositoryMetadataError"),
    (put(".//rim:Association", "associationType", names.ASSOCIATION_TYPES[Relation.APPENDS]),
     "XDSRepositoryMetadataError"),
    (put(OF_PATIENT, "value", f"{PAUL.value}^^^&{PAUL.oid}&ISO^NH"), "XDSPatientIdDoesNotMatch"),
    (put(OF_PATIENT, "value", "12^^^&1.2&ISO^PI"), "XDSUnknownPatientId"),
    (put(OF_SET, "value", "no UID"), "XDSRepositoryMetadataError"),
    (submit_another, "XDSRepositoryMetadataError"),
    (put(f"{DOCUMENT}/rim:Classification", "classifiedObject", "SubmissionSet01"),
     "XDSRepositoryMetadataError"),
    (classify("Nobody", names.CONFIDENTIALITY_CODE, "INVISIBLE_PATIENT"),
     "XDSRepositoryMetadataError"),
    (classify_in_a_circle, "XDSRepositoryMetadataError"),
    (say("size", "0"), "XDSRepositoryMetadataError"),
    (drop(f"{DOCUMENT}/rim:Slot[@name='languageCode']"), "XDSRepositoryMetadataError"),
    (say("sourcePatientId", "^^^&1.2&ISO^PI"), "XDSRepositoryMetadataError"),
    (say("languageCode", "fr  FR"), "XDSRepositoryMetadataError"),
    (drop(f"{DOCUMENT}/rim:Slot[@name='sourcePatientId']"), "XDSRepositoryMetadataError"),
    (drop(CONFIDENTIALITY), "XDSRepositoryMetadataError"),
    (put(CONFIDENTIALITY, "nodeRepresentation", " "), "XDSRepositoryMetadataError"),
    (put(f"{DOCUMENT}/rim:Classification[@nodeRepresentation='31']", "nodeRepresentation", "3  1"),
     "XDSRepositoryMetadataError"),
    (drop(f"{CONFIDENTIALITY}/rim:Slot"), "XDSRepositoryMetadataError"),
    (drop(f"{OF_EVENT}/rim:Slot"), "XDSRepositoryMetadataError"),
    (drop(".//rim:RegistryPackage/rim:Classification/rim:Slot[@name='codingScheme']"),
     "XDSRepositoryMetadataError"),
    (say("codingScheme", "a scheme"), "XDSRepositoryMetadataError"),
    (put(UNIQUE_IDS, "value", f"{OLD.submission_id}"), "XDSRepositoryDuplicateUniqueIdInMessage"),
])  # fmt: skip
async def test_what_cannot_be_understood_whole_is_refused_and_nothing_of_it_held(
    index_url: str, tmp_path: Path, database_url: str, *, change: Change, code: str
) -> None:
    body = provide_body(a_set(1), inline=True)
    change(body)

    reply = await ask(f"{index_url}/xds/repository", PROVIDE, body)

    assert (reply.status, reply.outcome, reply.errors) == (200, "Failure", [code])
    assert ANNE.value not in str(reply.body.xpath("string(.//@codeContext)"))
    assert await rows(tmp_path, database_url) == 0


async def test_of_a_set_with_one_bad_document_no_other_is_held(index_url: str) -> None:
    await provide(index_url, a_set(2))

    reply = await provide(index_url, a_set(1, 2, 3))

    found = await found_by_xds(index_url)
    assert reply.errors == ["XDSDuplicateUniqueIdInRegistry"]
    assert found.ids("ExtrinsicObject") == [uuid_of(an_entry(2), found)]


async def test_parts_of_a_message_must_be_there_and_be_meant(
    index_url: str, tmp_path: Path, database_url: str
) -> None:
    url = f"{index_url}/xds/repository"
    submitted = a_set(1)
    body = provide_body(submitted, inline=False)
    content_type, unmeant = package(a_set(1, 2), body)

    reply = await post(url, unmeant, content_type=content_type)
    for include in body.iter(XOP_INCLUDE):
        include.set("href", "cid:another")
    content_type, missing = package(submitted, body)
    other = await post(url, missing, content_type=content_type)

    assert reply.errors == ["XDSMissingDocumentMetadata"]
    assert other.errors == ["XDSMissingDocument"]
    assert await rows(tmp_path, database_url) == 0


async def test_a_part_of_a_message_is_one_document(
    index_url: str, tmp_path: Path, database_url: str
) -> None:
    """Sixty documents that share a part would be sent once, and stored sixty times."""
    body = provide_body(a_set(1, 2), inline=False)
    share_part(body)
    content_type, shared = package(a_set(1), body)

    reply = await post(f"{index_url}/xds/repository", shared, content_type=content_type)

    assert (reply.outcome, reply.errors) == ("Failure", ["XDSRepositoryMetadataError"])
    assert await rows(tmp_path, database_url) == 0
