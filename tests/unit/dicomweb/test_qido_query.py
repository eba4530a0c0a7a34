"""What may be asked in a search, and what is answered of it (PS3.18 §10.6.1.2, PS3.4 §C.2.2.2)."""

import pytest

from gateway.dicomweb.attributes import SearchLevel, tag_of
from gateway.dicomweb.matching import (
    TEXT_LENGTH_MAX,
    UIDS_MAX,
    VALUES_MAX,
    WILDCARDS_MAX,
    Condition,
    Empty,
    Exactly,
    Number,
    Pattern,
    Range,
)
from gateway.dicomweb.qido import (
    FIELDS_MAX,
    LIMIT_DEFAULT,
    LIMIT_MAX,
    OFFSET_MAX,
    PARAMETERS_MAX,
    SearchQuery,
    parse_query,
)
from gateway.errors import InvalidRequest
from indexer.contract.identifiers import Uid

STUDY = Uid("1.2.3")
MULTIPLE = ("multiplevaluematching", "true")
EMPTY = ("emptyvaluematching", "true")


def parsed(
    *parameters: tuple[str, str],
    level: SearchLevel = SearchLevel.STUDIES,
    study: Uid | None = None,
) -> SearchQuery:
    return parse_query(level, parameters, study=study)


def asked(*parameters: tuple[str, str]) -> dict[str, tuple[Condition, ...]]:
    """The conditions by the path of their attribute."""
    return {key.attribute.path: key.conditions for key in parsed(*parameters).keys}


def test_a_search_without_parameters_takes_all_a_page_at_a_time() -> None:
    query = parsed()

    assert (query.keys, query.limit, query.offset) == ((), LIMIT_DEFAULT, 0)
    assert query.warnings == ()


@pytest.mark.parametrize(
    "name, value, path, conditions",
    [
        ("StudyInstanceUID", "1.2,1.3", "StudyInstanceUID", (Exactly("1.2"), Exactly("1.3"))),
        ("0020000D", "1.2\\1.3", "StudyInstanceUID", (Exactly("1.2"), Exactly("1.3"))),
        ("0020000d", "1.2", "StudyInstanceUID", (Exactly("1.2"),)),
        ("PatientID", " A 1 ", "PatientID", (Exactly("A 1"),)),
        ("00080050", "B*", "AccessionNumber", (Pattern("B*"),)),
        ("PatientID", "A**", "PatientID", (Pattern("A*"),)),
        ("PatientName", "Cœur d’Éléonore^", "PatientName", (Exactly("coeur d eleonore"),)),
        ("SeriesNumber", "007", "SeriesNumber", (Number(7),)),
        ("StudyDate", "20260102", "StudyDate", (Range("20260102", "20260102", False),)),
        ("StudyDate", "2026.01.02-", "StudyDate", (Range("20260102", ""),)),
        ("StudyTime", "-1030", "StudyTime", (Range("", "1030"),)),
        ("StudyTime", "10-1030", "StudyTime", (Range("100000", "1030"),)),
        (
            "00101002.00100020",
            "X",
            "OtherPatientIDsSequence.PatientID",
            (Exactly("X"),),
        ),
        (
            "RequestAttributesSequence.ScheduledProcedureStepID",
            "X?",
            "RequestAttributesSequence.ScheduledProcedureStepID",
            (Pattern("X?"),),
        ),
    ],
)
def test_a_key_is_given_by_its_keywords_or_its_tags(
    name: str, value: str, path: str, conditions: tuple[Condition, ...]
) -> None:
    assert asked((name, value)) == {path: conditions}


@pytest.mark.parametrize(
    "name, value", [("PatientID", ""), ("StudyDate", " "), ("PatientName", "*"), ("StudyID", "**")]
)
def test_a_value_that_anything_matches_asks_nothing(name: str, value: str) -> None:
    assert asked((name, value)) == {}


def test_ranges_of_a_date_and_of_its_time_are_one_range_of_instants() -> None:
    both = asked(("StudyDate", "20260102-20260103"), ("StudyTime", "2200-0600"))
    apart = asked(("StudyDate", "20260102"), ("StudyTime", "1000-1200"))

    assert both == {"StudyDate": (Range("20260102220000", "202601030600"),)}
    assert set(apart) == {"StudyDate", "StudyTime"}


def test_several_values_and_none_are_asked_for_where_the_client_says_so() -> None:
    assert asked(MULTIPLE, ("Modality", "CT,MR\\US")) == {
        "Modality": (Exactly("CT"), Exactly("MR"), Exactly("US"))
    }
    assert asked(MULTIPLE, ("StudyDescription", "a, b\\c")) == {
        "StudyDescription": (Exactly("a, b"), Exactly("c"))
    }
    assert asked(EMPTY, ("PatientName", '""')) == {"PatientName": (Empty(),)}
    assert asked(("PatientID", '""')) == {"PatientID": (Exactly('""'),)}


