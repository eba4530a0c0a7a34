"""A message becomes a report, or is refused with HL7's own word for why."""

import base64
import re
import tracemalloc
from datetime import UTC, datetime

import pytest

from gateway.hl7.faults import ErrorCode, RefusedMessage
from gateway.hl7.message import decode
from gateway.intake.messages import read_news
from gateway.model.notification import ReportReceived
from gateway.model.report import Report, Visibility
from indexer.contract.document import Identifier
from indexer.contract.identifiers import Ins, Oid
from tests.support.reports import (
    CDA,
    INS,
    INS_OID,
    LOCAL_ID_OID,
    PARIS,
    STUDY,
    a_cda,
    a_report,
    flag,
)

PID_3 = f"{INS}^^^ASIP-SANTE-INS-NIR&{INS_OID}&ISO^INS^^"


def read(message: bytes) -> Report:
    return received(message).report


def received(message: bytes) -> ReportReceived:
    [news] = read_news(decode(message), time_zone=PARIS)
    assert isinstance(news, ReportReceived)
    return news


def test_a_report_says_whose_it_is_and_what_it_is_about() -> None:
    message = a_report()

    report = read(message)

    assert report.validated
    assert report.identity_status == "VALI"
    assert report.announced == report.patient
    assert report.announced.ins == Ins(value=INS, oid=Oid(INS_OID))
    assert report.announced.local_ids == (Identifier(value="LOC900", authority=LOCAL_ID_OID),)
    assert [one.study for one in report.studies] == [STUDY]
    assert report.written_at == datetime(2026, 1, 2, 10, 17, tzinfo=UTC)


def test_who_it_is_hidden_from_stands_in_the_flags_and_in_the_cda() -> None:
    normal = '<confidentialityCode code="N" codeSystem="2.16.840.1.113883.5.25"/>'
    masked = '<confidentialityCode code="MASQUE_PS" codeSystem="1.2.250.1.213.1.1.4.13"/>'

    report = read(a_report(cda=a_cda((normal, normal + masked))))

    assert report.visibility == {
        Visibility.HIDDEN_FROM_PATIENT,
        Visibility.HIDDEN_FROM_PROFESSIONALS,
    }


@pytest.mark.parametrize(
    "code, hidden",
    [
        ("MASQUE_PS", Visibility.HIDDEN_FROM_PROFESSIONALS),
        ("INVISIBLE_PATIENT", Visibility.HIDDEN_FROM_PATIENT),
        ("INVISIBLE_REP_LEGAUX", Visibility.HIDDEN_FROM_GUARDIANS),
        ("INVISIBLE_REPRESENTANTS_LEGAUX", Visibility.HIDDEN_FROM_GUARDIANS),
        ("INVISIBLE_REPRENSANTS_LEGAUX", Visibility.HIDDEN_FROM_GUARDIANS),
    ],
)
@pytest.mark.parametrize("system", ["MetaDMPMSS", "METADMPMSS", ""])
def test_each_spelling_of_a_visibility_flag_is_known(code, hidden, system) -> None:
    assert read(a_report(flags=flag(code, "Y", system=system))).visibility == {hidden}
    assert read(a_report(flags=flag(code, "n", system=system))).visibility == frozenset()


def test_the_strictest_of_two_answers_wins() -> None:
    flags = flag("MASQUE_PS", "Y") + flag("MASQUE_PS", "N")

    assert read(a_report(flags=flags)).visibility == {Visibility.HIDDEN_FROM_PROFESSIONALS}


def test_a_sender_may_keep_a_report_out_of_the_dmp() -> None:
    assert read(a_report()).for_dmp
    assert read(a_report(flags="")).for_dmp
    assert not read(a_report(flags=flag("DESTDMP", "N"))).for_dmp


def test_flags_that_mean_nothing_for_a_pointer_are_passed_over() -> None:
    flags = "".join(
        flag(code, "Y")
        for code in (
            "CONNEXION_SECRETE",
            "MODIF_CONF_CODE",
            "MODIF_CONFIDENTIALITYCODE",
            "DESTMSSANTEPS",
            "DESTMSSANTEPAT",
            "ACK_RECEPTION",
            "ACK_LECTURE_MSS",
        )
    )
    mail = "OBX|12|TX|CORPSMAIL_PS^Texte^MetaDMPMSS||Bonjour||||||F|\r"

    report = read(a_report(flags=flags + mail))

    assert report.unknown_flags == ()
    assert report.visibility == frozenset()


def test_an_unknown_flag_counts_only_if_it_is_set() -> None:
    flags = flag("MASQUE_TOUS", "Y") + flag("MASQUE_RIEN", "N") + flag("FINDING", "Y", system="LN")

    assert read(a_report(flags=flags)).unknown_flags == ("MASQUE_TOUS",)


