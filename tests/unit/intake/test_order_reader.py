"""A message becomes an order, or the word that an exam has changed."""

from datetime import UTC, datetime

import pytest

from gateway.hl7.faults import ErrorCode, RefusedMessage
from gateway.hl7.message import decode
from gateway.intake.messages import read_news
from gateway.model.notification import OrderReceived
from gateway.model.order import CANCELLED, Order
from indexer.contract.document import Code, Identifier, Person
from tests.support.hl7_messages import an_omi, an_orm
from tests.support.reports import INS, PARIS, STUDY

OTHER_STUDY = "1.2.250.1.999.1.2"


def read_all(message: bytes) -> list[OrderReceived]:
    told = read_news(decode(message), time_zone=PARIS)
    return [news for news in told if isinstance(news, OrderReceived)]


def read(message: bytes) -> Order:
    [news] = read_all(message)
    return news.order


def test_an_omi_says_which_exam_of_whom_it_is_about() -> None:
    order = read(an_omi())

    assert order.control == "NW"
    assert order.placer == Identifier(value="P900", authority="1.2.250.1.999.6")
    assert order.filler == Identifier(value="F900", authority="1.2.250.1.999.8")
    assert order.accessions == (Identifier(value="ACC900", authority="1.2.250.1.999.7"),)
    assert order.studies == (STUDY,)
    assert order.ordered_at == datetime(2026, 1, 2, 2, 0, tzinfo=UTC)
    assert order.said_at == datetime(2026, 1, 2, 2, 4, 5, tzinfo=UTC)
    assert order.identity_status == "VALI"
    assert order.patient.ins is not None
    assert order.patient.ins.value == INS
    assert [one.value for one in order.patient.local_ids] == ["LOC900"]


def test_an_orm_names_exam_and_study_in_obr_and_zds() -> None:
    order = read(an_orm())

    assert (order.placer.value, order.filler.value) == ("P900", "F900")
    assert order.accessions == (Identifier(value="ACC900"),)
    assert order.studies == (STUDY,)
    assert order.acts == (
        Code(code="ACQH004", scheme="1.2.250.1.215.300.1", display="Scanner du crâne"),
    )
    assert not order.exam_changed


def test_an_orm_may_name_no_study() -> None:
    assert read(an_orm(("ZDS|", "ZZZ|"))).studies == ()


@pytest.mark.parametrize(
    "words, changed",
    [
        ("ACT^Modification Examen Imagerie", True),
        ("ACT^MODIFICATION  EXAMEN IMAGERIE", True),
        ("Examen supprimé", True),
        ("Examen supprime", True),
        ("ACT^Poids", False),
        ("", False),
    ],
)
def test_an_omi_says_in_words_that_an_exam_has_changed(words, changed) -> None:
    assert read(an_omi(("ACT^Modification Examen Imagerie", words))).exam_changed == changed


def test_an_omi_without_numbers_of_its_own_is_about_the_study_that_it_names() -> None:
    """As the agency's message of a deleted exam: constants in OBR, all that counts in IPC."""
    order = read(
        an_omi(
            ("ORC|NW|P900^RIS^1.2.250.1.999.6^ISO|F900^RIS^1.2.250.1.999.8^ISO||SC", "ORC|CA||||"),
            ("24727-0^CT tête^LN^774007^Tête et cou^SCT", "18748-4^CR d'imagerie médicale^LN"),
            ("ACC900^RIS^1.2.250.1.999.7^ISO", "ACC900"),
            ("ACT^Modification Examen Imagerie", "Examen supprimé"),
        )
    )

    assert order.control in CANCELLED
    assert order.exam_changed
    assert (order.placer.value, order.filler.value) == ("", "")
    assert order.accessions == (Identifier(value="ACC900"),)
    assert order.studies == (STUDY,)
    assert order.acts == ()


def test_acts_and_regions_are_told_apart_and_a_centres_own_codes_left_out() -> None:
    own = ("24727-0^CT tête^LN", "CTHEAD^Scanner^RIS_X")

    assert [one.code for one in read(an_omi()).acts] == ["24727-0"]
    assert [one.code for one in read(an_omi()).regions] == ["774007"]
    assert read(an_omi(own)).acts == ()


@pytest.mark.parametrize(
    "interpreter, author",
    [
        (
            "810999000001&EXEMPLE&Anne",
            Person(number="810999000001", family="EXEMPLE", given="Anne"),
        ),
        ("810999000002&TESTEUR&ANNE", None),  # who prescribed
        ("DOC1&EXEMPLE&Anne", None),
        ("810999000001&EXEMPLE&Anne&&&&&&RIS&1.2.3&ISO", None),
        ("", None),
    ],
)
def test_who_interprets_is_taken_by_national_number_and_never_who_prescribed(
    interpreter, author
) -> None:
    assert read(an_omi(("810999000001&EXEMPLE&Anne", interpreter))).author == author


def test_several_acts_of_one_order_are_one_order() -> None:
    second = (
        "ORC|NW|P900^RIS|F900^RIS\r"
        "OBR|2|P900^RIS|F900^RIS|ZCQH001^Scanner du thorax^CCAM||||||||||||||ACC901\r"
    )

    order = read(an_orm(("ZDS|", f"{second}ZDS|")))

    assert [one.code for one in order.acts] == ["ACQH004", "ZCQH001"]
    assert [one.value for one in order.accessions] == ["ACC900", "ACC901"]
    assert order.studies == (STUDY,)


def test_several_orders_in_one_message_are_as_many_news() -> None:
    second = f"ORC|CA|P901^RIS|F901^RIS\rZDS|{OTHER_STUDY}\r"

    one, other = read_all(
        an_orm((f"ZDS|{STUDY}^RIS^Application^DICOM\r", f"ZDS|{STUDY}\r{second}"))
    )

    assert (one.order.control, one.order.studies) == ("NW", (STUDY,))
    assert (other.order.control, other.order.studies) == ("CA", (OTHER_STUDY,))
    assert other.message_digest == f"{one.message_digest}#2"


@pytest.mark.parametrize(
    "message, code, location",
    [
        (an_omi(("ORC|", "ZRC|")), ErrorCode.SEGMENT_SEQUENCE, "ORC^1"),
        (an_omi(("ORC|NW", "ORC|")), ErrorCode.REQUIRED_FIELD_MISSING, "ORC^1^1"),
        (an_omi((STUDY, "unknown")), ErrorCode.DATA_TYPE, "IPC^1^3"),
        (an_orm((STUDY, "unknown")), ErrorCode.DATA_TYPE, "ZDS^1^1"),
        (
            an_orm(
                ("ORC|NW|P900^RIS|F900^RIS", "ORC|NW||"), ("|ACC900\r", "|\r"), ("ZDS|", "ZZZ|")
            ),
            ErrorCode.REQUIRED_FIELD_MISSING,
            "ORC^1^2",
        ),
        (an_orm(("PID|", "ZID|")), ErrorCode.SEGMENT_SEQUENCE, "PID^1"),
        (an_orm(("|2.3.1|", "|2.2|")), ErrorCode.UNSUPPORTED_VERSION, "MSH^1^12"),
        (an_omi(("OMI^O23", "OMI^O24")), ErrorCode.UNSUPPORTED_EVENT, "MSH^1^9^1^2"),
    ],
)
def test_what_cannot_be_taken_is_refused_with_code_and_place(message, code, location) -> None:
    with pytest.raises(RefusedMessage) as refusal:
        read_all(message)

    assert (refusal.value.code, refusal.value.location) == (code, location)
