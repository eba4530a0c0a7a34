"""From a RIS's socket to the news of a study, and back to the acknowledgement."""

import asyncio
import base64
import logging
from datetime import datetime, timedelta

import pytest

from gateway.errors import InvalidRequest, StorageUnavailable
from gateway.hl7.frames import END, START
from gateway.hl7.message import Message, decode
from gateway.hl7.mllp import MllpServer
from gateway.intake.hl7_door import Hl7Door
from gateway.model.notification import OrderReceived, PatientTold, ReportReceived
from tests.support.hl7_messages import Told, a_merge, an_mdm, an_omi, an_orm
from tests.support.peers import shared_data
from tests.support.reports import INS, PARIS, STUDY, a_cda, a_report

AGENCY_CDA = "IMG_CR_IMG_2023.11_CDA-R2-Niveau-1.xml"


async def answer_of(assembler: Told, message: bytes) -> Message:
    door = Hl7Door(assembler, PARIS)
    return decode(await door.handle(message, "127.0.0.1"))


def msa_of(ack: Message) -> tuple[str, str]:
    return ack.segments("MSA")[0].text(1), ack.segments("MSA")[0].text(2)


async def test_a_report_is_accepted_once_it_is_received() -> None:
    receiver = Told()
    door = Hl7Door(receiver, PARIS)
    server = await MllpServer.start("127.0.0.1", 0, handle=door.handle, admits=lambda peer: True)
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)

    writer.write(START + a_report() + END)
    answer = await reader.readuntil(END)

    assert msa_of(decode(answer[1:-2])) == ("AA", "M0001")
    [news] = receiver.news
    assert isinstance(news, ReportReceived)
    assert news.report.about(news.report.studies[0].study) is not None
    assert news.report.studies[0].study == STUDY
    writer.close()
    await server.close()


async def test_success_is_not_told_before_the_report_is_durable() -> None:
    asked, durable = asyncio.Event(), asyncio.Event()

    class Slow(Told):
        async def report_received(self, news: ReportReceived) -> None:
            asked.set()
            await durable.wait()

    answer = asyncio.create_task(Hl7Door(Slow(), PARIS).handle(a_report(), "127.0.0.1"))
    await asked.wait()

    assert not answer.done()
    durable.set()
    assert msa_of(decode(await answer))[0] == "AA"


@pytest.mark.parametrize(
    "failure, code",
    [
        (StorageUnavailable("disk full"), "AR"),
        (TimeoutError(), "AR"),
        (KeyError("a bug"), "AR"),
        (InvalidRequest("too many studies"), "AE"),
    ],
)
async def test_what_is_not_kept_is_not_told_as_success(failure, code) -> None:
    assert msa_of(await answer_of(Told(failure), a_report())) == (code, "M0001")


@pytest.mark.parametrize(
    "message, failure, reason",
    [
        (a_report(("|P|2.5", "|T|2.5")), None, "only production messages are taken: MSH-11 P"),
        (a_report(), InvalidRequest("too many studies"), "too many studies"),
    ],
)
async def test_a_refusal_is_logged_with_the_reason_that_the_sender_reads(
    caplog, message: bytes, failure: Exception | None, reason: str
) -> None:
    ack = await answer_of(Told(failure), message)

    [refused] = [record for record in caplog.records if record.message == "message_refused"]
    assert vars(refused)["reason"] == ack.segments("ERR")[0].text(8) == reason


@pytest.mark.parametrize(
    "message, answer, version, told",
    [
        (a_report(), "ACK^R01^ACK", "2.5", ["report"]),
        (an_mdm(), "ACK^T02^ACK", "2.6", ["report"]),
        (an_omi(), "ACK^O23^ACK", "2.5.1", ["order"]),
        (an_orm(), "ACK^O01^ACK", "2.3.1", ["order"]),
        (a_merge(), "ACK^A40^ACK", "2.5", ["patient", "patient"]),
    ],
)
async def test_each_type_of_message_is_taken_and_acknowledged_as_its_own(
    message: bytes, answer: str, version: str, told: list[str]
) -> None:
    assembler = Told()

    ack = await answer_of(assembler, message)

    assert msa_of(ack) == ("AA", "M0001")
    assert "^".join(ack.msh.text(9, part) for part in (1, 2, 3)) == answer
    assert ack.msh.text(12) == version
    assert assembler.kinds == told


def time_of(news: ReportReceived | OrderReceived | PatientTold) -> datetime | None:
    """By what it is put in order."""
    match news:
        case ReportReceived():
            return news.said_at
        case OrderReceived():
            return news.order.said_at
        case PatientTold():
            return news.word.told_at


@pytest.mark.parametrize(
    "days_ahead, believed", [(-300, True), (0, True), (0.9, True), (1.1, False), (9999, False)]
)
@pytest.mark.parametrize("message", [a_report(), an_omi(), a_merge()], ids=["ORU", "OMI", "ADT"])
async def test_a_time_that_is_yet_to_come_puts_nothing_in_order(
    message: bytes, days_ahead: float, believed: bool
) -> None:
    """Nothing that is said later could ever come after it."""
    said_at = datetime(2026, 1, 2, 3, 4, 5, tzinfo=PARIS)
    now = said_at - timedelta(days=days_ahead)
    assembler = Told()
    door = Hl7Door(assembler, PARIS, clock=lambda: int(now.timestamp() * 1000))

    await door.handle(message, "127.0.0.1")

    assert {time_of(news) for news in assembler.news} == {said_at if believed else None}


