"""ITI-57: what is Approved becomes Deprecated or, as the DMP has it, Deleted; no more changes."""

from collections.abc import Callable

import aiohttp
import pytest
from lxml import etree

from indexer.client.mhd import MhdIndex
from indexer.contract.document import EntryStatus
from indexer.contract.document_set import Association, DocumentSet, Relation
from indexer.server.web.xds_routes import REPOSITORY_UID
from indexer.wire.xds import vocabulary as names
from indexer.wire.xds.stored_query import QueryKind
from indexer.wire.xds.writer import submit_objects_request
from indexer.wire.xml import Element
from tests.support.pointers import PAUL, a_submission, an_entry
from tests.support.xds import UPDATE, Reply, a_set, ask, provide, query, retrieve

DELETED = names.STATUSES[EntryStatus.WITHDRAWN]
APPROVED = names.STATUSES[EntryStatus.APPROVED]
SYMBOL = "SubmissionSet01"


def request(target: str, *, original: str = APPROVED, new: str = DELETED) -> Element:
    told = a_set(9).submission_set
    body = submit_objects_request(DocumentSet(submission_set=told, documents=()))
    [objects] = body
    change = etree.SubElement(
        objects,
        f"{{{names.RIM}}}Association",
        id="Change",
        associationType=names.UPDATE_STATUS,
        sourceObject=SYMBOL,
        targetObject=f"urn:uuid:{target}",
    )
    for name, value in (("OriginalStatus", original), ("NewStatus", new)):
        slot = etree.SubElement(change, f"{{{names.RIM}}}Slot", name=name)
        listed = etree.SubElement(slot, f"{{{names.RIM}}}ValueList")
        etree.SubElement(listed, f"{{{names.RIM}}}Value").text = value
    return body


async def update(index_url: str, body: Element) -> Reply:
    return await ask(f"{index_url}/xds/registry", UPDATE, body)


async def held(index_url: str, number: int = 1) -> str:
    assert (await provide(index_url, a_set(number))).outcome == "Success"
    found = await of_document(index_url, number)
    [uuid] = found.ids("ExtrinsicObject")
    return uuid


async def of_document(index_url: str, number: int = 1) -> Reply:
    unique_id = ("$XDSDocumentEntryUniqueId", f"('{an_entry(number).unique_id}')")
    return await query(index_url, QueryKind.GET_DOCUMENTS, unique_id)


def status_of(found: Reply) -> str:
    [entry] = found.body.iter(f"{{{names.RIM}}}ExtrinsicObject")
    return entry.get("status", "")


async def test_what_is_deleted_is_told_so_and_given_no_more(
    index_url: str, session: aiohttp.ClientSession
) -> None:
    uuid = await held(index_url)

    reply = await update(index_url, request(uuid))

    given = await retrieve(index_url, REPOSITORY_UID, an_entry(1).unique_id)
    by_fhir = await MhdIndex(index_url, session).find_by_unique_id(an_entry(1).unique_id)
    assert (reply.status, reply.outcome, reply.errors) == (200, "Success", [])
    assert status_of(await of_document(index_url)) == DELETED
    assert given.errors == ["XDSDocumentUniqueIdError"]
    assert by_fhir is not None
    assert by_fhir.status is EntryStatus.WITHDRAWN


async def test_what_is_deleted_is_told_by_each_query_that_asks_for_it_by_id(index_url: str) -> None:
    old = await held(index_url)
    replaces = Association(relation=Relation.REPLACES, source="Document2", target=old)
    await provide(index_url, a_set(2, relations=[replaces]))
    [uuid] = (await of_document(index_url, 2)).ids("ExtrinsicObject")

    await update(index_url, request(uuid))

    related = await query(
        index_url,
        QueryKind.GET_RELATED,
        ("$XDSDocumentEntryEntryUUID", f"'urn:uuid:{old}'"),
        ("$AssociationTypes", f"('{names.ASSOCIATION_TYPES[Relation.REPLACES]}')"),
    )
    contents = await query(
        index_url,
        QueryKind.GET_SET_AND_CONTENTS,
        ("$XDSSubmissionSetUniqueId", f"'{a_submission(2).submission_id}'"),
    )
    assert set(related.ids("ExtrinsicObject")) == {old, uuid}
    assert contents.ids("ExtrinsicObject") == [uuid]


