"""The requestor against a PACS that answers, refuses, fails or is silent."""

import asyncio
import struct
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from socket import TCP_NODELAY, socket
from threading import Event

import pytest
from pydicom import Dataset

from gateway.dimse import query as limits
from gateway.dimse.requesting import Listener
from gateway.dimse.requestor import PacsRequestor
from gateway.dimse.scu import Find, PacsAbilities, PacsTimeouts, QueryLevel
from gateway.dimse.turns import PacsThreads, PacsTurns
from gateway.errors import PacsAnswerUnreadable, PacsRefused, PacsUnavailable
from gateway.model.resource import Resource
from indexer.contract.identifiers import Uid
from tests.integration.dimse.pacs import ECHO, PATIENT_ROOT, STUDY_ROOT, Pacs, an_instance

SHORT = PacsTimeouts(connect_s=2, association_s=0.3, answer_s=0.3, move_answer_s=0.3, stall_s=0.3)
if sys.platform == "linux":
    from socket import TCP_QUICKACK

WHOLE = Resource(study=Uid("1.2.3"))
STUDY: dict[str, str | Sequence[Dataset]] = {
    "StudyInstanceUID": "1.2.3",
    "PatientID": "",
    "OtherPatientIDsSequence": [],
}


@pytest.fixture
def turns() -> Iterator[PacsTurns]:
    """For one request at a time, whichever PACS it goes to."""
    with PacsThreads(1) as threads:
        yield threads.turns(associations_max=1)


def requestor(port: int, turns: PacsTurns, timeouts: PacsTimeouts | None = None) -> PacsRequestor:
    return PacsRequestor(
        Listener(host="127.0.0.1", port=port),
        called_ae="PACS",
        calling_ae="DRIMBOX",
        turns=turns,
        timeouts=timeouts,
    )


async def find(asked: PacsRequestor, *, answers_max: int = 10) -> list[Dataset]:
    """A conversation of one query."""
    return await asked.converse(
        lambda find: find(STUDY, level=QueryLevel.STUDY, answers_max=answers_max)
    )


