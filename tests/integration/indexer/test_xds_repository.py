"""ITI-41: what is provided is held whole or not at all, and given back as it came."""

import asyncio
from dataclasses import replace

import aiohttp
import pytest
from lxml import etree

from indexer.client.mhd import MhdIndex
from indexer.contract.document import SIZE_NOT_TOLD, Code, DocumentQuery, EntryStatus
from indexer.contract.document_set import Association, Relation
from indexer.server.web.xds_routes import REPOSITORY_UID
from indexer.wire.xds import vocabulary as names
from indexer.wire.xds.stored_query import QueryKind
from tests.support.pointers import ANNE, KOS, PAUL, a_submission, an_entry
from tests.support.spoiling import classify
from tests.support.xds import (
    APPROVED,
    PROVIDE,
    SPACES,
    Reply,
    a_document,
    a_set,
    ask,
    provide,
    provide_body,
    query,
    retrieve,
    uuid_of,
)

FIND = "14d4debf-8f97-4251-9a74-a90016b0af0d"
GET_ALL = "10b545ea-725c-446d-9b95-8aeb444eddf3"
ANY_STATUS = frozenset(EntryStatus)
PATIENT = f"'{ANNE.value}^^^&{ANNE.oid}&ISO'"
UNKNOWN = "00000000-0000-4000-8000-000000000000"


async def found_by_xds(index_url: str, *statuses: EntryStatus) -> Reply:
    told = ",".join(f"'{names.STATUSES[one]}'" for one in statuses or [EntryStatus.APPROVED])
    return await query(
        index_url,
        FIND,
        ("$XDSDocumentEntryPatientId", PATIENT),
        ("$XDSDocumentEntryStatus", f"({told})"),
    )


async def held_uuid(index_url: str, number: int) -> str:
    """The entryUUID of a document that is submitted now."""
    assert (await provide(index_url, a_set(number))).outcome == "Success"
    return uuid_of(an_entry(number), await found_by_xds(index_url))


@pytest.mark.parametrize("inline", [False, True], ids=["beside the message", "inside it"])
async def test_documents_are_given_back_as_they_came(index_url: str, inline: bool) -> None:
    content = bytes(range(256)) * 40 + b"\r\n--b"
    submitted = replace(a_set(1), documents=(a_document(1), a_document(2, content=content)))

    provided = await provide(index_url, submitted, inline=inline)
    given = await retrieve(
        index_url, REPOSITORY_UID, *(one.entry.unique_id for one in submitted.documents)
    )

    assert (provided.status, provided.outcome, provided.errors) == (200, "Success", [])
    assert given.outcome == "Success"
    assert given.documents == [KOS, content]


async def test_an_answer_says_what_it_answers(index_url: str) -> None:
    reply = await provide(index_url, a_set(1))

    action = reply.envelope.findtext("env:Header/wsa:Action", None, SPACES)
    related = reply.envelope.findtext("env:Header/wsa:RelatesTo", None, SPACES)
    assert action == f"{PROVIDE}Response"
    assert str(related).startswith("urn:uuid:")


async def test_what_is_provided_is_found_by_fhir_and_the_reverse(
    index_url: str, session: aiohttp.ClientSession
) -> None:
    mhd = MhdIndex(index_url, session)
    await provide(index_url, a_set(1))
    await mhd.submit(a_submission(2))

    by_fhir = await mhd.find(DocumentQuery(patient=ANNE))
    by_xds = await found_by_xds(index_url)
    given = await retrieve(index_url, REPOSITORY_UID, an_entry(2).unique_id)

    assert [replace(one, entry_id="", document_url="") for one in by_fhir] == [
        an_entry(2),
        an_entry(1),
    ]
    assert await mhd.retrieve(by_fhir[1]) == KOS
    assert by_xds.ids("ExtrinsicObject") == [one.entry_id for one in by_fhir]
    assert given.documents == [KOS]


async def test_hash_and_size_that_are_not_told_are_worked_out(index_url: str) -> None:
    document = a_document(1)
    entry = replace(document.entry, sha1="", size_bytes=SIZE_NOT_TOLD)

    reply = await provide(index_url, replace(a_set(1), documents=(replace(document, entry=entry),)))

    found = await found_by_xds(index_url)
    told = found.body.findtext(".//rim:Slot[@name='hash']/rim:ValueList/rim:Value", "", SPACES)
    assert (reply.outcome, told) == ("Success", an_entry(1).sha1)


