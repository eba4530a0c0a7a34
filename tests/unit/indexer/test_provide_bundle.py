"""ITI-65 transactions: written, read, and refused with a reason."""

import copy
from contextlib import suppress
from dataclasses import replace
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.contract.document import Organisation, Submission
from indexer.contract.document_set import Relation
from indexer.wire.fhir.bundles import provide_bundle, read_transaction_response
from indexer.wire.fhir.elements import Element
from indexer.wire.fhir.submission_set import read_submission_set, submission_set_list
from indexer.wire.fhir.transaction import read_transaction, transaction_response
from indexer.wire.outcome import IssueCode, Json, Refusal
from tests.support.pointers import ANNE, KOS, PAUL, a_submission, an_entry, submissions, submitting

OLD = "11111111-2222-4333-8444-555555555555"
NEW = "66666666-7777-4888-8999-000000000000"
SET = "5e7f0a52-3c1d-4b8e-9a60-7d2c4f1b8a93"


def bundle_of(submission: Submission) -> Json:
    """The transaction after a trip over the wire."""
    sent: Json = orjson.loads(orjson.dumps(provide_bundle(submission)))
    return sent


def read(bundle: object) -> Submission:
    """The submission of one document that a transaction is."""
    told = read_transaction(bundle).submitted
    [document] = told.documents
    targets = [one.target for one in told.associations]
    assert {one.relation for one in told.associations} <= {Relation.REPLACES}
    return Submission(
        submission_id=told.submission_set.unique_id,
        source_id=told.submission_set.source_id,
        submitted_at=told.submission_set.submitted_at,
        content_type=told.submission_set.content_type,
        entry=replace(document.entry, entry_id=""),
        document=document.content,
        replaces=targets[0] if targets else None,
    )


def resources(bundle: Json) -> dict[str, Json]:
    return {entry["resource"]["resourceType"]: entry["resource"] for entry in bundle["entry"]}


@given(submissions())
def test_a_submission_survives_the_wire(submission: Submission) -> None:
    assert read(bundle_of(submission)) == submission


def test_a_repeat_is_the_same_bundle() -> None:
    assert bundle_of(a_submission()) == bundle_of(a_submission())


def test_the_submission_set_says_who_submits_what() -> None:
    bundle = bundle_of(a_submission())

    listed = resources(bundle)["List"]
    extensions = {one["url"].rpartition("/")[2]: one for one in listed["extension"]}
    assert listed["code"]["coding"][0]["code"] == "submissionset"
    assert extensions["ihe-sourceId"]["valueIdentifier"]["value"] == "urn:oid:1.2.250.1.59.40211"
    designation = extensions["ihe-designationType"]["valueCodeableConcept"]["coding"]
    assert designation == [{"system": "urn:oid:1.2.250.1.213.2.2", "code": "04"}]
    assert len(listed["identifier"]) == 2
    assert listed["entry"] == [{"item": {"reference": bundle["entry"][1]["fullUrl"]}}]


def test_an_organisation_of_which_nothing_is_known_is_not_told() -> None:
    """An Organization has an identifier or a name (FHIR R4, org-1)."""
    submitted = read_transaction(bundle_of(a_submission())).submitted.submission_set
    nobody = replace(submitted, author_organisation=Organisation(number=""))

    listed = submission_set_list(nobody, list_url=f"urn:uuid:{SET}", document_urls=[])

    assert [one["resourceType"] for one in listed["contained"]] == ["Practitioner"]
    assert "ihe-authorOrg" not in str(listed["extension"])
    assert read_submission_set(Element(listed, "List")) == replace(nobody, set_id=SET)


@pytest.mark.parametrize("kind, name", [
    ("List", "source"), ("DocumentReference", "authenticator"),
])  # fmt: skip
def test_a_person_may_be_told_by_their_role(kind: str, name: str) -> None:
    bundle = bundle_of(a_submission())
    told = resources(bundle)[kind]
    person = {"reference": told[name]["reference"]}
    told["contained"].append(
        {"resourceType": "PractitionerRole", "id": "as", "practitioner": person}
    )
    told[name] = {"reference": "#as"}

    by_role = read_transaction(bundle).submitted

    by_name = read_transaction(bundle_of(a_submission())).submitted
    assert by_role.submission_set == by_name.submission_set
    assert [one.entry for one in by_role.documents] == [one.entry for one in by_name.documents]


def test_the_structure_of_the_role_that_submits_is_that_of_the_set() -> None:
    bundle = bundle_of(a_submission())
    told = resources(bundle)["List"]
    structure = told["extension"].pop()["valueReference"]
    role = {"resourceType": "PractitionerRole", "id": "as", "organization": structure}
    told["contained"].append(role | {"practitioner": told["source"]})
    told["source"] = {"reference": "#as"}

    by_role = read_transaction(bundle).submitted.submission_set

    assert by_role == read_transaction(bundle_of(a_submission())).submitted.submission_set


