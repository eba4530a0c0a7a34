"""What a stored query matches: authors as SQL's LIKE does, codes and studies by all their names."""

import time
from dataclasses import replace

import pytest

from indexer.contract.document import Code, Person
from indexer.wire.entry_filter import read_filter
from indexer.wire.stored_query import QueryKind, StoredQuery
from tests.support.pointers import STUDY, an_entry

AUTHOR = "$XDSDocumentEntryAuthorPerson"


def matches(pattern: str, family: str) -> bool:
    query = StoredQuery(QueryKind.FIND_DOCUMENTS, True, {AUTHOR: [[pattern]]})
    author = Person(number="", family=family, given="")
    return read_filter(query).matches(replace(an_entry(), author=author))


@pytest.mark.parametrize("pattern, family, expected", [
    ("^DURAND^", "DURAND", True),
    ("%", "DURAND", True),
    ("%RAN%", "DURAND", True),
    ("^D_RAND_", "DURAND", True),
    ("^%A%D^", "DURAND", True),
    ("DURAND", "DURAND", False),
    ("^d%", "DURAND", False),
    ("^D__RAND^", "DURAND", False),
    ("^D*^", "D*", True),
    ("^D*^", "DURAND", False),
    ("^D?^", "DU", False),
    ("^[D]^", "D", False),
    ("^[D]^", "[D]", True),
])  # fmt: skip
def test_a_percent_sign_is_any_text_and_a_low_line_any_character(
    pattern: str, family: str, expected: bool
) -> None:
    assert matches(pattern, family) is expected


def test_a_pattern_that_nearly_matches_takes_no_longer_than_the_texts_are() -> None:
    began_s = time.process_time()

    found = matches("%a" * 500 + "!", "a" * 1000)

    assert not found
    assert time.process_time() - began_s < 1


@pytest.mark.parametrize("held", ["1.2.840.10008.2.16.4", "1.2.250.1.213.1.1.5.618"])
@pytest.mark.parametrize("asked", [
    "1.2.840.10008.2.16.4", "1.2.250.1.213.1.1.5.618", "urn:oid:1.2.840.10008.2.16.4",
])  # fmt: skip
def test_a_modality_is_found_by_the_system_and_by_the_value_set(held: str, asked: str) -> None:
    parameter = {"$XDSDocumentEntryEventCodeList": [[f"CT^^{asked}"]]}
    query = StoredQuery(QueryKind.FIND_DOCUMENTS, True, parameter)
    entry = replace(an_entry(), event_codes=(Code(code="CT", scheme=held),))

    assert read_filter(query).matches(entry)


def test_a_code_of_another_system_is_another() -> None:
    parameter = {"$XDSDocumentEntryEventCodeList": [["CT^^1.2.3"]]}
    query = StoredQuery(QueryKind.FIND_DOCUMENTS, True, parameter)

    assert not read_filter(query).matches(an_entry())


@pytest.mark.parametrize("authority", ["", "&1.2.3.4.5.6&ISO"])
def test_a_study_is_found_whatever_authority_a_sample_gives_it(authority: str) -> None:
    study = f"{STUDY}^^^{authority}^urn:ihe:iti:xds:2016:studyInstanceUID"
    query = StoredQuery(
        QueryKind.FIND_BY_REFERENCE, True, {"$XDSDocumentEntryReferenceIdList": [[study]]}
    )

    assert read_filter(query).matches(an_entry())
