"""A message of the master patient index becomes a word about each patient that it names."""

from datetime import UTC, datetime

import pytest

from gateway.hl7.faults import ErrorCode, RefusedMessage
from gateway.hl7.message import decode
from gateway.intake.messages import read_news
from gateway.model.notification import PatientTold
from gateway.model.patient import PatientWord
from indexer.contract.document import Identifier
from tests.support.hl7_messages import MERGE_GROUP, a_merge, an_adt
from tests.support.reports import INS, LOCAL_ID_OID, PARIS


def read_all(message: bytes) -> list[PatientTold]:
    told = read_news(decode(message), time_zone=PARIS)
    return [news for news in told if isinstance(news, PatientTold)]


def read(message: bytes) -> PatientWord:
    [news] = read_all(message)
    return news.word


def local(value: str) -> Identifier:
    return Identifier(value=value, authority=LOCAL_ID_OID)


@pytest.mark.parametrize("event", ["A01", "A04", "A08", "A31"])
def test_which_ins_goes_with_which_local_id_is_learned_from_each_event(event) -> None:
    word = read(an_adt(("ADT^A08", f"ADT^{event}")))

    assert word.event == event
    assert word.told_at == datetime(2026, 1, 2, 2, 4, 5, tzinfo=UTC)
    assert word.identity_status == "VALI"
    assert word.patient.ins is not None
    assert word.patient.ins.value == INS
    assert word.patient.local_ids == (local("LOC900"),)
    assert (word.patient.birth_name, word.patient.birth_date) == ("EXEMPLE", "19550517")
    assert word.merged == ()


def test_a_patient_may_have_several_local_ids_and_no_ins() -> None:
    ids = ("^INS~LOC900", f"^XX~L0^^^LABO&1.2.250.1.999.9&ISO^PI~LOC900^^^X&{LOCAL_ID_OID}&ISO")
    own = ("1.2.250.1.213.1.4.10", "1.2.250.1.999.3")

    word = read(an_adt(own, ids))

    assert word.patient.ins is None
    assert word.patient.local_ids == (
        Identifier(value="L0", authority="1.2.250.1.999.9"),
        local("LOC900"),
    )


@pytest.mark.parametrize("told", ["", "{{now}}"])
def test_a_message_need_not_say_when_it_was_told(told) -> None:
    assert read(an_adt(("EVN||20260102030405", f"EVN||{told}"))).told_at is None
    assert read(an_adt(("EVN||20260102030405\r", ""))).told_at is None


def test_a_merge_names_who_survives_and_which_ids_are_theirs_now() -> None:
    one, other = read_all(a_merge())

    assert one.word.event == "A40"
    assert one.word.patient.local_ids == (local("LOC900"),)
    assert one.word.merged == (local("LOC800"),)
    assert other.word.merged == (local("LOC801"),)
    assert other.word.told_at == one.word.told_at
    assert other.message_digest == f"{one.message_digest}#2"


def test_all_ids_that_are_merged_are_told_but_those_that_stay() -> None:
    more = f"LOC800~LOC700^^^X&{LOCAL_ID_OID}&ISO^PI~LOC900^^^X^PI~{INS}^^^X&1.2.250.1.213.1.4.10"

    word = read_all(a_merge(("LOC800", more)))[0].word

    # The first has no authority of its own in this message, the third is the survivor's.
    assert word.merged == (Identifier(value="LOC800"), local("LOC700"))


def test_a_change_of_ids_names_those_that_are_replaced() -> None:
    word = read(an_adt(("ADT^A08", "ADT^A47"), ("PV1||N\r", MERGE_GROUP)))

    assert word.event == "A47"
    assert word.merged == (local("LOC800"),)


@pytest.mark.parametrize("event", ["A03", "A37", "A43", "A45"])
def test_what_else_is_said_of_patients_is_refused_with_what_is_taken(event: str) -> None:
    with pytest.raises(RefusedMessage) as refusal:
        read_all(an_adt(("ADT^A08", f"ADT^{event}")))

    assert refusal.value.location == "MSH^1^9^1^2"
    assert str(refusal.value) == "ADT is taken as A01, A04, A08, A31, A40, A47 only"


def a_merge_with_another_born(when: str) -> bytes:
    """The second patient of the merge is born then."""
    first, pid, second = a_merge().rpartition(b"PID|")
    return first + pid + second.replace(b"19550517", when.encode())


@pytest.mark.parametrize(
    "message, code, location",
    [
        (an_adt(("|2.5^FRA", "|2.8^FRA")), ErrorCode.UNSUPPORTED_VERSION, "MSH^1^12"),
        (an_adt(("PID|", "ZID|")), ErrorCode.SEGMENT_SEQUENCE, "PID^1"),
        (an_adt(("PV1||N", "PID|||X")), ErrorCode.SEGMENT_SEQUENCE, "PID^2"),
        (an_adt(("ISO^PI", "ISO^VN")), ErrorCode.REQUIRED_FIELD_MISSING, "PID^1^3"),
        (a_merge(("PID|", "ZID|")), ErrorCode.SEGMENT_SEQUENCE, "PID^1"),
        (a_merge(("MRG|LOC801", "ZRG|LOC801")), ErrorCode.SEGMENT_SEQUENCE, "PID^2"),
        (a_merge(("MRG|LOC801", "MRG|X\rMRG|")), ErrorCode.SEGMENT_SEQUENCE, "MRG^3"),
        (a_merge(("MRG|LOC800", "MRG|")), ErrorCode.REQUIRED_FIELD_MISSING, "MRG^1^1"),
        (a_merge(("MRG|LOC801", "MRG|" + "L" * 1025)), ErrorCode.DATA_TYPE, "MRG^2^1"),
        (a_merge(("LOC901", "\\Q\\")), ErrorCode.DATA_TYPE, "PID^2^3"),
        (a_merge_with_another_born("19551317"), ErrorCode.DATA_TYPE, "PID^2^7"),
        (a_merge(("LOC801", "LOC901")), ErrorCode.REQUIRED_FIELD_MISSING, "MRG^2^1"),
        (an_adt(("ADT^A08", "ADT^A47")), ErrorCode.SEGMENT_SEQUENCE, "PID^1"),
    ],
)
def test_what_cannot_be_taken_is_refused_with_code_and_place(message, code, location) -> None:
    with pytest.raises(RefusedMessage) as refusal:
        read_all(message)

    assert (refusal.value.code, refusal.value.location) == (code, location)
