"""What may be asked in a search (PS3.18 §10.6.1.2)."""

import pytest

from gateway.dicomweb.qido import (
    LIMIT_DEFAULT,
    LIMIT_MAX,
    PARAMETERS_MAX,
    UIDS_MAX,
    SearchLevel,
    SearchQuery,
    parse_query,
)
from gateway.errors import InvalidRequest
from indexer.contract.identifiers import Uid

STUDY = Uid("1.2.3")


def parsed(*parameters: tuple[str, str], study: Uid | None = None) -> SearchQuery:
    return parse_query(SearchLevel.STUDIES, parameters, study=study)


def test_a_search_without_parameters_takes_all_a_page_at_a_time() -> None:
    assert parsed() == SearchQuery(level=SearchLevel.STUDIES, limit=LIMIT_DEFAULT, offset=0)


@pytest.mark.parametrize(
    "name, value, field, expected",
    [
        ("StudyInstanceUID", "1.2,1.3", "studies", ("1.2", "1.3")),
        ("0020000D", "1.2\\1.3", "studies", ("1.2", "1.3")),
        ("0020000e", "1.2", "series", ("1.2",)),
        ("SOPInstanceUID", "1.2", "instances", ("1.2",)),
        ("PatientID", " A 1 ", "patient_id", "A 1"),
        ("00080050", "B", "accession", "B"),
        ("PatientID", "", "patient_id", None),
        ("StudyInstanceUID", "", "studies", None),
        ("limit", "7", "limit", 7),
        ("limit", "0", "limit", 0),
        ("limit", "999999", "limit", LIMIT_MAX),
        ("offset", "7", "offset", 7),
    ],
)
def test_a_key_is_given_by_its_keyword_or_its_tag(
    name: str, value: str, field: str, expected: object
) -> None:
    query = parsed((name, value))

    assert getattr(query, field) == expected
    assert query.warnings == ()


@pytest.mark.parametrize(
    "parameters",
    [
        [("limit", "-1")],
        [("limit", "1.0")],
        [("limit", "")],
        [("offset", "9" * 11)],
        [("offset", "²")],
        [("StudyInstanceUID", "a.b")],
        [("StudyInstanceUID", "1.2,,1.3")],
        [("StudyInstanceUID", ",".join(["1.2"] * (UIDS_MAX + 1)))],
        [("PatientID", "A*")],
        [("PatientID", "A\\B")],
        [("PatientID", "9" * 65)],
        [("PatientID", "A"), ("PatientID", "A")],
        [("PatientID", "A"), ("00100020", "A")],
        [("x", "y")] * (PARAMETERS_MAX + 1),
    ],
)
def test_what_cannot_be_matched_is_refused(parameters: list[tuple[str, str]]) -> None:
    with pytest.raises(InvalidRequest):
        parsed(*parameters)


@pytest.mark.parametrize(
    "name, value, warned",
    [
        ("includefield", "all", 0),
        ("accept", "application/dicom+json", 0),
        ("fuzzymatching", "false", 0),
        ("fuzzymatching", "true", 1),
        ("emptyvaluematching", "true", 1),
        ("PatientName", "EXEMPLE", 1),
        ("patientid", "EXEMPLE", 1),
    ],
)
def test_what_is_passed_over_is_said_without_being_repeated(
    name: str, value: str, warned: int
) -> None:
    query = parsed((name, value), (name, value))

    assert len(set(query.warnings)) == warned
    assert "EXEMPLE" not in "".join(query.warnings)


@pytest.mark.parametrize(
    "asked, left", [("1.2.3", ("1.2.3",)), ("1.2.3,1.2", ("1.2.3",)), ("1.2", ())]
)
def test_the_address_and_the_query_hold_both(asked: str, left: tuple[str, ...]) -> None:
    assert parsed(("StudyInstanceUID", asked), study=STUDY).studies == left