async def test_what_is_deprecated_is_given_still_and_stays_so_until_it_is_deleted(
    index_url: str,
) -> None:
    uuid = await held(index_url)
    deprecated = names.STATUSES[EntryStatus.DEPRECATED]

    reply = await update(index_url, request(uuid, new=deprecated))
    again = await update(index_url, request(uuid, new=deprecated))

    given = await retrieve(index_url, REPOSITORY_UID, an_entry(1).unique_id)
    assert (reply.outcome, again.errors) == ("Success", ["XDSMetadataUpdateError"])
    assert status_of(await of_document(index_url)) == deprecated
    assert len(given.documents) == 1
    assert (await update(index_url, request(uuid, original=deprecated))).outcome == "Success"
    assert status_of(await of_document(index_url)) == DELETED


async def test_what_fhir_withdrew_is_deleted_in_xds(
    index_url: str, session: aiohttp.ClientSession
) -> None:
    mhd = MhdIndex(index_url, session)
    receipt = await mhd.submit(a_submission(1))

    await mhd.withdraw(receipt.entry_id)

    assert status_of(await of_document(index_url)) == DELETED


def put(path: str, name: str, value: str) -> Callable[[Element], None]:
    def change(body: Element) -> None:
        for one in body.iterfind(path, {"rim": names.RIM}):
            one.set(name, value)

    return change


def add_document(body: Element) -> None:
    body[0].extend(submit_objects_request(a_set(2)).iter(f"{{{names.RIM}}}ExtrinsicObject"))


def drop_change(body: Element) -> None:
    body[0].remove(body[0][-1])


@pytest.mark.parametrize("told, code", [
    ({"original": names.STATUSES[EntryStatus.DEPRECATED]}, "XDSMetadataUpdateError"),
    ({"original": "urn:own"}, "XDSMetadataUpdateError"),
    ({"original": ""}, "XDSMetadataUpdateError"),
    ({"original": DELETED, "new": names.STATUSES[EntryStatus.DEPRECATED]},
     "XDSMetadataUpdateOperationError"),
    ({"original": names.STATUSES[EntryStatus.DEPRECATED], "new": APPROVED},
     "XDSMetadataUpdateOperationError"),
    ({"new": "urn:own"}, "XDSMetadataUpdateOperationError"),
])  # fmt: skip
async def test_another_change_of_status_is_refused(
    index_url: str, told: dict[str, str], code: str
) -> None:
    uuid = await held(index_url)

    reply = await update(index_url, request(uuid, **told))

    assert (reply.outcome, reply.errors) == ("Failure", [code])
    assert status_of(await of_document(index_url)) == APPROVED


@pytest.mark.parametrize("change, code", [
    (put(".//rim:Association", "targetObject", "urn:uuid:00000000-0000-4000-8000-000000000000"),
     "UnresolvedReferenceException"),
    (put(".//rim:Association", "targetObject", "Document01"), "UnresolvedReferenceException"),
    (put(".//rim:Association", "sourceObject", "Another"), "XDSMetadataUpdateError"),
    (put(".//rim:Association", "associationType", names.HAS_MEMBER),
     "XDSMetadataUpdateOperationError"),
    (put(f".//rim:ExternalIdentifier[@identificationScheme='{names.SET_PATIENT_ID}']", "value",
         f"{PAUL.value}^^^&{PAUL.oid}&ISO^NH"), "XDSPatientIdDoesNotMatch"),
    (put(f".//rim:ExternalIdentifier[@identificationScheme='{names.SET_UNIQUE_ID}']", "value",
         "no UID"), "XDSRegistryMetadataError"),
    (add_document, "XDSMetadataUpdateOperationError"),
    (drop_change, "XDSMetadataUpdateError"),
])  # fmt: skip
async def test_a_change_that_is_not_understood_is_refused(
    index_url: str, change: Callable[[Element], None], code: str
) -> None:
    body = request(await held(index_url))
    change(body)

    reply = await update(index_url, body)

    assert (reply.outcome, reply.errors) == ("Failure", [code])
    assert status_of(await of_document(index_url)) == APPROVED


async def test_of_two_changes_of_which_one_fails_neither_is_made(index_url: str) -> None:
    body = request(await held(index_url))
    wrong = request(await held(index_url, 2), original=names.STATUSES[EntryStatus.DEPRECATED])
    body[0].append(wrong[0][-1])

    reply = await update(index_url, body)

    assert reply.errors == ["XDSMetadataUpdateError"]
    assert status_of(await of_document(index_url)) == APPROVED
