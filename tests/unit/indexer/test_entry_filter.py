"""Patterns that a stored query matches authors with, as SQL's LIKE does."""

import time
from dataclasses import replace

import pytest

from indexer.contract.document import Person
from indexer.wire.entry_filter import read_filter
from indexer.wire.stored_query import QueryKind, StoredQuery
from tests.support.pointers import an_entry

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
