"""ITI-18: each stored query that concerns documents, what it finds and what it refuses."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime

import pytest

from indexer.contract.document import Code, EntryStatus, Person, ReferenceId, ReferenceKind
from indexer.contract.document_set import Association, Document, Relation
from indexer.wire.xds import vocabulary as names
from indexer.wire.xds.stored_query import QueryKind
from tests.support.pointers import ANNE, KOS, PAUL, STUDY, a_submission, an_entry
from tests.support.xds import APPROVED, Reply, a_set, provide, query, uuid_of

PATIENT = ("$XDSDocumentEntryPatientId", f"'{ANNE.value}^^^&{ANNE.oid}&ISO'")
STATUS = ("$XDSDocumentEntryStatus", f"('{APPROVED}')")
DEPRECATED = f"('{names.STATUSES[EntryStatus.DEPRECATED]}')"
RPLC = names.ASSOCIATION_TYPES[Relation.REPLACES]
APND = names.ASSOCIATION_TYPES[Relation.APPENDS]


@dataclass(frozen=True)
class World:
    """Anne's documents: 1, which 2 replaced; 3, an amendment of 2; and 4, of Paul's."""

    url: str
    first: str
    second: str
    third: str
    pauls: str

    async def ask(
        self, kind: QueryKind, *parameters: tuple[str, str], returns: str = "LeafClass"
    ) -> Reply:
        return await query(self.url, kind, *parameters, returns=returns)


@pytest.fixture
async def world(index_url: str) -> World:
    async def told(number: int, *, patient: str = PATIENT[1]) -> str:
        found = await query(
            index_url,
            QueryKind.FIND_DOCUMENTS,
            (PATIENT[0], patient),
            STATUS,
        )
        return uuid_of(an_entry(number), found)

    await provide(index_url, a_set(1))
    first = await told(1)
    replaces = Association(relation=Relation.REPLACES, source="Document2", target=first)
    await provide(index_url, a_set(2, relations=[replaces]))
    second = await told(2)
    appends = Association(relation=Relation.APPENDS, source="Document3", target=second)
    third_set = a_set(3, relations=[appends])
    [document] = third_set.documents
    await provide(index_url, replace(third_set, documents=(special(document),)))
    pauls = a_set(4)
    await provide(
        index_url,
        replace(
            pauls,
            submission_set=replace(pauls.submission_set, patient=PAUL),
            documents=tuple(
                replace(one, entry=replace(one.entry, patient=PAUL)) for one in pauls.documents
            ),
        ),
    )
    return World(
        url=index_url,
        first=first,
        second=second,
        third=await told(3),
        pauls=await told(4, patient=f"'{PAUL.value}^^^&{PAUL.oid}&ISO'"),
    )


def special(document: Document) -> Document:
    """A document whose metadata is that of no other."""
    entry = replace(
        document.entry,
        class_code=Code(code="10", scheme="1.9.1"),
        type_code=Code(code="18748-4", scheme="1.9.2"),
        practice_setting=Code(code="AMBULATOIRE", scheme="1.9.3"),
        facility=Code(code="SA07", scheme="1.9.4"),
        event_codes=(Code(code="MR", scheme="1.9.5"), Code(code="HEAD", scheme="1.9.6")),
        confidentiality=(
            Code(code="N", scheme="2.16.840.1.113883.5.25"),
            Code(code="MASQUE_PS", scheme="1.2.250.1.213.1.1.4.13"),
        ),
        format_code=Code(code="urn:own", scheme="1.9.7"),
        author=Person(number="801", family="D'ARC", given="Jeanne"),
        reference_ids=(
            ReferenceId(kind=ReferenceKind.ACCESSION, value="Z9", authority="1.9.8"),
            ReferenceId(kind=ReferenceKind.STUDY, value="1.9.9"),
        ),
        service_start=datetime(2020, 2, 3, 8, tzinfo=UTC),
        service_stop=None,
        created_at=datetime(2021, 5, 6, 7, 8, 9, tzinfo=UTC),
    )
    return replace(document, entry=entry)


def entry(name: str, value: str) -> tuple[str, str]:
    return f"$XDSDocumentEntry{name}", value


@pytest.mark.parametrize("criteria", [
    [entry("ClassCode", "('10^^1.9.1')")],
    [entry("ClassCode", "('nothing^^1.9.1','10^^1.9.1')")],
    [entry("TypeCode", "('18748-4^^1.9.2')")],
    [entry("PracticeSettingCode", "('AMBULATOIRE^^1.9.3')")],
    [entry("HealthcareFacilityTypeCode", "('SA07^^1.9.4')")],
    [entry("EventCodeList", "('MR^^1.9.5')")],
    [entry("EventCodeList", "('MR^^1.9.5','CT^^0')"), entry("EventCodeList", "('HEAD^^1.9.6')")],
    [entry("ConfidentialityCode", "('MASQUE_PS^^1.2.250.1.213.1.1.4.13')")],
    [entry("FormatCode", "('urn:own^^1.9.7')")],
    [entry("CreationTimeFrom", "20210506070809"), entry("CreationTimeTo", "20210506070810")],
    [entry("CreationTimeTo", "'2022'")],
    [entry("ServiceStartTimeTo", "20200204"), entry("ServiceStartTimeFrom", "2020")],
    [entry("ServiceStopTimeFrom", "20300101")],
    [entry("AuthorPerson", "('%D''ARC^%')")],
    [entry("AuthorPerson", "('80_^D''ARC^Jeann_%')")],
    [entry("AuthorPerson", "('nobody','801^%')")],
])  # fmt: skip
async def test_each_criterion_finds_what_meets_it(
    world: World, criteria: list[tuple[str, str]]
) -> None:
    found = await world.ask(QueryKind.FIND_DOCUMENTS, PATIENT, STATUS, *criteria)

    assert found.outcome == "Success"
    assert found.ids("ExtrinsicObject") == [world.third]


@pytest.mark.parametrize("criteria", [
    [entry("ClassCode", "('10^^1.9')")],
    [entry("EventCodeList", "('MR^^1.9.5')"), entry("EventCodeList", "('CT^^1.9.5')")],
    [entry("CreationTimeFrom", "20210506070810"), entry("CreationTimeTo", "2022")],
    [entry("CreationTimeTo", "20210506070809")],
    [entry("AuthorPerson", "('D''ARC')")],
    [entry("Type", "('urn:uuid:34268e47-fdf5-41a6-ba33-82133c465248')")],
])  # fmt: skip
async def test_what_does_not_meet_a_criterion_is_not_found(
    world: World, criteria: list[tuple[str, str]]
) -> None:
    found = await world.ask(QueryKind.FIND_DOCUMENTS, PATIENT, STATUS, *criteria)

    assert (found.outcome, found.ids("ExtrinsicObject")) == ("Success", [])


async def test_a_patients_documents_are_found_newest_first_by_status(world: World) -> None:
    current = await world.ask(QueryKind.FIND_DOCUMENTS, PATIENT, STATUS)
    gone = await world.ask(QueryKind.FIND_DOCUMENTS, PATIENT, (STATUS[0], DEPRECATED))
    unknown = await world.ask(QueryKind.FIND_DOCUMENTS, PATIENT, (STATUS[0], "('urn:own')"))
    nobody = await world.ask(QueryKind.FIND_DOCUMENTS, (PATIENT[0], "'12^^^&1.2&ISO'"), STATUS)

    assert current.ids("ExtrinsicObject") == [world.second, world.third]
    assert gone.ids("ExtrinsicObject") == [world.first]
    assert (unknown.outcome, unknown.ids("ExtrinsicObject")) == ("Success", [])
    assert (nobody.outcome, nobody.ids("ExtrinsicObject")) == ("Success", [])


async def test_statuses_may_be_told_apart_from_each_other(world: World) -> None:
    found = await world.ask(QueryKind.FIND_DOCUMENTS, PATIENT, STATUS, (STATUS[0], DEPRECATED))

    assert set(found.ids("ExtrinsicObject")) == {world.first, world.second, world.third}


@pytest.mark.parametrize("status, found", [(APPROVED, True), ("urn:own", False)])
async def test_associations_are_found_by_their_status_which_is_one_for_all(
    world: World, status: str, found: bool
) -> None:
    of_second = entry("EntryUUID", f"('urn:uuid:{world.second}')")
    set_id = ("$XDSSubmissionSetUniqueId", f"'{a_submission(3).submission_id}'")
    wanted = ("$XDSAssociationStatus", f"('{status}')")
    uuid = ("$uuid", of_second[1])

    replies = [
        await world.ask(QueryKind.GET_ASSOCIATIONS, uuid, wanted),
        await world.ask(QueryKind.GET_SUBMISSION_SETS, uuid, wanted),
        await world.ask(QueryKind.GET_DOCUMENTS_AND_ASSOCIATIONS, of_second, wanted),
        await world.ask(QueryKind.GET_SET_AND_CONTENTS, set_id, wanted),
        await world.ask(
            QueryKind.GET_RELATED, of_second, ("$AssociationTypes", f"('{RPLC}')"), wanted
        ),
    ]

    assert [one.outcome for one in replies] == ["Success"] * 5
    assert [bool(links(one)) for one in replies] == [found] * 5


@pytest.mark.parametrize("references, found", [
    (["('Z9^^^&1.9.8&ISO^urn:ihe:iti:xds:2013:accession')"], ["third"]),
    (["('1.9.9^^^^urn:ihe:iti:xds:2016:studyInstanceUID')"], ["third"]),
    ([f"('{STUDY}^^^^urn:ihe:iti:xds:2016:studyInstanceUID')"], ["second"]),
    ([f"('{STUDY}^^^^urn:ihe:iti:xds:2016:studyInstanceUID',"
      "'Z9^^^&1.9.8&ISO^urn:ihe:iti:xds:2013:accession')"], ["second", "third"]),
    (["('Z9^^^&1.9.8&ISO^urn:ihe:iti:xds:2013:accession')",
      f"('{STUDY}^^^^urn:ihe:iti:xds:2016:studyInstanceUID')"], []),
    (["('Z9^^^&1.9.0&ISO^urn:ihe:iti:xds:2013:accession')"], []),
    (["('Z9^^^&1.9.8&ISO^urn:ihe:iti:xds:2013:order')"], []),
    (["('Z9')"], []),
])  # fmt: skip
async def test_documents_are_found_by_what_they_refer_to(
    world: World, references: list[str], found: list[str]
) -> None:
    criteria = [entry("ReferenceIdList", one) for one in references]

    reply = await world.ask(QueryKind.FIND_BY_REFERENCE, PATIENT, STATUS, *criteria)

    assert reply.ids("ExtrinsicObject") == [getattr(world, one) for one in found]


async def test_documents_are_found_by_either_of_their_ids(world: World) -> None:
    by_uuid = await world.ask(
        QueryKind.GET_DOCUMENTS,
        entry("EntryUUID", f"('urn:uuid:{world.first}','urn:uuid:{world.third}','urn:uuid:0')"),
    )
    by_unique_id = await world.ask(
        QueryKind.GET_DOCUMENTS, entry("UniqueId", f"('{an_entry(2).unique_id}')")
    )
    by_id_alone = await world.ask(
        QueryKind.GET_DOCUMENTS,
        entry("UniqueId", f"('{an_entry(2).unique_id}')"),
        returns="ObjectRef",
    )

    assert set(by_uuid.ids("ExtrinsicObject")) == {world.first, world.third}
    assert by_unique_id.ids("ExtrinsicObject") == [world.second]
    assert (by_id_alone.ids("ObjectRef"), by_id_alone.ids("ExtrinsicObject")) == (
        [world.second],
        [],
    )


def links(reply: Reply) -> set[tuple[str, str, str]]:
    """Kind, source and target of each association."""
    return {
        (
            one.get("associationType", "").rpartition(":")[2],
            one.get("sourceObject", "").removeprefix("urn:uuid:"),
            one.get("targetObject", "").removeprefix("urn:uuid:"),
        )
        for one in reply.body.iter(f"{{{names.RIM}}}Association")
    }


async def test_associations_are_found_from_both_of_their_ends(world: World) -> None:
    reply = await world.ask(QueryKind.GET_ASSOCIATIONS, ("$uuid", f"('urn:uuid:{world.second}')"))
    with_documents = await world.ask(
        QueryKind.GET_DOCUMENTS_AND_ASSOCIATIONS, entry("EntryUUID", f"('urn:uuid:{world.second}')")
    )

    found = links(reply)
    assert {("RPLC", world.second, world.first), ("APND", world.third, world.second)} <= found
    [member] = [one for one in found if one[0] == "HasMember"]
    assert (len(found), member[2]) == (3, world.second)
    assert links(with_documents) == found
    assert with_documents.ids("ExtrinsicObject") == [world.second]
    assert with_documents.ids("Association") == reply.ids("Association")


async def test_the_set_that_brought_a_document_is_found_with_its_contents(world: World) -> None:
    sets = await world.ask(
        QueryKind.GET_SUBMISSION_SETS,
        ("$uuid", f"('urn:uuid:{world.first}','urn:uuid:{world.second}')"),
    )
    set_ids = sets.ids("RegistryPackage")
    unique_id = a_submission(3).submission_id
    contents = await world.ask(
        QueryKind.GET_SET_AND_CONTENTS, ("$XDSSubmissionSetUniqueId", f"'{unique_id}'")
    )
    by_uuid = await world.ask(
        QueryKind.GET_SET_AND_CONTENTS,
        ("$XDSSubmissionSetEntryUUID", f"'urn:uuid:{contents.ids('RegistryPackage')[0]}'"),
    )
    filtered = await world.ask(
        QueryKind.GET_SET_AND_CONTENTS,
        ("$XDSSubmissionSetUniqueId", f"'{unique_id}'"),
        entry("FormatCode", "('urn:another^^1.2')"),
    )

    assert len(set_ids) == 2
    assert {one[2] for one in links(sets)} == {world.first, world.second}
    assert contents.ids("ExtrinsicObject") == [world.third]
    [set_id] = contents.ids("RegistryPackage")
    assert links(contents) == {("HasMember", set_id, world.third)}
    assert links(by_uuid) == links(contents)
    assert (filtered.ids("RegistryPackage"), filtered.ids("ExtrinsicObject")) == ([set_id], [])


async def test_related_documents_are_found_by_the_kind_of_relation(world: World) -> None:
    second = entry("EntryUUID", f"'urn:uuid:{world.second}'")

    replaced = await world.ask(QueryKind.GET_RELATED, second, ("$AssociationTypes", f"('{RPLC}')"))
    both = await world.ask(
        QueryKind.GET_RELATED, second, ("$AssociationTypes", f"('{RPLC}','{APND}')")
    )
    none = await world.ask(
        QueryKind.GET_RELATED,
        entry("UniqueId", f"'{an_entry(3).unique_id}'"),
        ("$AssociationTypes", f"('{RPLC}')"),
    )

    assert links(replaced) == {("RPLC", world.second, world.first)}
    assert set(replaced.ids("ExtrinsicObject")) == {world.first, world.second}
    assert set(both.ids("ExtrinsicObject")) == {world.first, world.second, world.third}
    assert (none.outcome, none.ids("ExtrinsicObject"), links(none)) == ("Success", [], set())


async def test_all_of_a_patient_is_found_at_once(world: World) -> None:
    reply = await world.ask(
        QueryKind.GET_ALL,
        ("$patientId", PATIENT[1]),
        STATUS,
        ("$XDSSubmissionSetStatus", f"('{APPROVED}')"),
        ("$XDSFolderStatus", f"('{APPROVED}')"),
    )

    assert reply.ids("ExtrinsicObject") == [world.second, world.third]
    assert len(reply.ids("RegistryPackage")) == 3
    assert {one[0] for one in links(reply)} == {"HasMember", "APND"}


async def test_whole_objects_are_told_of_one_patient_only(world: World) -> None:
    ids = entry("EntryUUID", f"('urn:uuid:{world.second}','urn:uuid:{world.pauls}')")

    whole = await world.ask(QueryKind.GET_DOCUMENTS, ids)
    alone = await world.ask(QueryKind.GET_DOCUMENTS, ids, returns="ObjectRef")

    assert (whole.outcome, whole.errors) == ("Failure", ["XDSResultNotSinglePatient"])
    assert set(alone.ids("ObjectRef")) == {world.second, world.pauls}


async def test_what_is_found_tells_where_its_document_lies(index_url: str) -> None:
    await provide(index_url, a_set(1))

    found = await query(index_url, QueryKind.FIND_DOCUMENTS, PATIENT, STATUS)

    slots = {
        str(one.get("name")): "".join(map(str, one.itertext())).strip()
        for one in found.body.iter(f"{{{names.RIM}}}Slot")
    }
    assert slots["repositoryUniqueId"].startswith("2.25.")
    assert (slots["size"], slots["hash"]) == (str(len(KOS)), an_entry(1).sha1)
