"""What the index answers by XDS.b, success or not, has the shape that the standards give it."""

from indexer.server.web.xds_routes import REPOSITORY_UID
from indexer.wire.xds import vocabulary as names
from indexer.wire.xds.stored_query import QueryKind
from indexer.wire.xds.writer import withdraw_objects_request
from tests.support.pointers import a_submission
from tests.support.xds import (
    APPROVED,
    UPDATE,
    Reply,
    a_set,
    ask,
    provide,
    query,
    retrieve,
    uuid_of,
)
from tests.support.xds_shapes import faults_of

UNIQUE_ID = a_submission().entry.unique_id
PATIENT = "'279035121518989^^^&1.2.250.1.213.1.4.10&ISO^NH'"
ENTRY = "$XDSDocumentEntry"
STATUS = f"('{APPROVED}')"


async def test_answers_have_their_shape(index_url: str) -> None:
    held = await provide(index_url, a_set(1))
    named = (f"{ENTRY}UniqueId", f"('{UNIQUE_ID}')")
    found = await query(index_url, QueryKind.GET_DOCUMENTS, named)
    [entry] = [one.entry for one in a_set(1).documents]
    entry_id = uuid_of(entry, found)
    uuid = ("$uuid", f"('{names.UUID}{entry_id}')")
    everything = [
        ("$patientId", PATIENT),
        (f"{ENTRY}Status", STATUS),
        ("$XDSSubmissionSetStatus", STATUS),
        ("$XDSFolderStatus", STATUS),
    ]
    answers = {
        "held": held,
        "refused": await provide(index_url, a_set(1)),
        "found": found,
        "ids": await query(index_url, QueryKind.GET_DOCUMENTS, named, returns="ObjectRef"),
        "everything": await query(index_url, QueryKind.GET_ALL, *everything),
        "associations": await query(index_url, QueryKind.GET_ASSOCIATIONS, uuid),
        "not asked well": await query(index_url, QueryKind.GET_DOCUMENTS),
        "given": await retrieve(index_url, REPOSITORY_UID, UNIQUE_ID),
        "some given": await retrieve(index_url, REPOSITORY_UID, UNIQUE_ID, "1.2.3"),
        "not given": await retrieve(index_url, "1.2.3", UNIQUE_ID),
        "not changed": await change(index_url, "00000000-0000-4000-8000-000000000000"),
        "changed": await change(index_url, entry_id),
    }

    faults = {what: faults_of(reply.body) for what, reply in answers.items()}
    assert {what: found for what, found in faults.items() if found} == {}
    assert [answers["changed"].outcome, answers["refused"].outcome] == ["Success", "Failure"]
    assert answers["some given"].outcome == "PartialSuccess"


async def change(root: str, entry_id: str) -> Reply:
    """ITI-57 that withdraws an entry."""
    body = withdraw_objects_request(a_set(1).submission_set, entry_id, original=APPROVED)
    return await ask(f"{root}/xds/registry", UPDATE, body)
