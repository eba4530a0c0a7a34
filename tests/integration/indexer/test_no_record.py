"""What a client makes of an index that has no record to publish into."""

from pathlib import Path

import aiohttp
import pytest
from lxml import etree
from starlette.responses import Response

from indexer.client.mhd import MhdIndex
from indexer.client.xds import XdsIndex
from indexer.contract.errors import IndexUnavailable, NoRecord, SubmissionRejected
from indexer.contract.record import RecordState
from indexer.wire.dmp.existence import QUERY_ACTION
from indexer.wire.outcome import Json, no_record_refusal, operation_outcome
from indexer.wire.soap.envelope import SOAP_MEDIA_TYPE, SoapFault, fault
from indexer.wire.xml import Element
from tests.support.guarded import a_guarded_index
from tests.support.index_clients import SOURCE
from tests.support.pointers import ANNE, a_submission
from tests.support.scripted_index import ScriptedIndex, json
from tests.support.scripted_registry import ScriptedRegistry

NOT_OPEN = [RecordState.ABSENT, RecordState.CLOSED, RecordState.REFUSED]


@pytest.fixture
def index(scripted: ScriptedIndex, session: aiohttp.ClientSession) -> MhdIndex:
    return MhdIndex(scripted.url, session)


def outcome(state: RecordState) -> Json:
    refusal = no_record_refusal(state)
    return operation_outcome(refusal.code, refusal.reason, record=refusal.record)


@pytest.mark.parametrize("state", NOT_OPEN)
async def test_a_record_that_takes_nothing_is_told_apart_from_a_refusal(
    scripted: ScriptedIndex, index: MhdIndex, state: RecordState
) -> None:
    scripted.answer = json(outcome(state), 422)

    with pytest.raises(NoRecord) as told:
        await index.submit(a_submission())

    assert told.value.state is state


@pytest.mark.parametrize("state", [RecordState.CLOSED, RecordState.REFUSED])
async def test_nothing_is_withdrawn_from_a_record_that_takes_nothing(
    scripted: ScriptedIndex, index: MhdIndex, state: RecordState
) -> None:
    scripted.answer = json(outcome(state), 422)

    with pytest.raises(NoRecord) as told:
        await index.withdraw("1")

    assert told.value.state is state


async def test_in_no_record_there_is_nothing_to_withdraw(
    scripted: ScriptedIndex, index: MhdIndex
) -> None:
    scripted.answer = json(outcome(RecordState.ABSENT), 422)

    await index.withdraw("1")


async def test_a_word_of_somebody_elses_is_a_refusal(
    scripted: ScriptedIndex, index: MhdIndex
) -> None:
    told = outcome(RecordState.ABSENT)
    told["issue"][0]["details"]["coding"][0]["system"] = "urn:oid:1.2.3"
    scripted.answer = json(told, 422)

    with pytest.raises(SubmissionRejected):
        await index.submit(a_submission())


def answered(*, ack: str = "AA", code: str = "OK", status: str = "active") -> Element:
    """What TD0.2 answers."""
    return etree.fromstring(
        f"""<PRPA_IN201308UV02 xmlns="urn:hl7-org:v3" ITSVersion="XML_1.0">
        <acknowledgement typeCode="{ack}"/>
        <controlActProcess classCode="CACT" moodCode="EVN">
          <attentionLine><keyWordText code="AUTORISATION"/><value code="INTERDIT"/></attentionLine>
          <subject><registrationEvent><subject1><patient>
            <statusCode code="{status}"/>
          </patient></subject1></registrationEvent></subject>
          <queryAck><queryResponseCode code="{code}"/></queryAck>
        </controlActProcess></PRPA_IN201308UV02>"""
    )


@pytest.fixture
def by_xds(scripted: ScriptedIndex, session: aiohttp.ClientSession) -> XdsIndex:
    return XdsIndex(scripted.url, session, source=SOURCE)


@pytest.mark.parametrize("answer, state", [
    (answered(), RecordState.OPEN),
    (answered(status="terminated"), RecordState.CLOSED),
    (answered(code="NF"), RecordState.ABSENT),
])  # fmt: skip
async def test_whether_there_is_a_record_is_asked_by_td02(
    scripted: ScriptedIndex, by_xds: XdsIndex, answer: Element, state: RecordState
) -> None:
    registry = ScriptedRegistry(scripted)
    registry.answers[QUERY_ACTION] = answer

    assert await by_xds.record_state(ANNE) is state
    assert scripted.asked == [f"{scripted.url}/xds/patients"]


@pytest.mark.parametrize("answer", [
    answered(ack="AE"), answered(code="QE"), etree.Element("nothing"),
])  # fmt: skip
async def test_a_test_of_a_record_that_fails_is_made_again(
    scripted: ScriptedIndex, by_xds: XdsIndex, answer: Element
) -> None:
    registry = ScriptedRegistry(scripted)
    registry.answers[QUERY_ACTION] = answer

    with pytest.raises(IndexUnavailable):
        await by_xds.record_state(ANNE)


@pytest.mark.parametrize("status", [404, 405, 501])
async def test_an_index_without_such_a_test_tells_of_no_record(
    scripted: ScriptedIndex, by_xds: XdsIndex, index: MhdIndex, status: int
) -> None:
    scripted.answer = json({}, status)

    assert await by_xds.record_state(ANNE) is None
    assert await index.record_state(ANNE) is None


async def test_an_index_that_does_not_know_the_action_tells_of_no_record(
    scripted: ScriptedIndex, by_xds: XdsIndex
) -> None:
    told = fault(SoapFault("no", subcode="ActionNotSupported"))
    scripted.answer = lambda request: Response(told, 400, media_type=SOAP_MEDIA_TYPE)

    assert await by_xds.record_state(ANNE) is None


async def test_the_index_tells_whether_there_is_a_record(
    tmp_path: Path, session: aiohttp.ClientSession
) -> None:
    async with a_guarded_index(tmp_path, open_access=True, records="listed") as url:
        index = XdsIndex(url, session, source=SOURCE)
        told = [await index.record_state(ANNE)]
        for act in ("open", "close"):
            holder = {"ins": ANNE.value, "oid": ANNE.oid}
            async with session.post(f"{url}/api/records/{act}", json=holder) as answer:
                assert answer.status == 200
            told.append(await index.record_state(ANNE))

    assert told == [RecordState.ABSENT, RecordState.OPEN, RecordState.CLOSED]
