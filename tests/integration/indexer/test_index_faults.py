"""What every client makes of an index that is not there, is slow, or leads elsewhere."""

import socket
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import aiohttp
import pytest

from indexer.contract.document import DocumentQuery
from indexer.contract.errors import IndexUnavailable
from indexer.contract.index import Index
from indexer.wire.outcome import IssueCode, operation_outcome
from tests.support.index_clients import PROTOCOLS, a_client
from tests.support.pointers import ANNE, a_submission
from tests.support.scripted_index import ScriptedIndex, json

OF_ANNE = DocumentQuery(patient=ANNE)
PLACES = {"mhd": "/fhir", "xds": "/xds/repository"}


@pytest.fixture(params=PROTOCOLS)
def protocol(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def index(protocol: str, scripted: ScriptedIndex, session: aiohttp.ClientSession) -> Index:
    return a_client(protocol, scripted.url, session)


async def test_an_index_that_is_not_there_is_unavailable(
    protocol: str, session: aiohttp.ClientSession
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

    index = a_client(protocol, f"http://127.0.0.1:{port}", session)

    for asking in (index.submit(a_submission()), index.find(OF_ANNE)):
        with pytest.raises(IndexUnavailable):
            await asking


async def test_an_index_that_does_not_answer_is_unavailable(
    protocol: str, session: aiohttp.ClientSession
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        index = a_client(protocol, url, session, answer_s_max=0.1)

        with pytest.raises(IndexUnavailable, match="in time"):
            await index.submit(a_submission())


@pytest.mark.parametrize("status", [401, 403, 404, 405, 408, 425, 429, 500, 502, 503, 504])
async def test_a_failure_that_passes_is_tried_again_when_the_index_says(
    scripted: ScriptedIndex, index: Index, status: int
) -> None:
    # In FHIR's words a 403 would be the index's own, and final.
    told = "later" if status == 403 else operation_outcome(IssueCode.TRANSIENT, "later")
    scripted.answer = json(told, status, **{"Retry-After": "7"})

    for asking in (index.submit(a_submission()), index.find(OF_ANNE)):
        with pytest.raises(IndexUnavailable) as fault:
            await asking
        assert fault.value.retry_after_s == 7


async def test_the_time_to_try_again_may_be_a_date(scripted: ScriptedIndex, index: Index) -> None:
    then = format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True)
    scripted.answer = json({}, 503, **{"Retry-After": then})

    with pytest.raises(IndexUnavailable) as fault:
        await index.submit(a_submission())

    assert fault.value.retry_after_s == pytest.approx(3600, abs=60)


@pytest.mark.parametrize("told, wait_s", [
    ("soon", None), ("-1", None), ("9" * 400, 86_400), ("Mon, 01 Jan 2001 00:00:00 GMT", 0),
])  # fmt: skip
async def test_a_time_that_makes_no_sense_is_bounded(
    scripted: ScriptedIndex, index: Index, told: str, wait_s: float | None
) -> None:
    scripted.answer = json({}, 503, **{"Retry-After": told})

    with pytest.raises(IndexUnavailable) as fault:
        await index.submit(a_submission())

    assert fault.value.retry_after_s == wait_s


async def test_a_redirect_is_not_followed(
    protocol: str, scripted: ScriptedIndex, index: Index
) -> None:
    scripted.answer = json({}, 307, Location=f"{scripted.url}/elsewhere")

    with pytest.raises(IndexUnavailable):
        await index.submit(a_submission())

    assert scripted.asked == [scripted.url + PLACES[protocol]]
