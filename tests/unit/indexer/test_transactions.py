"""ITI-65 with all that a transaction may bring: many documents, relations, people beside them."""

from dataclasses import replace

import pytest

from indexer.contract.document_set import Relation
from indexer.wire.fhir.transaction import read_transaction, transaction_response
from indexer.wire.outcome import IssueCode, Json, Refusal
from tests.support.pointers import ANNE, an_entry
from tests.support.transactions import a_transaction, of_kind, related, uncontained, url_of

OLD = "11111111-2222-4333-8444-555555555555"
HELD = f"DocumentReference/{OLD}"


def refusal_of(bundle: Json) -> Refusal:
    with pytest.raises(Refusal) as refusal:
        read_transaction(bundle)
    assert ANNE.value not in refusal.value.reason
    return refusal.value


def warnings_of(bundle: Json) -> dict[int, list[str]]:
    """What is warned of in the answer, by the place of the entry."""
    transaction = read_transaction(bundle)
    answer = transaction_response(transaction, transaction.submitted)
    outcomes = {
        number: entry["response"]["outcome"]["issue"]
        for number, entry in enumerate(answer["entry"])
        if "outcome" in entry["response"]
    }
    return {
        number: [one["expression"][0] for one in issues if one["severity"] == "warning"]
        for number, issues in outcomes.items()
    }


def test_each_document_of_a_set_is_read_with_its_own_bytes() -> None:
    bundle = a_transaction([1, 2, 3])

    told = read_transaction(bundle).submitted

    entries = [one.entry for one in told.documents]
    assert [one.unique_id for one in entries] == [an_entry(n).unique_id for n in (1, 2, 3)]
    assert [one.entry_id for one in entries] == [url_of(bundle, n) for n in range(3)]
    assert told.submission_set.set_id == bundle["entry"][0]["fullUrl"]


def test_the_answer_is_in_the_order_of_the_request() -> None:
    bundle = a_transaction([1, 2])
    bundle["entry"] = [bundle["entry"][number] for number in (4, 1, 0, 3, 2)]
    transaction = read_transaction(bundle)
    submitted = transaction.submitted
    held = replace(
        submitted,
        submission_set=replace(submitted.submission_set, set_id="s"),
        documents=tuple(
            replace(one, entry=replace(one.entry, entry_id=f"d{one.entry.unique_id[-1]}"))
            for one in submitted.documents
        ),
    )

    answer = transaction_response(transaction, held)

    assert [one["response"]["location"] for one in answer["entry"]] == [
        "Binary/d2",
        "DocumentReference/d1",
        "List/s",
        "DocumentReference/d2",
        "Binary/d1",
    ]
    assert {one["response"]["status"] for one in answer["entry"]} == {"201 Created"}


@pytest.mark.parametrize("codes, relation", [
    (["replaces"], Relation.REPLACES),
    (["appends"], Relation.APPENDS),
    (["transforms"], Relation.TRANSFORMS),
    (["signs"], Relation.SIGNS),
    (["transforms", "replaces"], Relation.TRANSFORMS_AND_REPLACES),
])  # fmt: skip
def test_a_document_is_to_another_what_it_says(codes: list[str], relation: Relation) -> None:
    bundle = a_transaction([1, 2])
    for code in codes:
        related(bundle, code, HELD, number=1)

    [association] = read_transaction(bundle).submitted.associations

    assert (association.relation, association.target) == (relation, OLD)
    assert association.source == url_of(bundle, 1)


def test_a_document_may_sign_another_of_its_set_and_the_set() -> None:
    bundle = a_transaction([1, 2])
    targets = [url_of(bundle, 0), bundle["entry"][0]["fullUrl"]]
    for target in targets:
        related(bundle, "signs", target, number=1)

    told = read_transaction(bundle).submitted.associations

    assert [(one.relation, one.target) for one in told] == [
        (Relation.SIGNS, target) for target in targets
    ]


@pytest.mark.parametrize("code", ["replaces", "appends", "transforms"])
def test_nothing_is_done_to_what_is_not_held_yet(code: str) -> None:
    bundle = a_transaction([1, 2])

    refusal = refusal_of(related(bundle, code, url_of(bundle, 0), number=1))

    assert refusal.code == IssueCode.BUSINESS_RULE


def test_one_target_is_not_amended_and_signed_at_once() -> None:
    bundle = related(related(a_transaction(), "appends", HELD), "signs", HELD)

    assert refusal_of(bundle).code == IssueCode.BUSINESS_RULE


def test_a_set_may_name_what_is_held_already() -> None:
    bundle = a_transaction()
    of_kind(bundle, "List")[0]["entry"].append({"item": {"reference": HELD}})

    [member] = read_transaction(bundle).submitted.associations

    assert (member.relation, member.target) == (Relation.MEMBER, OLD)


@pytest.mark.parametrize("change", [
    lambda listed: listed["entry"].pop(),
    lambda listed: listed["entry"].append(listed["entry"][0]),
])  # fmt: skip
def test_a_set_names_each_of_its_documents_once(change) -> None:
    bundle = a_transaction([1, 2])
    change(of_kind(bundle, "List")[0])

    assert refusal_of(bundle).code == IssueCode.INVALID


def test_two_documents_do_not_share_their_bytes() -> None:
    bundle = a_transaction([1, 2])
    first, second = of_kind(bundle, "DocumentReference")
    second["content"][0]["attachment"]["url"] = first["content"][0]["attachment"]["url"]

    assert refusal_of(bundle).code == IssueCode.INVALID


