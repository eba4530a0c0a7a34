"""What a client makes of an index that has no record to publish into."""

import aiohttp
import pytest

from indexer.client.mhd import MhdIndex
from indexer.contract.errors import NoRecord, SubmissionRejected
from indexer.contract.record import RecordState
from indexer.wire.outcome import Json, no_record_refusal, operation_outcome
from tests.support.pointers import a_submission
from tests.support.scripted_index import ScriptedIndex, json

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