@asynccontextmanager
async def answering(encoded: bytes) -> AsyncIterator[int]:
    """A port that answers whatever it is sent with these bytes, then is silent."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(encoded)
        while await reader.read(65536):
            pass
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


async def test_a_query_gives_all_that_matches(turns: PacsTurns) -> None:
    with Pacs(instances=[an_instance(n) for n in range(3)]).running() as pacs:
        found = await find(requestor(pacs.port, turns))

    assert [answer.InstanceNumber for answer in found] == [0, 1, 2]
    [asked] = pacs.asked
    assert asked.QueryRetrieveLevel == "STUDY"
    assert asked.StudyInstanceUID == "1.2.3"
    assert asked.PatientID == ""
    assert asked["OtherPatientIDsSequence"].value == []


async def test_a_conversation_is_one_association(turns: PacsTurns) -> None:
    def talk(find: Find) -> int:
        first = find(STUDY, level=QueryLevel.STUDY, answers_max=10)
        second = find(STUDY, level=QueryLevel.SERIES, answers_max=10)
        return len(first) + len(second)

    with Pacs(instances=[an_instance(n) for n in range(3)]).running() as pacs:
        told = await requestor(pacs.port, turns).converse(talk)

    assert told == 6
    assert [asked.QueryRetrieveLevel for asked in pacs.asked] == ["STUDY", "SERIES"]
    assert pacs.associations == 1


async def test_a_conversation_that_takes_too_long_frees_its_turn(
    turns: PacsTurns,
) -> None:
    timeouts = PacsTimeouts(conversation_s=0.3)

    with Pacs(waits=Event()).running() as pacs, Pacs().running() as other:
        with pytest.raises(PacsUnavailable, match="in time"):
            await find(requestor(pacs.port, turns, timeouts))

        async with asyncio.timeout(5):
            await find(requestor(other.port, turns))


async def test_a_move_tells_how_it_ended(turns: PacsTurns) -> None:
    with Pacs(instances=[]).running() as pacs:
        outcome = await requestor(pacs.port, turns).move(
            Resource(study=Uid("1.2.3"), series=Uid("1.2.3.4"), instance=Uid("1.2.3.4.5")),
            destination_ae="DRIMBOX",
            message_id=65535,
        )

    [asked] = pacs.asked
    assert (outcome.status, outcome.completed, outcome.failed) == (0, 0, 0)
    assert asked.QueryRetrieveLevel == "IMAGE"
    assert asked.SOPInstanceUID == "1.2.3.4.5"


async def test_a_pacs_of_patient_root_alone_moves_under_the_patient_id_that_it_tells(
    turns: PacsTurns,
) -> None:
    held = an_instance(1)
    held.PatientID = "IPP1"

    with Pacs(instances=[held], models=PATIENT_ROOT).running() as pacs:
        asked = requestor(pacs.port, turns)
        with pytest.raises(PacsRefused, match="A801"):  # it knows nowhere to send to
            await asked.move(WHOLE, destination_ae="DRIMBOX", message_id=1)

    [query, move] = pacs.asked
    assert (query.QueryRetrieveLevel, query.PatientID) == ("STUDY", "")
    assert (move.QueryRetrieveLevel, move.PatientID) == ("STUDY", "IPP1")
    assert pacs.associations == 1


async def test_a_study_that_a_pacs_of_patient_root_does_not_know_is_not_moved(
    turns: PacsTurns,
) -> None:
    with Pacs(models=PATIENT_ROOT).running() as pacs:
        asked = requestor(pacs.port, turns)
        outcome = await asked.move(WHOLE, destination_ae="DRIMBOX", message_id=1)

    assert outcome.completed == 0
    assert len(pacs.asked) == 1


@pytest.mark.parametrize(
    "models, abilities",
    [
        ((*ECHO, *STUDY_ROOT), PacsAbilities(echoes=True, finds=True, moves=True, gets=False)),
        (PATIENT_ROOT, PacsAbilities(echoes=False, finds=True, moves=True, gets=False)),
        (ECHO, PacsAbilities(echoes=True, finds=False, moves=False, gets=False)),
    ],
)
async def test_what_a_pacs_can_do_is_found_on_one_association(
    turns: PacsTurns, models: Sequence[str], abilities: PacsAbilities
) -> None:
    with Pacs(models=models).running() as pacs:
        found = await requestor(pacs.port, turns).examine()

    assert found == abilities
    assert pacs.associations == 1


async def test_a_pacs_that_takes_queries_and_refuses_them_is_told_so(turns: PacsTurns) -> None:
    with Pacs(refuses={"STUDY": 0x0124}).running() as pacs:
        found = await requestor(pacs.port, turns).examine()

    assert (found.echoes, found.finds, found.moves) == (True, False, True)
    assert "0124" in found.refusal


async def test_why_a_pacs_takes_no_association_is_told(turns: PacsTurns) -> None:
    with Pacs().running() as pacs:
        pacs.ae.require_called_aet = True
        stranger = PacsRequestor(
            Listener(host="127.0.0.1", port=pacs.port),
            called_ae="OTHER",
            calling_ae="DRIMBOX",
            turns=turns,
        )

        with pytest.raises(PacsUnavailable, match="rejects the association: the called AE title"):
            await stranger.examine()


async def test_more_answers_than_are_taken_are_none(turns: PacsTurns) -> None:
    with (
        Pacs(instances=[an_instance(n) for n in range(3)]).running() as pacs,
        pytest.raises(PacsAnswerUnreadable, match="more than 2"),
    ):
        await find(requestor(pacs.port, turns), answers_max=2)


async def test_answers_longer_than_any_study_are_not_taken_in(
    turns: PacsTurns, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "ANSWERS_BYTES_MAX", 20_000)
    answers = [an_instance(n) for n in range(1000)]

    with Pacs(instances=answers).running() as pacs, pytest.raises(PacsUnavailable):
        await find(requestor(pacs.port, turns), answers_max=1000)


async def test_answers_of_too_many_items_are_not_decoded(
    turns: PacsTurns, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "ITEMS_MAX", 50)
    answer = an_instance(1)
    answer.OtherPatientIDsSequence = [Dataset() for _ in range(60)]

    with Pacs(instances=[answer]).running() as pacs, pytest.raises(PacsUnavailable):
        await find(requestor(pacs.port, turns))


async def test_a_failure_status_is_told(turns: PacsTurns) -> None:
    with (
        Pacs(instances=[Dataset()], find_status=0xA700).running() as pacs,
        pytest.raises(PacsUnavailable, match="A700"),
    ):
        await find(requestor(pacs.port, turns))


async def test_a_pacs_that_does_not_listen_is_unavailable(turns: PacsTurns) -> None:
    with socket() as bound:
        bound.bind(("127.0.0.1", 0))

        with pytest.raises(PacsUnavailable):
            await find(requestor(bound.getsockname()[1], turns))


async def test_a_host_without_an_address_is_unavailable(turns: PacsTurns) -> None:
    nowhere = PacsRequestor(
        Listener(host="nowhere.invalid", port=104),
        called_ae="PACS",
        calling_ae="DRIMBOX",
        turns=turns,
    )

    with pytest.raises(PacsUnavailable):
        await find(nowhere)


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        struct.pack(">BxI", 3, 4) + b"\0\1\1\3",
        struct.pack(">BxI", 2, 0xFFFFFFFF) + bytes(100),
        struct.pack(">BxI", 2, 100) + bytes(50),
    ],
    ids=["silent", "no DICOM", "rejected", "4 GiB announced", "cut"],
)
async def test_a_pacs_that_does_not_associate_is_unavailable(
    turns: PacsTurns, answer: bytes
) -> None:
    async with answering(answer) as port, asyncio.timeout(5):
        with pytest.raises(PacsUnavailable):
            await find(requestor(port, turns, SHORT))


async def test_a_pacs_that_goes_silent_is_unavailable(turns: PacsTurns) -> None:
    with Pacs(waits=Event()).running() as pacs:
        asked = requestor(pacs.port, turns, SHORT)

        with pytest.raises(PacsUnavailable):
            await find(asked)


async def test_a_pacs_that_breaks_off_is_unavailable(turns: PacsTurns) -> None:
    pacs = Pacs(breaks_off_after=1, instances=[an_instance(1), an_instance(2)])
    with pacs.running(), pytest.raises(PacsUnavailable, match="broke off"):
        await find(requestor(pacs.port, turns))


async def test_a_cancelled_caller_frees_its_turn(turns: PacsTurns) -> None:
    with Pacs(waits=Event()).running() as pacs, Pacs().running() as other:
        asking = asyncio.create_task(find(requestor(pacs.port, turns)))
        await asyncio.to_thread(pacs.is_asked.wait, 10)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking

        async with asyncio.timeout(5):  # there is one turn
            await find(requestor(other.port, turns))


async def test_a_caller_cancelled_while_associating_frees_its_turn(
    turns: PacsTurns,
) -> None:
    async with answering(b"") as port:
        with Pacs().running() as other:
            asking = asyncio.create_task(find(requestor(port, turns)))
            await asyncio.sleep(0.1)  # however far it has come by then
            asking.cancel()

            async with asyncio.timeout(5):
                await find(requestor(other.port, turns))


async def test_no_acknowledgement_is_waited_for_on_either_side(
    turns: PacsTurns, monkeypatch: pytest.MonkeyPatch
) -> None:
    options: list[int] = []
    plain = socket.setsockopt

    def note(self: socket, level: int, option: int, value: int) -> None:
        options.append(option)
        plain(self, level, option, value)

    monkeypatch.setattr(socket, "setsockopt", note)

    with Pacs().running() as pacs:
        await find(requestor(pacs.port, turns))

    assert TCP_NODELAY in options
    if sys.platform == "linux":
        assert TCP_QUICKACK in options