@pytest.mark.parametrize("relation", [Relation.REPLACES, Relation.TRANSFORMS_AND_REPLACES])
async def test_what_is_replaced_is_deprecated_with_all_that_follows_it(
    index_url: str, relation: Relation
) -> None:
    old = await held_uuid(index_url, 1)
    follow = Association(relation=Relation.APPENDS, source="Document2", target=old)
    await provide(index_url, a_set(2, relations=[follow]))
    amendment = uuid_of(an_entry(2), await found_by_xds(index_url))
    further = Association(relation=Relation.TRANSFORMS, source="Document3", target=amendment)
    await provide(index_url, a_set(3, relations=[further]))

    replacing = Association(relation=relation, source="Document4", target=old)
    reply = await provide(index_url, a_set(4, relations=[replacing]))

    current = await found_by_xds(index_url)
    gone = await found_by_xds(index_url, EntryStatus.DEPRECATED)
    assert reply.outcome == "Success"
    assert current.ids("ExtrinsicObject") == [uuid_of(an_entry(4), current)]
    assert set(gone.ids("ExtrinsicObject")) == {
        uuid_of(an_entry(number), gone) for number in (1, 2, 3)
    }


@pytest.mark.parametrize("relation", [
    Relation.REPLACES, Relation.APPENDS, Relation.TRANSFORMS, Relation.TRANSFORMS_AND_REPLACES,
])  # fmt: skip
async def test_what_is_deprecated_is_no_target(index_url: str, relation: Relation) -> None:
    old = await held_uuid(index_url, 1)
    replacing = Association(relation=Relation.REPLACES, source="Document2", target=old)
    await provide(index_url, a_set(2, relations=[replacing]))

    late = Association(relation=relation, source="Document3", target=old)
    reply = await provide(index_url, a_set(3, relations=[late]))

    assert (reply.outcome, reply.errors) == ("Failure", ["XDSRegistryDeprecatedDocumentError"])


async def test_two_amendments_at_the_same_time_as_a_replacement_never_stay_current(
    index_url: str,
) -> None:
    old = await held_uuid(index_url, 1)
    kinds = [Relation.APPENDS, Relation.REPLACES, Relation.APPENDS]

    replies = await asyncio.gather(
        *(
            provide(
                index_url,
                a_set(n, relations=[Association(relation=kind, source=f"Document{n}", target=old)]),
            )
            for n, kind in enumerate(kinds, start=2)
        )
    )

    current = await found_by_xds(index_url)
    assert replies[1].outcome == "Success"
    assert current.ids("ExtrinsicObject") == [uuid_of(an_entry(3), current)]


async def test_another_patients_document_cannot_be_replaced(index_url: str) -> None:
    theirs = a_submission(1, patient=PAUL)
    whole = a_set(1)
    entry = replace(theirs.entry, entry_id="Document1")
    await provide(
        index_url,
        replace(
            whole,
            submission_set=replace(whole.submission_set, patient=PAUL),
            documents=(replace(whole.documents[0], entry=entry),),
        ),
    )
    found = await query(
        index_url,
        FIND,
        ("$XDSDocumentEntryPatientId", f"'{PAUL.value}^^^&{PAUL.oid}&ISO^NH'"),
        ("$XDSDocumentEntryStatus", f"('{APPROVED}')"),
    )
    [old] = found.ids("ExtrinsicObject")

    replacing = Association(relation=Relation.REPLACES, source="Document2", target=old)
    reply = await provide(index_url, a_set(2, relations=[replacing]))

    assert reply.errors == ["XDSPatientIdDoesNotMatch"]


async def test_a_target_that_is_not_held_is_told_so(index_url: str) -> None:
    replacing = Association(relation=Relation.REPLACES, source="Document1", target=UNKNOWN)

    reply = await provide(index_url, a_set(1, relations=[replacing]))

    assert (reply.outcome, reply.errors) == ("Failure", ["UnresolvedReferenceException"])


async def test_a_document_that_is_held_is_refused_by_what_differs(index_url: str) -> None:
    await provide(index_url, a_set(1))

    again = await provide(index_url, a_set(1))
    other = await provide(
        index_url, replace(a_set(1), documents=(a_document(1, content=b"another"),))
    )

    assert again.errors == ["XDSDuplicateUniqueIdInRegistry"]
    assert other.errors == ["XDSNonIdenticalHash"]


async def test_a_submission_set_is_held_once(index_url: str) -> None:
    first = a_set(1)
    await provide(index_url, first)

    again = await provide(index_url, replace(a_set(2), submission_set=first.submission_set))

    assert again.errors == ["XDSDuplicateUniqueIdInRegistry"]