@pytest.mark.parametrize("code", ["MASQUE_PS", "DESTDMP", "MASQUE_TOUS"])
@pytest.mark.parametrize("answer", ["", "O", "YES", "1"])
def test_a_flag_that_is_neither_yes_nor_no_is_refused(code, answer) -> None:
    with pytest.raises(RefusedMessage) as refusal:
        read(a_report(flags=flag(code, answer)))

    assert refusal.value.code == ErrorCode.TABLE_VALUE_NOT_FOUND
    assert refusal.value.location == "OBX^2^5"


@pytest.mark.parametrize(
    "pid_3, ins, local_ids",
    [
        (f"{INS}^^^X&{INS_OID}&ISO^NH", INS, []),
        (f"{INS}^^^{INS_OID}^INS", INS, []),
        (f"{PID_3}~{PID_3}", INS, []),
        (f"{PID_3}~279035121518989^^^X&1.2.250.1.213.1.4.9&ISO^INS", INS, []),
        ("155059999900197^^^X&1.2.250.1.213.1.4.10&ISO^INS", None, []),
        (f"{INS}^^^ASIP-SANTE-INS-NIR^INS", None, []),
        ("L1^^^HOSP&1.2.3&ISO^PI~V1^^^HOSP&1.2.3&ISO^VN", None, [("L1", "1.2.3")]),
        ("L1^^^HOSP^PI~L1^^^HOSP^PI~L2", None, [("L1", ""), ("L2", "")]),
        ("", None, []),
    ],
)
def test_patient_ids_are_told_apart_by_authority_and_type(pid_3, ins, local_ids) -> None:
    local = f"~LOC900^^^AUT-AFFECTATION&{LOCAL_ID_OID}&ISO^PI"

    announced = read(a_report((PID_3 + local, pid_3))).announced

    assert (announced.ins.value if announced.ins else None) == ins
    assert [(one.value, one.authority) for one in announced.local_ids] == local_ids


@pytest.mark.parametrize(
    "statuses, read_as",
    [
        ("VALI~HOMD", "VALI"),
        ("IDVER~VALI~DPOT", "VALI"),
        ("PROV", "PROV"),
        ("HOMA~RECD", "HOMA"),
        ("", ""),
        *[(f"VALI~{one}", one) for one in ("DOUT", "FICT", "USUR", "INVA", "COLV", "PROV")],
        ("DOUT~VALI", "DOUT"),
    ],
)
def test_an_identity_is_validated_unless_another_word_speaks_against_it(statuses, read_as) -> None:
    assert read(a_report(("|VALI\r", f"|{statuses}\r"))).identity_status == read_as


@pytest.mark.parametrize(
    "status, action, validated",
    [
        ("F", "NW", True),
        ("C", "RO", True),
        ("F", "RE", True),
        ("C", "RE", True),
        ("F", "", True),
        ("P", "NW", False),
        ("P", "RO", False),
        ("W", "RO", False),
        ("D", "CA", False),
        ("D", "", False),
    ],
)
def test_the_status_of_the_document_says_whether_it_is_validated(status, action, validated) -> None:
    report = read(a_report(("||||||F|\rPRT", f"||||||{status}|\rPRT"), ("ORC|NW", f"ORC|{action}")))

    assert (report.status, report.validated) == (status, validated)


@pytest.mark.parametrize(
    "told, said_at",
    [
        ("20260102030405", datetime(2026, 1, 2, 2, 4, 5, tzinfo=UTC)),
        ("20260702030405.123+0530", datetime(2026, 7, 1, 21, 34, 5, tzinfo=UTC)),
        ("{{idMessage}}", None),
        # Clocks show this hour twice, and nobody can tell which of the two is meant.
        ("20261025023000", None),
        ("20261025023000+0100", datetime(2026, 10, 25, 1, 30, tzinfo=UTC)),
        ("20261025033000", datetime(2026, 10, 25, 2, 30, tzinfo=UTC)),
        ("", None),
    ],
)
def test_when_it_was_said_is_told_by_the_header_where_that_holds_a_time(told, said_at) -> None:
    message = a_report(("|20260102030405||ORU", f"|{told}||ORU"))

    assert received(message).said_at == said_at


def test_base64_may_be_broken_into_lines_by_escape_sequences() -> None:
    whole = a_report()
    place = whole.index(b"Base64^") + 100

    broken = whole[:place] + b"\\.br\\" + whole[place:]

    assert read(broken).document_id == read(whole).document_id


