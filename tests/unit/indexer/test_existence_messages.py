"""TD0.2's answers are what HL7's schema of PRPA_IN201308UV02 has, for strict readers go by it."""

from datetime import UTC, datetime

import pytest
from lxml import etree

from indexer.contract.record import RecordState
from indexer.wire.dmp.existence import (
    Authorisation,
    Existence,
    ExistenceQuery,
    existence_answer,
    existence_failure,
    read_existence_query,
)
from indexer.wire.xml import Element
from tests.support.dmp_messages import SPACES, a_test
from tests.support.xml_types import types_told

NOW = datetime(2026, 11, 23, 10, tzinfo=UTC)
QUERY = read_existence_query(a_test())


def answered(state: RecordState) -> Element:
    found = Existence(state=state, authorisation=Authorisation.VALID)
    return existence_answer(QUERY, found, now=NOW)


def test_each_type_that_is_told_is_one_of_hl7() -> None:
    told = types_told(answered(RecordState.OPEN))

    assert told == {f"{{{SPACES['v3']}}}CV", f"{{{SPACES['v3']}}}BL"}


@pytest.mark.parametrize("state", [RecordState.OPEN, RecordState.CLOSED])
def test_the_patient_is_a_person_of_whom_nothing_is_told(state: RecordState) -> None:
    [person] = answered(state).iterfind(".//v3:patient/v3:patientPerson", SPACES)

    [name] = person
    assert etree.QName(name).localname == "name"
    assert (name.items(), len(name)) == ([("nullFlavor", "MSK")], 0)


@pytest.mark.parametrize("query", [QUERY, None], ids=["understood", "not understood"])
def test_a_failure_refers_to_what_was_asked_and_answers_it(query: ExistenceQuery | None) -> None:
    failure = existence_failure("XDSRegistryError", "the reason", query)

    [acknowledgement] = failure.iterfind("v3:acknowledgement", SPACES)
    assert [etree.QName(one).localname for one in acknowledgement] == [
        "targetMessage",
        "acknowledgementDetail",
    ]
    [code] = failure.iterfind("v3:controlActProcess/v3:queryAck/v3:queryResponseCode", SPACES)
    assert code.get("code") == "AE"