@pytest.mark.parametrize("text", [" ", "a ", "\u0001", "\ufffe", "x" * 1025])
def test_what_xds_could_not_tell_is_refused(text: str) -> None:
    """Who asks by XDS.b would be told of the record in a form that nobody can read."""
    entry, told = a_transaction([1, 2]), a_transaction([1, 2])
    of_kind(entry, "DocumentReference")[1]["type"]["coding"][0]["code"] = text
    of_kind(told, "List")[0]["extension"][0]["valueCodeableConcept"]["coding"][0]["code"] = text

    for bundle in (entry, told):
        assert refusal_of(bundle).code in (IssueCode.VALUE, IssueCode.TOO_LONG)


def test_bytes_that_nothing_describes_are_refused() -> None:
    bundle = a_transaction([1, 2])
    bundle["entry"].pop(3)
    of_kind(bundle, "List")[0]["entry"].pop()

    assert refusal_of(bundle).code == IssueCode.INVALID


def test_a_name_is_of_one_entry_alone() -> None:
    bundle = a_transaction([1, 2])
    bundle["entry"][3]["fullUrl"] = bundle["entry"][1]["fullUrl"]

    assert refusal_of(bundle).code == IssueCode.INVALID


def test_a_folder_is_refused_with_all() -> None:
    bundle = a_transaction()
    folder = {"resourceType": "List", "code": {"coding": [{"code": "folder"}]}}
    bundle["entry"].append(
        {"fullUrl": "urn:f", "resource": folder, "request": {"method": "POST", "url": "List"}}
    )

    refusal = refusal_of(bundle)

    assert (refusal.code, "folder" in refusal.reason) == (IssueCode.NOT_SUPPORTED, True)


def test_a_fhir_document_is_refused_in_the_words_of_mhd() -> None:
    bundle = a_transaction()
    bundle["entry"][2]["resource"] = {"resourceType": "Bundle", "type": "document"}

    refusal = refusal_of(bundle)

    assert refusal.code == IssueCode.NOT_SUPPORTED
    assert "FHIRDocumentNotSupported" in refusal.reason


def test_minimal_metadata_need_not_measure_the_document() -> None:
    whole, minimal = a_transaction(), a_transaction(profile="Minimal")
    for bundle in (whole, minimal):
        attachment = of_kind(bundle, "DocumentReference")[0]["content"][0]["attachment"]
        del attachment["size"], attachment["hash"]

    [document] = read_transaction(minimal).submitted.documents

    entry = an_entry()
    assert (document.entry.sha1, document.entry.size_bytes) == (entry.sha1, entry.size_bytes)
    assert refusal_of(whole).code == IssueCode.REQUIRED


def test_who_stands_beside_a_document_is_read_as_if_it_contained_them() -> None:
    bundle = a_transaction([1, 2], profile="UnContained.Comprehensive")
    before = read_transaction(bundle).submitted

    transaction = read_transaction(uncontained(bundle))

    assert transaction.submitted == before
    answer = transaction_response(transaction, transaction.submitted)["entry"]
    beside = [one["response"] for one in answer[5:]]
    assert [one["status"] for one in beside] == ["200 OK"] * len(beside)
    assert {one["outcome"]["issue"][0]["severity"] for one in beside} == {"information"}


def test_a_patient_of_another_server_is_refused() -> None:
    bundle = a_transaction()
    document = of_kind(bundle, "DocumentReference")[0]
    document["subject"] = {"reference": "https://elsewhere.example/fhir/Patient/1"}

    assert refusal_of(bundle).code == IssueCode.REQUIRED


def test_who_refer_to_each_other_without_end_are_refused_or_read() -> None:
    bundle = uncontained(a_transaction(profile="UnContained.Comprehensive"))
    people = bundle["entry"][3:]
    for one, other in zip(people, people[1:] + people[:1], strict=True):
        one["resource"]["extension"] = [
            {"url": "urn:a", "valueReference": {"reference": other["fullUrl"]}}
        ]

    assert len(read_transaction(bundle).submitted.documents) == 1


def test_what_is_not_kept_is_warned_of_at_its_place() -> None:
    bundle = a_transaction([1, 2])
    document = of_kind(bundle, "DocumentReference")[1]
    document["text"] = {"status": "generated", "div": "<div/>"}
    document["context"]["encounter"] = [{"reference": "Encounter/1"}]
    document["identifier"].append({"system": "urn:a", "value": "b"})
    document[f"Anne {ANNE.value}"] = 1

    [(number, warned)] = warnings_of(bundle).items()

    path = "Bundle.entry[3].resource"
    assert number == 3
    assert warned == [f"{path}.text", f"{path}.context.encounter", f"{path}.identifier[1]"]


@pytest.mark.parametrize("date", ["2019-01-01T00:00:00Z", "2019", "yesterday"])
def test_a_date_that_is_not_when_the_document_was_made_is_not_kept(date: str) -> None:
    bundle = a_transaction()
    of_kind(bundle, "DocumentReference")[0]["date"] = date

    [warned] = warnings_of(bundle).values()

    assert warned == ["Bundle.entry[1].resource.date"]


def test_a_recipient_who_is_not_notified_is_warned_of() -> None:
    bundle = a_transaction()
    url = "https://profiles.ihe.net/ITI/MHD/StructureDefinition/ihe-intendedRecipient"
    recipient = {"url": url, "valueReference": {"reference": "#author"}}
    of_kind(bundle, "List")[0]["extension"].append(recipient)

    assert warnings_of(bundle) == {0: ["Bundle.entry[0].resource.extension[3]"]}
