"""What the criteria of a stored query match: authors as SQL's LIKE does, codes, references."""

import time
from dataclasses import replace

import pytest

from indexer.contract.document import Code, Person, ReferenceId, ReferenceKind
from indexer.wire.outcome import Refusal, XdsError
from indexer.wire.xds.entry_filter import PATTERN_LENGTH_MAX, PATTERNS_MAX, read_filter
from indexer.wire.xds.stored_query import QueryKind, StoredQuery
from tests.support.pointers import STUDY, an_entry

AUTHOR = "$XDSDocumentEntryAuthorPerson"


def a_query(*patterns: str) -> StoredQuery:
    return StoredQuery(QueryKind.FIND_DOCUMENTS, True, {AUTHOR: [[*patterns]]})


def matches(pattern: str, family: str) -> bool:
    author = Person(number="", family=family, given="")
    return read_filter(a_query(pattern)).matches(replace(an_entry(), author=author))


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


def test_any_number_of_patterns_takes_a_step_a_character_of_a_name() -> None:
    costly = ["%" + "_" * 254 + f"{number}" for number in range(10)] + ["%a" * 127] * 20
    family = "a" * 1000
    wanted = read_filter(a_query(*costly, *["nobody"] * (PATTERNS_MAX - len(costly))))
    entry = replace(an_entry(), author=Person(number="", family=family, given=""))
    began_s = time.process_time()

    found = [wanted.matches(entry) for _ in range(100)]

    assert not any(found)
    assert time.process_time() - began_s < 1


@pytest.mark.parametrize("patterns, code", [
    (["%"] * (PATTERNS_MAX + 1), XdsError.PARAMETER_NUMBER),
    (["%" * (PATTERN_LENGTH_MAX + 1)], XdsError.REGISTRY_ERROR),
])  # fmt: skip
def test_more_than_a_query_needs_of_patterns_is_refused(
    patterns: list[str], code: XdsError
) -> None:
    with pytest.raises(Refusal) as refused:
        read_filter(a_query(*patterns))

    assert refused.value.error is code


@pytest.mark.parametrize("held, asked", [
    ("1.2.250.1.213.1.1.5.618", "1.2.840.10008.2.16.4"),
    ("1.2.840.10008.2.16.4", "1.2.250.1.213.1.1.5.618"),
    ("http://dicom.nema.org/resources/ontology/DCM", "1.2.250.1.213.1.1.5.618"),
    ("1.2.250.1.213.1.1.5.695", "2.16.840.1.113883.6.96"),
    ("1.2.250.1.213.2.5", "1.2.250.1.213.1.1.5.695"),
    ("2.16.840.1.113883.6.96", "http://snomed.info/sct"),
])  # fmt: skip
def test_an_event_is_found_by_its_value_set_and_by_its_code_system(held: str, asked: str) -> None:
    entry = replace(an_entry(), event_codes=(Code(code="CT", scheme=held),))
    query = StoredQuery(
        QueryKind.FIND_DOCUMENTS, True, {"$XDSDocumentEntryEventCodeList": [[f"CT^^{asked}"]]}
    )
    other = replace(entry, event_codes=(Code(code="MR", scheme=held),))

    assert read_filter(query).matches(entry)
    assert not read_filter(query).matches(other)


@pytest.mark.parametrize("authority", ["", "1.2.3.4.5.6"])
@pytest.mark.parametrize("asked", ["^^^", "^^^&1.2.3.4.5.6&ISO"])
def test_a_study_is_found_whatever_authority_is_told_of_its_uid(authority: str, asked: str) -> None:
    """It needs none; the agency's samples have a placeholder."""
    reference = ReferenceId(kind=ReferenceKind.STUDY, value=STUDY, authority=authority)
    value = f"{STUDY}{asked}^{ReferenceKind.STUDY}"
    query = StoredQuery(
        QueryKind.FIND_BY_REFERENCE, True, {"$XDSDocumentEntryReferenceIdList": [[value]]}
    )

    assert read_filter(query).matches(replace(an_entry(), reference_ids=(reference,)))
