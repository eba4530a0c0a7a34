"""ITI-67: which entries each parameter finds, by FHIR's rules for tokens, dates and texts."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from indexer.contract.document import Author, Code, Person
from indexer.wire.fhir.search import read_search
from indexer.wire.fhir.search_values import read_date_range
from tests.support.pointers import ANNE, STUDY, an_entry

BASE = [("patient.identifier", f"urn:oid:{ANNE.oid}|{ANNE.value}"), ("status", "current")]
ENTRY = replace(
    an_entry(),
    event_codes=(
        Code(code="CT", scheme="1.2.250.1.213.1.1.5.618"),
        Code(code="69536005", scheme="2.16.840.1.113883.6.96"),
    ),
    author=Person(number="8", family="Lefèvre", given="Zoé"),
    created_at=datetime(2026, 11, 23, 8, 15, 30, tzinfo=UTC),
    service_start=datetime(2026, 11, 20, 8, 15, tzinfo=UTC),
    service_stop=datetime(2026, 11, 20, 8, 40, tzinfo=UTC),
)


def finds(*parameters: tuple[str, str]) -> bool:
    # The empty identifier makes of each parameter a test: columns are for the database to show.
    told = [*BASE, ("identifier", f"urn:oid:{ENTRY.unique_id}"), *parameters]
    return read_search(told).wanted.matches(ENTRY)


@pytest.mark.parametrize("name, value, expected", [
    ("category", "31", True),
    ("category", "urn:oid:1.2.250.1.213.1.1.4.1|31", True),
    ("category", "urn:oid:1.2.250.1.213.1.1.4.1|", True),
    ("category", "urn:oid:1.2.3|31", False),
    ("category", "|31", False),
    ("category", "30,31", True),
    ("category", "30", False),
    ("type", "IMG-KOS", True),
    ("type", "18748-4", False),
    ("setting", "ETABLISSEMENT", True),
    ("facility", "SA01", True),
    ("format", "1.2.840.10008.5.1.4.1.1.88.59", True),
    ("security-label", "urn:oid:2.16.840.1.113883.5.25|N", True),
    ("security-label", "R", False),
    ("event", "CT", True),
    ("event", "69536005", True),
    ("modality", "CT", True),
    ("modality", "urn:oid:1.2.840.10008.2.16.4|CT", True),
    ("modality", "urn:oid:1.2.250.1.213.1.1.5.618|CT", True),
    ("modality", "http://dicom.nema.org/resources/ontology/DCM|CT", True),
    ("modality", "MR", False),
    ("modality", "69536005", False),
    ("anatomical-region", "69536005", True),
    ("anatomical-region", "urn:oid:1.2.250.1.213.1.1.5.695|69536005", True),
    ("anatomical-region", "http://snomed.info/sct|69536005", True),
    ("anatomical-region", "CT", False),
    ("isArchived", "false", True),
    ("isArchived", "true", False),
])  # fmt: skip
def test_a_code_is_found_with_and_without_its_system(name: str, value: str, expected: bool) -> None:
    assert finds((name, value)) is expected


@pytest.mark.parametrize("name, value, expected", [
    ("author.family", "lefevre", True),
    ("author.family", "LEF", True),
    ("author.family", "evre", False),
    ("author.family", "Martin,Lef", True),
    ("author.family:contains", "EVRE", True),
    ("author.family:exact", "Lefèvre", True),
    ("author.family:exact", "Lefevre", False),
    ("author.given", "zoe", True),
    ("author.given", "Anne", False),
])  # fmt: skip
def test_a_name_is_found_by_its_begin_without_case_and_accents(
    name: str, value: str, expected: bool
) -> None:
    assert finds((name, value)) is expected


def test_each_of_several_authors_is_found() -> None:
    others = (Author(person=ENTRY.author), Author(person=Person(number="9", family="Durand")))
    entry = replace(ENTRY, authors=others)
    search = read_search([*BASE, ("identifier", "urn:oid:1.2"), ("author.family", "durand")])

    assert search.wanted.matches(entry)
    assert not search.wanted.matches(ENTRY)


@pytest.mark.parametrize("name, value, expected", [
    ("study-instance-uid", STUDY, True),
    ("study-instance-uid", f"urn:oid:{STUDY}", True),
    ("study-instance-uid", f"urn:ietf:rfc:3986|urn:oid:{STUDY}", True),
    ("study-instance-uid", "1.2.3", False),
    ("study-instance-uid", "D-1", False),
    ("accession-number", r"A\|1", True),
    ("accession-number", r"urn:oid:1.2.250.1.59.1|A\|1", True),
    ("accession-number", r"urn:oid:1.2.250.1.59.2|A\|1", False),
    ("related:identifier", "D-1", True),
    ("related", r"A\|1", True),
    ("related", "D-2", False),
])  # fmt: skip
def test_a_reference_is_found_by_its_value_and_by_its_authority(
    name: str, value: str, expected: bool
) -> None:
    assert finds((name, value)) is expected


@pytest.mark.parametrize("value, expected", [
    ("2026", True), ("2026-11", True), ("2026-11-23", True), ("2025", False),
    ("2026-11-23T08:15Z", True), ("2026-11-23T08:15:30Z", True), ("2026-11-23T08:15:31Z", False),
    ("2026-11-23T09:15:30+01:00", True), ("2026-11-23T08:15:30", True),
    ("2026-11-23T08:15:30.5Z", False),
    ("ne2026-11-23", False), ("ne2026-11-22", True),
    ("gt2026-11-23", False), ("gt2026-11-22", True), ("sa2026-11-22", True),
    ("ge2026-11-23", True), ("ge2026-11-24", False), ("sa2026-11-23", False),
    ("lt2026-11-23", False), ("lt2026-11-24", True), ("eb2026-11-24", True),
    ("le2026-11-23", True), ("le2026-11-22", False), ("eb2026-11-23", False),
    ("2025,2026", True),
])  # fmt: skip
@pytest.mark.parametrize("name", ["creation", "date"])
def test_a_time_is_compared_as_far_as_the_date_is_told(
    name: str, value: str, expected: bool
) -> None:
    assert finds((name, value)) is expected


@pytest.mark.parametrize("name, value, expected", [
    ("period", "2026-11-20", True),
    ("period", "2026-11-20T08:15Z", False),
    ("period", "ge2026-11-20T08:40Z", True),
    ("period", "gt2026-11-20T08:40Z", False),
    ("period", "gt2026-11-20T08:39Z", True),
    ("period", "lt2026-11-20T08:16Z", True),
    ("period", "lt2026-11-20T08:15Z", False),
    ("period", "le2026-11-20T08:15Z", True),
    ("period", "sa2026-11-19", True),
    ("period", "sa2026-11-20T08:15Z", False),
    ("period", "eb2026-11-20T08:40Z", False),
    ("period", "eb2026-11-21", True),
    ("period-start", "2026-11-20T08:15Z", True),
    ("period-start", "ge2026-11-20T08:16Z", False),
    ("period-end", "2026-11-20T08:40Z", True),
    ("period-end", "lt2026-11-20T08:40Z", False),
])  # fmt: skip
def test_a_period_is_compared_by_both_its_ends(name: str, value: str, expected: bool) -> None:
    assert finds((name, value)) is expected


@pytest.mark.parametrize("value, expected", [
    ("ge2030", True), ("gt2030", True), ("le2026-11-20", True), ("2026", False), ("eb2030", False),
    ("sa2026-11-19", True), ("ne2026", True),
])  # fmt: skip
def test_a_period_without_an_end_goes_on(value: str, expected: bool) -> None:
    entry = replace(ENTRY, service_stop=None)
    search = read_search([*BASE, ("identifier", "urn:oid:1.2"), ("period", value)])

    assert search.wanted.matches(entry) is expected


@pytest.mark.parametrize("value", ["2026", "ne2026", "ge1900", "lt2100"])
def test_what_tells_no_time_is_found_by_none(value: str) -> None:
    entry = replace(ENTRY, service_start=None, service_stop=None)
    search = read_search([*BASE, ("identifier", "urn:oid:1.2"), ("period", value)])

    assert not search.wanted.matches(entry)


def test_what_is_told_twice_must_hold_twice() -> None:
    assert finds(("event", "CT"), ("event", "69536005"))
    assert not finds(("event", "CT"), ("event", "MR"))
    assert finds(("creation", "ge2026-11-01"), ("creation", "lt2026-12-01"))
    assert not finds(("creation", "ge2026-11-01"), ("creation", "lt2026-11-23"))


@pytest.mark.parametrize("text", ["0001", "9999", "9999-12", "9999-12-31", "9999-12-31T23:59Z"])
def test_the_ends_of_the_calendar_are_dates(text: str) -> None:
    date = read_date_range(text)

    assert date.begin < date.end