def test_a_replacement_supersedes_what_it_replaces_in_the_same_transaction() -> None:
    patch = bundle_of(a_submission(replaces=OLD))["entry"][-1]

    assert patch["request"] == {"method": "PATCH", "url": f"DocumentReference/{OLD}"}
    parts = patch["resource"]["parameter"][0]["part"]
    assert [list(part.values()) for part in parts] == [
        ["type", "replace"],
        ["path", "DocumentReference.status"],
        ["value", "superseded"],
    ]


def test_a_replacement_without_its_patch_is_one_too() -> None:
    bundle = bundle_of(a_submission(replaces=OLD))
    del bundle["entry"][-1]

    assert read(bundle).replaces == OLD


def test_the_order_of_the_entries_does_not_matter() -> None:
    bundle = bundle_of(a_submission(replaces=OLD))
    bundle["entry"].reverse()

    assert read(bundle) == a_submission(replaces=OLD)


def test_an_entry_uuid_of_the_senders_own_is_not_taken() -> None:
    bundle = bundle_of(a_submission())
    resources(bundle)["DocumentReference"]["identifier"].append(
        {"use": "official", "system": "urn:ietf:rfc:3986", "value": f"urn:uuid:{OLD}"}
    )

    [document] = read_transaction(bundle).submitted.documents

    assert document.entry.entry_id == bundle["entry"][1]["fullUrl"]


def refusal_of(bundle: object) -> Refusal:
    with pytest.raises(Refusal) as refusal:
        read_transaction(bundle)
    assert ANNE.value not in refusal.value.reason
    return refusal.value


@pytest.mark.parametrize("kind", ["List", "DocumentReference", "Binary"])
def test_a_transaction_that_lacks_a_part_is_refused(kind: str) -> None:
    bundle = bundle_of(a_submission())
    bundle["entry"] = [
        entry for entry in bundle["entry"] if entry["resource"]["resourceType"] != kind
    ]

    assert refusal_of(bundle).code == IssueCode.REQUIRED


def test_more_entries_than_a_transaction_may_have_are_refused() -> None:
    bundle = bundle_of(a_submission())
    bundle["entry"] *= 200

    assert refusal_of(bundle).code == IssueCode.TOO_LONG


def test_a_document_of_another_patient_than_its_set_is_refused() -> None:
    bundle = bundle_of(a_submission())
    resources(bundle)["List"]["subject"]["identifier"]["value"] = PAUL.value

    refusal = refusal_of(bundle)

    assert refusal.code == IssueCode.BUSINESS_RULE
    assert refusal.expression == "Bundle.entry[1].resource.subject"


def test_a_document_that_is_not_what_its_hash_says_is_refused() -> None:
    other = KOS[:-1] + b"!"

    refusal = refusal_of(bundle_of(replace(a_submission(), document=other)))

    assert (refusal.code, "hash" in refusal.reason) == (IssueCode.VALUE, True)


def test_a_document_that_is_not_of_its_size_is_refused() -> None:
    entry = replace(an_entry(), size_bytes=len(KOS) + 1)

    refusal = refusal_of(bundle_of(submitting(entry, KOS)))

    assert (refusal.code, "size" in refusal.reason) == (IssueCode.VALUE, True)


@pytest.mark.parametrize("kind, element, value, code", [
    ("List", "status", "retired", IssueCode.VALUE),
    ("List", "mode", "snapshot", IssueCode.VALUE),
    ("List", "code", {"coding": [{"code": "folder"}]}, IssueCode.NOT_SUPPORTED),
    ("List", "extension", [], IssueCode.REQUIRED),
    ("List", "identifier", [], IssueCode.REQUIRED),
    ("List", "entry", [{"item": {"reference": "urn:uuid:other"}}], IssueCode.VALUE),
    ("List", "date", "yesterday", IssueCode.VALUE),
    ("DocumentReference", "status", "superseded", IssueCode.VALUE),
    ("DocumentReference", "docStatus", "final", IssueCode.NOT_SUPPORTED),
    ("DocumentReference", "modifierExtension", [{"url": "x"}], IssueCode.NOT_SUPPORTED),
    ("List", "entry", [{"deleted": True, "item": {"reference": "urn:uuid:other"}}],
     IssueCode.NOT_SUPPORTED),
    ("List", "code", {"coding": [{"code": "submissionset"}]}, IssueCode.NOT_SUPPORTED),
    ("DocumentReference", "relatesTo",
     [{"code": "amends", "target": {"reference": f"DocumentReference/{OLD}"}}], IssueCode.VALUE),
    ("DocumentReference", "relatesTo",
     [{"code": "replaces", "target": {"reference": "http://other/1"}}], IssueCode.VALUE),
    ("Binary", "contentType", "text/plain", IssueCode.INVALID),
    ("Binary", "data", "not base64!", IssueCode.VALUE),
])  # fmt: skip
def test_what_a_profile_excludes_is_refused(
    kind: str, element: str, value: object, code: IssueCode
) -> None:
    bundle = bundle_of(a_submission())
    resources(bundle)[kind][element] = value

    assert refusal_of(bundle).code == code