async def test_a_message_of_which_a_part_is_not_kept_is_not_told_as_success() -> None:
    class OnlyOne(Told):
        async def patient_told(self, news: PatientTold) -> None:
            if self.news:
                raise StorageUnavailable("disk full")
            await super().patient_told(news)

    assert msa_of(await answer_of(OnlyOne(), a_merge()))[0] == "AR"


async def test_a_version_that_is_not_spoken_is_refused_in_hl7s_own_words() -> None:
    receiver = Told()

    ack = await answer_of(receiver, a_report(("|2.5|", "|2.3.1|")))

    assert msa_of(ack) == ("AE", "M0001")
    [err] = ack.segments("ERR")
    assert [err.text(2, part) for part in (1, 2, 3)] == ["MSH", "1", "12"]
    assert [err.text(3, part) for part in (1, 2, 3)] == [
        "203",
        "Unsupported version id",
        "HL70357",
    ]
    assert err.text(4) == "E"
    assert receiver.news == []


async def test_neither_answer_nor_log_names_the_patient(caplog) -> None:
    caplog.set_level(logging.DEBUG)
    bad = [
        a_report(("|2.5|", "|2.4|")),
        a_report(("EXEMPLE^CAMILLE", r"EXEMPLE\Q\^CAMILLE")),
        a_report(cda=a_cda(("</family>", "</familyX>"))),
        a_report(cda=a_cda((STUDY, "EXEMPLE"))),
        an_mdm(("|AU|", "|EXEMPLE|")),
        an_omi((STUDY, "EXEMPLE")),
        an_orm(("|19550517|", "|EXEMPLE|")),
        a_merge(("LOC801", "LOC901")),
    ]

    answers = [str((await answer_of(Told(), message)).segments("ERR")) for message in bad]
    for message in (a_report(), an_omi(), a_merge()):
        await answer_of(Told(), message)
        await answer_of(Told(StorageUnavailable("no room")), message)

    logged = "\n".join(f"{record.getMessage()} {vars(record)}" for record in caplog.records)
    assert all(event in logged for event in ("report_received", "order_received", "patient_told"))
    for name in ("EXEMPLE", "CAMILLE", "LOC900", INS, STUDY):
        assert name not in logged
        assert name not in "".join(answers)


async def test_the_demonstrators_message_is_refused_and_says_why() -> None:
    receiver = Told()
    message = (shared_data() / "dicom" / "drimbox-poc" / "patient1.hl7").read_bytes()

    ack = await answer_of(receiver, message)

    assert msa_of(ack) == ("AE", "104")
    assert "line break inside a field" in ack.segments("ERR")[0].text(8)
    assert receiver.news == []


@pytest.mark.parametrize(
    "healed, code",
    [
        ([], "203"),
        ([(b"|2.3.1|", b"|2.5|")], "100"),
        ([(b"|2.3.1|", b"|2.5|"), (b"\nOBX|1|", b"\nPID|||X\nOBX|1|")], "102"),
    ],
)
async def test_each_of_the_demonstrators_faults_is_a_reason(healed, code) -> None:
    """Its line break repaired, the others come to light one after another."""
    path = shared_data() / "dicom" / "drimbox-poc" / "patient1.hl7"
    message = path.read_bytes().replace(b"patient \n|", b"patient |")
    for old, new in healed:
        assert old in message
        message = message.replace(old, new)

    ack = await answer_of(Told(), message)

    assert ack.segments("ERR")[0].text(3) == code


def an_example(title: str) -> str:
    """One of the agency's messages, in the PID that they share."""
    text = (shared_data() / "ans" / "hl7-shape.md").read_text()
    shape = text.partition(f"## Example {title}")[2].split("```")[1].strip()
    pid = next(line for line in text.splitlines() if line.startswith("PID|"))
    return shape if "\nPID|" in shape else shape.replace("\nORC|", f"\n{pid}\nORC|")


def with_cda(shape: str) -> bytes:
    cda = (shared_data() / "ans" / "CDA" / AGENCY_CDA).read_bytes()
    return shape.replace("<BASE64_CDA>", base64.b64encode(cda).decode()).encode()


async def test_the_agencys_report_is_accepted_with_its_cda() -> None:
    receiver = Told()

    ack = await answer_of(receiver, with_cda(an_example("ORU")))

    assert msa_of(ack)[0] == "AA"
    [news] = receiver.news
    assert isinstance(news, ReportReceived)
    assert len(news.report.studies) == 3
    # The example's PID and the sample CDA are about two people: kept, and for others to judge.
    assert news.report.announced.ins != news.report.patient.ins


async def test_the_agencys_replacement_is_accepted_once_it_names_its_cda() -> None:
    receiver = Told()
    message = with_cda(an_example("MDM"))
    named = message.replace(b"1.2.250.1.213.4.5.4.90012", b"1.2.250.1.213.1.1.1.45.2")

    refused, accepted = await answer_of(receiver, message), await answer_of(receiver, named)

    assert refused.segments("ERR")[0].text(2) == "TXA"
    assert msa_of(accepted)[0] == "AA"
    [news] = receiver.news
    assert isinstance(news, ReportReceived)
    assert news.report.status == "C"
    assert "1.2.250.1.213.4.5.4.9001" in news.report.replaces


async def test_the_agencys_deleted_exam_is_a_cancelled_order_for_its_study() -> None:
    receiver = Told()

    ack = await answer_of(receiver, an_example("OMI").encode())

    assert msa_of(ack)[0] == "AA"
    [news] = receiver.news
    assert isinstance(news, OrderReceived)
    assert (news.order.control, news.order.exam_changed) == ("CA", True)
    assert news.order.studies == ("1.2.250.1.213.4.5.2.1.9001",)
    assert [one.value for one in news.order.accessions] == ["ACN9001"]