def test_a_document_in_many_pieces_takes_no_more_memory_than_in_one() -> None:
    cda = a_cda(("JVBERi0=", "JVBERi0=" * 250_000))
    whole = a_report(cda=cda)
    data = base64.b64encode(cda).decode()
    broken = a_report(("{document}", re.sub("(..)", r"\1 ", data)))

    assert peak_of(broken) < 2 * peak_of(whole)


def peak_of(message: bytes) -> int:
    """Bytes that reading the message takes at most, beside the message itself."""
    tracemalloc.start()
    read(message)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return peak


def test_a_report_in_2_5_1_is_read() -> None:
    assert read(a_report(("|2.5|", "|2.5.1|"))).validated


@pytest.mark.parametrize(
    "changes, code, location",
    [
        ([("ORU^R01", "SIU^S12")], ErrorCode.UNSUPPORTED_MESSAGE_TYPE, "MSH^1^9^1^1"),
        ([("ORU^R01", "ORU^R30")], ErrorCode.UNSUPPORTED_EVENT, "MSH^1^9^1^2"),
        ([("|2.5|", "|2.3.1|")], ErrorCode.UNSUPPORTED_VERSION, "MSH^1^12"),
        ([("|M0001|", "||")], ErrorCode.REQUIRED_FIELD_MISSING, "MSH^1^10"),
        ([("|P|2.5", "|T|2.5")], ErrorCode.UNSUPPORTED_PROCESSING_ID, "MSH^1^11"),
        ([("PID|||", "ZID|||")], ErrorCode.SEGMENT_SEQUENCE, "PID^1"),
        ([("PV1|", "PID|||X\rPV1|")], ErrorCode.SEGMENT_SEQUENCE, "PID^2"),
        ([("|19550517|", "|19551317|")], ErrorCode.DATA_TYPE, "PID^1^7"),
        ([("|19550517|", "|long ago|")], ErrorCode.DATA_TYPE, "PID^1^7"),
        ([("LOC900", "L" * 1025)], ErrorCode.DATA_TYPE, "PID^1^3"),
        ([("ORC|NW|\r", "ORC|NW|\rORC|\\Q\\|\r")], ErrorCode.DATA_TYPE, "ORC^2^1"),
        (
            [(PID_3, f"{PID_3}~279035121518989^^^X&{INS_OID}&ISO^INS")],
            ErrorCode.DATA_TYPE,
            "PID^1^3",
        ),
        ([("OBX|1|ED", "OBX|1|TX")], ErrorCode.REQUIRED_FIELD_MISSING, "OBX^1^5"),
        ([("OBX|1|ED", "OBX|1|ED\rOBX|1|ED")], ErrorCode.SEGMENT_SEQUENCE, "OBX^2"),
        ([("{document}", "")], ErrorCode.REQUIRED_FIELD_MISSING, "OBX^1^5^1^5"),
        ([("{document}", "é!")], ErrorCode.DATA_TYPE, "OBX^1^5^1^5"),
        ([("{document}", "QUI")], ErrorCode.DATA_TYPE, "OBX^1^5^1^5"),
        ([("^TEXT^XML^Base64^", "")], ErrorCode.DATA_TYPE, "OBX^1^5"),
        ([("^XML^", "^PDF^")], ErrorCode.DATA_TYPE, "OBX^1^5"),
        ([("{document}", "{document}~^TEXT^XML^Base64^QQ==")], ErrorCode.DATA_TYPE, "OBX^1^5"),
        ([("||||||F|\rPRT", "||||||\rPRT")], ErrorCode.REQUIRED_FIELD_MISSING, "OBX^1^11"),
        ([("||||||F|\rPRT", "||||||Q|\rPRT")], ErrorCode.TABLE_VALUE_NOT_FOUND, "OBX^1^11"),
        ([("ORC|NW|\r", "ORC|NW|\rORC|RO|\r")], ErrorCode.INTERNAL, "ORC^2^1"),
    ],
)
def test_what_cannot_be_taken_is_refused_with_code_and_place(changes, code, location) -> None:
    with pytest.raises(RefusedMessage) as refusal:
        read(a_report(*changes))

    assert (refusal.value.code, refusal.value.location) == (code, location)


@pytest.mark.parametrize("cda", [b"<a/>", b"%PDF-1.7", CDA[:500], a_cda((STUDY, "none"))])
def test_a_fault_of_the_cda_is_told_at_its_obx(cda) -> None:
    with pytest.raises(RefusedMessage) as refusal:
        read(a_report(cda=cda))

    assert refusal.value.location == "OBX^1^5"
    assert "EXEMPLE" not in str(refusal.value)


def test_the_case_of_the_documents_type_does_not_matter() -> None:
    assert read(a_report(("^TEXT^XML^Base64^", "^text^xml^BASE64^"))).validated
