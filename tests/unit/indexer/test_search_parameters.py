"""ITI-67: what a search asks, and the pages that answer it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.contract.document import Code, DocumentQuery, EntryStatus, ReferenceKind
from indexer.contract.identifiers import Uid
from indexer.wire.fhir.search import (
    read_condition,
    read_search,
    search_parameters,
    unique_id_parameters,
)
from indexer.wire.fhir.search_controls import PAGE_ENTRIES, PAGE_ENTRIES_MAX, next_page
from indexer.wire.fhir.searchset import read_searchset, searchset
from indexer.wire.outcome import IssueCode, Refusal
from tests.support.pointers import ANNE, STUDY, patients

OF_ANNE = ("patient.identifier", f"urn:oid:{ANNE.oid}|{ANNE.value}")
CURRENT = ("status", "current")
PLACE = "11111111-2222-4333-8444-555555555555"


@given(
    st.builds(
        DocumentQuery,
        patient=patients(),
        statuses=st.frozensets(st.sampled_from(EntryStatus), min_size=1),
        type_code=st.none()
        | st.builds(Code, code=st.text(min_size=1, max_size=9), scheme=st.just("1.2.3")),
        study=st.none() | st.just(Uid(STUDY)),
    )
)
def test_a_query_survives_the_wire(query: DocumentQuery) -> None:
    search = read_search(search_parameters(query))

    assert search.patient == query.patient
    assert search.statuses == query.statuses
    assert search.type_code == (query.type_code and query.type_code.code)
    assert search.reference == (query.study and (ReferenceKind.STUDY, query.study))


def test_a_document_is_asked_for_by_its_unique_id_whatever_its_status() -> None:
    search = read_search(unique_id_parameters(Uid("2.25.7")))

    assert search.identifiers == ("2.25.7",)
    assert search.statuses == frozenset(EntryStatus)
    assert search.patient is None


def test_a_withdrawn_document_is_not_asked_for_unless_its_status_is_named() -> None:
    search = read_search([("identifier", "urn:oid:2.25.7")])

    assert search.statuses == {EntryStatus.APPROVED, EntryStatus.DEPRECATED}


def test_a_condition_is_a_unique_id() -> None:
    assert read_condition([("identifier", "urn:ietf:rfc:3986|urn:oid:2.25.7")]) == "2.25.7"


@pytest.mark.parametrize("parameters, code", [
    ([], IssueCode.REQUIRED),
    ([OF_ANNE], IssueCode.REQUIRED),
    ([("identifier", "urn:oid:1.2"), CURRENT], IssueCode.REQUIRED),
    ([("identifier", "urn:oid:1.2"), ("identifier", "urn:oid:1.3")], IssueCode.REQUIRED),
    ([("identifier", "urn:oid:1.2|3")], IssueCode.NOT_SUPPORTED),
    ([("identifier", "urn:oid:x")], IssueCode.VALUE),
    ([("name", "x")], IssueCode.NOT_SUPPORTED),
])  # fmt: skip
def test_no_other_condition_is_taken(parameters: list[tuple[str, str]], code: IssueCode) -> None:
    with pytest.raises(Refusal) as refusal:
        read_condition(parameters)

    assert refusal.value.code == code


def test_a_study_is_found_by_its_uid_bare_or_as_a_uri() -> None:
    searches = [
        read_search([OF_ANNE, CURRENT, ("study-instance-uid", value)])
        for value in ("1.2.3", "urn:oid:1.2.3")
    ]

    assert [search.reference for search in searches] == [(ReferenceKind.STUDY, "1.2.3")] * 2


def test_a_code_with_its_system_is_told_apart() -> None:
    search = read_search([OF_ANNE, CURRENT, ("type", "urn:oid:1.2|IMG-KOS")])

    assert (search.type_scheme, search.type_code) == ("1.2", "IMG-KOS")


def test_a_page_is_bounded() -> None:
    told = [read_search([OF_ANNE, CURRENT, ("_count", text)]) for text in ("7", "999999999")]
    untold = read_search([OF_ANNE, CURRENT])

    assert [search.page_max for search in told] == [7, PAGE_ENTRIES_MAX]
    assert untold.page_max == PAGE_ENTRIES


@pytest.mark.parametrize("parameters, code", [
    ([], IssueCode.REQUIRED),
    ([CURRENT], IssueCode.REQUIRED),
    ([OF_ANNE], IssueCode.REQUIRED),
    ([OF_ANNE, ("patient.identifier", "urn:oid:1.2|3"), CURRENT], IssueCode.NOT_SUPPORTED),
    ([OF_ANNE, CURRENT, ("patient", "Patient/1")], IssueCode.NOT_SUPPORTED),
    ([OF_ANNE, CURRENT, ("_has:List:item:code", "x")], IssueCode.NOT_SUPPORTED),
    ([OF_ANNE, CURRENT, ("_sort", "type")], IssueCode.NOT_SUPPORTED),
    ([OF_ANNE, CURRENT, ("type:not", "a")], IssueCode.NOT_SUPPORTED),
    ([OF_ANNE, CURRENT, ("author.family:missing", "true")], IssueCode.NOT_SUPPORTED),
    ([OF_ANNE, CURRENT, ("type", ",".join("a" * 65))], IssueCode.TOO_LONG),
    ([OF_ANNE, CURRENT, ("creation", "2026-13")], IssueCode.VALUE),
    ([OF_ANNE, CURRENT, ("creation", "ap2026")], IssueCode.VALUE),
    ([OF_ANNE, CURRENT, ("creation", "")], IssueCode.VALUE),
    ([OF_ANNE, CURRENT, ("author.family", "")], IssueCode.VALUE),
    ([OF_ANNE, CURRENT, ("category", "|")], IssueCode.VALUE),
    ([OF_ANNE, CURRENT, ("type", "")], IssueCode.VALUE),
    ([OF_ANNE, CURRENT, ("type", "a|b|c")], IssueCode.VALUE),
    ([OF_ANNE, ("status", "draft")], IssueCode.VALUE),
    ([OF_ANNE, CURRENT, ("_count", "0")], IssueCode.VALUE),
    ([OF_ANNE, CURRENT, ("_count", "many")], IssueCode.VALUE),
    ([OF_ANNE, CURRENT, ("_after", "1")], IssueCode.VALUE),
    ([("patient.identifier", ANNE.value), CURRENT], IssueCode.VALUE),
    ([("patient.identifier", f"urn:oid:{ANNE.oid}|1"), CURRENT], IssueCode.VALUE),
    ([("identifier", "urn:uuid:1")], IssueCode.VALUE),
])  # fmt: skip
def test_what_cannot_be_searched_is_refused(
    parameters: list[tuple[str, str]], code: IssueCode
) -> None:
    with pytest.raises(Refusal) as refusal:
        read_search(parameters)

    assert refusal.value.code == code
    assert ANNE.value not in refusal.value.reason


def test_a_parameters_name_is_repeated_only_if_it_can_be_one() -> None:
    with pytest.raises(Refusal) as refusal:
        read_search([OF_ANNE, CURRENT, (f"Anne {ANNE.value}", "")])

    assert ANNE.value not in refusal.value.reason


@given(st.lists(st.tuples(
    st.sampled_from(["patient.identifier", "identifier", "status", "type", "_count", "_after",
                     "study-instance-uid", "patient", "patient:identifier", "period", "related",
                     "author.given:contains", "isArchived", "modality"]),
    st.text(max_size=40) | st.text("0123456789-T:Z+|,\\", max_size=30),
), max_size=5))  # fmt: skip
def test_whatever_is_asked_is_understood_or_refused(parameters: list[tuple[str, str]]) -> None:
    try:
        search = read_search(parameters)
    except Refusal:
        return
    assert search.patient or search.identifiers is not None or search.after


def test_what_is_not_known_is_passed_over_for_who_wants_it_lenient() -> None:
    told = [OF_ANNE, CURRENT, ("name", "x"), ("type", "a")]

    search = read_search(told, lenient=True)

    assert search.parameters == [OF_ANNE, CURRENT, ("type", "a")]


def test_the_address_of_the_next_page_names_no_patient() -> None:
    following = next_page([OF_ANNE, CURRENT, ("_after", "x"), ("_count", "2")], PLACE)

    assert following == [CURRENT, ("_count", "2"), ("_after", PLACE)]
    assert read_search(following).after == PLACE


def test_a_searchset_is_read_with_its_next_page() -> None:
    found = [(f"https://index/{n}", {"resourceType": "DocumentReference"}) for n in range(2)]

    matches, following = read_searchset(searchset(found, self_url="a", next_url="b"))

    assert (len(matches), following) == (2, "b")


def test_an_empty_searchset_has_no_entries_and_no_next_page() -> None:
    bundle = searchset([], self_url="a", next_url="")

    assert "entry" not in bundle
    assert read_searchset(bundle) == ([], None)


def test_what_a_searchset_includes_beside_its_matches_is_passed_over() -> None:
    bundle = searchset([("a", {"resourceType": "OperationOutcome"})], self_url="a", next_url="")

    assert read_searchset(bundle) == ([], None)