async def test_a_signature_belongs_to_its_set_and_a_set_may_name_what_is_held(
    index_url: str,
) -> None:
    old = await held_uuid(index_url, 1)
    signs = Association(relation=Relation.SIGNS, source="Document3", target="SubmissionSet01")
    refers = Association(relation=Relation.MEMBER, source="SubmissionSet01", target=old)

    reply = await provide(index_url, a_set(2, 3, relations=[signs, refers]))

    statuses = [
        ("$XDSSubmissionSetStatus", f"('{APPROVED}')"),
        ("$XDSFolderStatus", f"('{APPROVED}')"),
    ]
    everything = await query(
        index_url,
        GET_ALL,
        ("$patientId", PATIENT),
        ("$XDSDocumentEntryStatus", f"('{APPROVED}')"),
        *statuses,
    )
    kinds = sorted(
        one.get("associationType", "").rpartition(":")[2]
        + one.findtext("rim:Slot/rim:ValueList/rim:Value", "", SPACES)
        for one in everything.body.iter(f"{{{names.RIM}}}Association")
    )
    assert reply.outcome == "Success"
    assert kinds == ["HasMemberOriginal"] * 3 + ["HasMemberReference", "signs"]
    assert len(everything.ids("RegistryPackage")) == 2


async def test_a_set_may_name_what_is_held_and_bring_nothing(index_url: str) -> None:
    old = await held_uuid(index_url, 1)
    refers = Association(relation=Relation.MEMBER, source="SubmissionSet01", target=old)

    reply = await provide(index_url, replace(a_set(2, relations=[refers]), documents=()))

    of_document = ("$uuid", f"('urn:uuid:{old}')")
    sets = await query(index_url, "51224314-5390-4169-9b91-b1980040715a", of_document)
    assert (reply.outcome, len(sets.ids("RegistryPackage"))) == ("Success", 2)


async def test_what_a_set_names_by_reference_is_in_its_list_too(
    index_url: str, session: aiohttp.ClientSession
) -> None:
    old = await held_uuid(index_url, 1)
    refers = Association(relation=Relation.MEMBER, source="SubmissionSet01", target=old)
    await provide(index_url, a_set(2, relations=[refers]))
    new = uuid_of(an_entry(2), await found_by_xds(index_url))
    sets = await query(index_url, QueryKind.GET_SUBMISSION_SETS, ("$uuid", f"('urn:uuid:{new}')"))

    async with session.get(f"{index_url}/fhir/List/{sets.ids('RegistryPackage')[0]}") as answer:
        listed = await answer.json(content_type=None)

    assert [one["item"]["reference"] for one in listed["entry"]] == [
        f"DocumentReference/{new}",
        f"DocumentReference/{old}",
    ]


async def test_a_code_beside_the_document_that_it_classifies_is_kept(
    index_url: str, session: aiohttp.ClientSession
) -> None:
    body = provide_body(a_set(1), inline=True)
    classify("Document1", names.CONFIDENTIALITY_CODE, "INVISIBLE_PATIENT")(body)

    reply = await ask(f"{index_url}/xds/repository", PROVIDE, body)

    [entry] = await MhdIndex(index_url, session).find(DocumentQuery(patient=ANNE))
    assert (reply.outcome, reply.errors) == ("Success", [])
    assert [one.code for one in entry.confidentiality] == ["N", "INVISIBLE_PATIENT"]


async def test_references_to_objects_say_nothing_of_their_own(index_url: str) -> None:
    body = provide_body(a_set(1), inline=True)
    objects = body.find(".//rim:RegistryObjectList", SPACES)
    assert objects is not None
    objects.insert(0, etree.Element(f"{{{names.RIM}}}ObjectRef", id=names.AUTHOR))

    reply = await ask(f"{index_url}/xds/repository", PROVIDE, body)

    assert (reply.outcome, reply.errors) == ("Success", [])


async def test_an_empty_document_is_one(index_url: str) -> None:
    submitted = replace(a_set(1), documents=(a_document(1, content=b""), a_document(2)))

    beside = await provide(index_url, submitted)
    inside = await provide(
        index_url, replace(a_set(3), documents=(a_document(3, content=b""),)), inline=True
    )

    given = await retrieve(index_url, REPOSITORY_UID, *(an_entry(n).unique_id for n in (1, 2, 3)))
    assert (beside.errors, inside.errors) == ([], [])
    assert given.documents == [b"", KOS, b""]


async def test_a_scheme_told_as_a_urn_is_the_oid_that_it_names(
    index_url: str, session: aiohttp.ClientSession
) -> None:
    [document] = (submitted := a_set(1)).documents
    entry = replace(document.entry, type_code=Code(code="IMG-KOS", scheme="urn:oid:1.9.2"))

    await provide(index_url, replace(submitted, documents=(replace(document, entry=entry),)))

    [held] = await MhdIndex(index_url, session).find(DocumentQuery(patient=ANNE))
    found = await query(
        index_url,
        FIND,
        ("$XDSDocumentEntryPatientId", PATIENT),
        ("$XDSDocumentEntryStatus", f"('{APPROVED}')"),
        ("$XDSDocumentEntryTypeCode", "('IMG-KOS^^urn:oid:1.9.2')"),
    )
    assert held.type_code.scheme == "1.9.2"
    assert len(found.ids("ExtrinsicObject")) == 1