@pytest.mark.parametrize(
    "parameters",
    [
        [("limit", "-1")],
        [("limit", "1.0")],
        [("limit", str(OFFSET_MAX + 1))],
        [("offset", str(OFFSET_MAX + 1))],
        [("limit", "")],
        [("limit", "1"), ("limit", "1")],
        [("offset", "9" * 11)],
        [("offset", "²")],
        [("fuzzymatching", "yes")],
        [("emptyvaluematching", "true"), ("emptyvaluematching", "true")],
        [("StudyInstanceUID", "a.b")],
        [("StudyInstanceUID", "1.2,,1.3")],
        [("StudyInstanceUID", ",".join(["1.2"] * (UIDS_MAX + 1)))],
        [MULTIPLE, ("Modality", ",".join(["CT"] * (VALUES_MAX + 1)))],
        [MULTIPLE, ("Modality", "CT,,MR")],
        [("SOPClassUID", "1.2*")],
        [("PatientID", "A\\B")],
        [("PatientID", "A\0B")],
        [("PatientID", "9" * (TEXT_LENGTH_MAX + 1))],
        [("PatientID", "a*" * (WILDCARDS_MAX + 1))],
        [("PatientID", "A"), ("PatientID", "A")],
        [("PatientID", "A"), ("00100020", "A")],
        [("StudyDate", "20261301")],
        [("StudyDate", "2026")],
        [("StudyDate", "-")],
        [("StudyDate", "20260101-20260102-20260103")],
        [("StudyDate", "20260102-20260101")],
        [("StudyDate", "202601*")],
        [("StudyTime", "2500")],
        [("StudyTime", "1200-1100")],
        [("SeriesNumber", "1.5")],
        [("InstanceNumber", "9" * 13)],
        [("x", "y")] * (PARAMETERS_MAX + 1),
        [("includefield", ",".join(["StudyID"] * (FIELDS_MAX + 1)))],
    ],
)
def test_what_cannot_be_matched_is_refused(parameters: list[tuple[str, str]]) -> None:
    with pytest.raises(InvalidRequest):
        parsed(*parameters)


@pytest.mark.parametrize(
    "name, value, warned",
    [
        ("includefield", "all", 0),
        ("includefield", "StudyID,00081030", 0),
        ("includefield", "EXEMPLE", 1),
        ("accept", "application/dicom+json", 0),
        ("EXEMPLE", "true", 1),
        ("patientid", "EXEMPLE", 1),
        ("RetrieveURL", "EXEMPLE", 1),
        ("00091001", "EXEMPLE", 1),
        ("PatientName.PatientID", "EXEMPLE", 1),
    ],
)
def test_what_is_passed_over_is_said_without_being_repeated(
    name: str, value: str, warned: int
) -> None:
    query = parsed((name, value))

    assert len(set(query.warnings)) == warned
    assert "EXEMPLE" not in "".join(query.warnings)


def answered(query: SearchQuery, *keywords: str) -> list[bool]:
    return [tag_of(keyword).encode() in query.tags for keyword in keywords]


def test_answers_hold_what_the_standard_names_and_what_is_asked_for() -> None:
    fields = ("PatientID", "IssuerOfPatientID", "OtherPatientIDsSequence", "Modality")

    assert answered(parsed(), *fields) == [True, False, False, False]
    assert answered(parsed(("includefield", "all")), *fields) == [True, True, True, False]
    # What is of a level below is matched, and not returned.
    named = parsed(("includefield", "Modality,00100021"), ("Modality", "CT"))
    assert answered(named, *fields) == [True, True, False, False]
    # What is matched is returned, a sequence as a whole.
    matched = parsed(("OtherPatientIDsSequence.PatientID", "1"), ("IssuerOfPatientID", ""))
    assert answered(matched, *fields) == [True, True, True, False]


def test_series_and_instances_tell_of_what_their_address_does_not_name() -> None:
    fields = ("PatientID", "Modality", "InstanceNumber", "StudyInstanceUID")

    series, instances = SearchLevel.SERIES, SearchLevel.INSTANCES
    assert answered(parsed(level=series), *fields) == [True, True, False, True]
    assert answered(parsed(level=series, study=STUDY), *fields) == [False, True, False, True]
    assert answered(parsed(level=instances), *fields) == [True, True, True, True]
    assert answered(parsed(level=instances, study=STUDY), *fields) == [False, True, True, True]
    # An attribute of a level above is returned where it is asked for.
    named = parsed(("includefield", "PatientID"), level=series, study=STUDY)
    assert answered(named, *fields) == [True, True, False, True]


def test_limits_are_those_of_the_gateway_where_the_client_asks_for_more() -> None:
    query = parsed(("limit", "999999"), ("offset", "7"))

    assert (query.limit, query.offset) == (LIMIT_MAX, 7)


@pytest.mark.parametrize("named", ["1.2.3", "1.2.3,1.2", "1.2"])
def test_the_address_and_the_query_hold_both(named: str) -> None:
    query = parsed(("StudyInstanceUID", named), study=STUDY)

    assert [key.conditions for key in query.keys] == [
        tuple(Exactly(uid) for uid in named.split(",")),
        (Exactly(STUDY),),
    ]