def test_a_document_with_padding_after_its_last_whole_group_is_refused() -> None:
    bundle = bundle_of(a_submission(document=b"123"))
    resources(bundle)["Binary"]["data"] += "="

    assert refusal_of(bundle).expression == "Bundle.entry[2].resource.data"


def test_a_patch_of_another_entry_than_the_one_replaced_is_refused() -> None:
    bundle = bundle_of(a_submission(replaces=OLD))
    bundle["entry"][-1]["request"]["url"] = f"DocumentReference/{NEW}"

    assert refusal_of(bundle).code == IssueCode.NOT_SUPPORTED


@pytest.mark.parametrize("number, value", [
    (1, {"valueString": "DocumentReference.description"}),
    (2, {"valueCode": "entered-in-error"}),
])  # fmt: skip
def test_a_patch_that_does_not_supersede_is_refused(number: int, value: Json) -> None:
    bundle = bundle_of(a_submission(replaces=OLD))
    part = bundle["entry"][-1]["resource"]["parameter"][0]["part"][number]
    part.clear()
    part.update({"name": ["type", "path", "value"][number]} | value)

    assert refusal_of(bundle).code == IssueCode.NOT_SUPPORTED


def test_a_patch_without_a_replacement_is_refused() -> None:
    bundle = bundle_of(a_submission(replaces=OLD))
    del resources(bundle)["DocumentReference"]["relatesTo"]

    assert refusal_of(bundle).code == IssueCode.NOT_SUPPORTED


@pytest.mark.parametrize("number", [0, 1, 2])
def test_a_part_that_no_other_can_refer_to_is_refused(number: int) -> None:
    bundle = bundle_of(a_submission())
    del bundle["entry"][number]["fullUrl"]

    refusal = refusal_of(bundle)

    assert refusal.code == IssueCode.REQUIRED
    assert refusal.expression == f"Bundle.entry[{number}].fullUrl"


def test_a_conditional_create_is_refused() -> None:
    bundle = bundle_of(a_submission())
    bundle["entry"][1]["request"]["ifNoneExist"] = "identifier=1"

    assert refusal_of(bundle).code == IssueCode.NOT_SUPPORTED


def places(value: object, way: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """The way to each element of a resource."""
    found: list[tuple[str | int, ...]] = [way] if way else []
    if isinstance(value, list):
        value = dict(enumerate(value))
    for step, inner in value.items() if isinstance(value, dict) else ():
        found += places(inner, (*way, step))
    return found


WHOLE = bundle_of(a_submission(replaces=OLD))
_any_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=6,
)


@given(st.sampled_from(places(WHOLE)), _any_json)
def test_whatever_is_put_anywhere_is_read_or_refused(
    way: tuple[str | int, ...], value: object
) -> None:
    bundle = copy.deepcopy(WHOLE)
    place: Any = bundle
    for step in way[:-1]:
        place = place[step]
    place[way[-1]] = value

    with suppress(Refusal):
        read_transaction(bundle)


@given(_any_json)
def test_whatever_is_no_bundle_is_refused(value: object) -> None:
    with pytest.raises(Refusal):
        read_transaction(value)


def answered(bundle: Json) -> Json:
    """The answer of an index that allots NEW to the document and SET to its set."""
    transaction = read_transaction(bundle)
    [document] = transaction.submitted.documents
    held = replace(
        transaction.submitted,
        submission_set=replace(transaction.submitted.submission_set, set_id=SET),
        documents=(replace(document, entry=replace(document.entry, entry_id=NEW)),),
    )
    return transaction_response(transaction, held)


def test_the_answer_names_each_entry_at_its_place() -> None:
    bundle = bundle_of(a_submission(replaces=OLD))
    bundle["entry"].reverse()

    answer = answered(bundle)

    assert [entry["response"]["location"] for entry in answer["entry"]] == [
        f"DocumentReference/{OLD}",
        f"Binary/{NEW}",
        f"DocumentReference/{NEW}",
        f"List/{SET}",
    ]
    assert read_transaction_response(answer) == NEW


@pytest.mark.parametrize("location", [
    f"https://index.example/fhir/DocumentReference/{NEW}/_history/1",
    f"DocumentReference/{NEW}/_history/1",
    f"/fhir/DocumentReference/{NEW}",
])  # fmt: skip
def test_a_location_is_read_however_it_is_written(location: str) -> None:
    answer = answered(bundle_of(a_submission()))
    answer["entry"][1]["response"]["location"] = location

    assert read_transaction_response(answer) == NEW


def test_an_answer_without_a_location_is_refused() -> None:
    answer = answered(bundle_of(a_submission()))
    del answer["entry"][1]["response"]["location"]

    with pytest.raises(Refusal):
        read_transaction_response(answer)
