"""The index: which client speaks to it, and whether it is there."""

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final
from uuid import uuid4

import aiohttp
import orjson

from gateway.health import Finding, Probe, State
from gateway.manifest.document_entry import CONTENT_TYPE
from gateway.settings import Settings
from indexer.client.http import ANSWER_S_MAX, why_not_reached
from indexer.client.mhd import MhdIndex
from indexer.client.xds import XdsIndex, XdsSource
from indexer.contract.errors import IndexUnavailable
from indexer.contract.identifiers import Oid, Uid
from indexer.contract.index import Index

INDEX_S_MAX: Final = 5.0
STATEMENT_BYTES_MAX: Final = 4 * 2**20
CLOCK_S_MAX: Final = 60.0
"""How far the clock of the index may be from ours: signatures and tokens bear times."""

_PLACES: Final = {"mhd": "/fhir/metadata", "xds": "/xds/registry"}
"""Where a look tells that the index is there."""


def build_index(
    settings: Settings, session: aiohttp.ClientSession, *, answer_s_max: float = ANSWER_S_MAX
) -> Index:
    """The index, in the protocol that is set."""
    if settings.index_protocol == "mhd":
        return MhdIndex(settings.index_url, session, answer_s_max=answer_s_max)
    source = XdsSource(source_id=Oid(settings.own_location_uid), content_type=CONTENT_TYPE)
    return XdsIndex(settings.index_url, session, source=source, answer_s_max=answer_s_max)


def index_probes(settings: Settings) -> dict[str, Probe]:
    """Whether the index is there, says what it is, and answers a search that names nobody."""

    async def probe() -> list[Finding]:
        timeout = aiohttp.ClientTimeout(total=INDEX_S_MAX)
        async with aiohttp.ClientSession(timeout=timeout) as session:
            return await _index(settings, session)

    return {"index": probe}


async def _index(settings: Settings, session: aiohttp.ClientSession) -> list[Finding]:
    url = settings.index_url.rstrip("/") + _PLACES[settings.index_protocol]
    try:
        async with session.get(url, allow_redirects=False) as answer:
            status, date = answer.status, answer.headers.get("Date", "")
            body = await answer.content.read(STATEMENT_BYTES_MAX)
    except (aiohttp.ClientError, TimeoutError) as error:
        told = f"GATEWAY_INDEX_URL cannot be reached: {why_not_reached(error)}"
        mend = "check that address, that the index runs, and the firewalls between"
        return [_fail("index, connection", told, mend)]
    found = [Finding(what="index, connection")]
    if settings.index_protocol == "mhd":
        found.append(_statement(settings.index_url, status, body))
    return [*found, *_clock(date), await _search(settings, session)]


def _statement(url: str, status: int, body: bytes) -> Finding:
    what = "index, statement"
    if status in (401, 403):
        mend = "have the index let this gateway in"
        return _fail(what, f"it answers {status} to GET /fhir/metadata", mend)
    if status == 200 and _is_statement(body):
        return Finding(what=what)
    mend = "check that GATEWAY_INDEX_URL is the root of an MHD index"
    if url.rstrip("/").endswith("/fhir"):
        mend = "leave /fhir out of GATEWAY_INDEX_URL: the gateway appends it"
    told = f"GET /fhir/metadata gives no CapabilityStatement (status {status})"
    return _fail(what, told, mend)


async def _search(settings: Settings, session: aiohttp.ClientSession) -> Finding:
    what = "index, search"
    nobodys = Uid(f"2.25.{uuid4().int}")
    index = build_index(settings, session, answer_s_max=INDEX_S_MAX)
    try:
        await index.find_by_unique_id(nobodys)
    except IndexUnavailable as error:
        return _fail(what, str(error), "look into the index's log; submissions wait meanwhile")
    return Finding(what=what)


def _clock(date: str) -> list[Finding]:
    """How far apart the clocks are, where the index tells the time (RFC 9110 §6.6.1)."""
    try:
        theirs = parsedate_to_datetime(date)
    except ValueError:
        return []
    if theirs.tzinfo is None:
        theirs = theirs.replace(tzinfo=UTC)
    apart_s = abs((datetime.now(UTC) - theirs).total_seconds())
    if apart_s <= CLOCK_S_MAX:
        return [Finding(what="clock")]
    told = f"this machine's clock and the index's are {apart_s:.0f} s apart"
    mend = "have this machine set its clock by NTP"
    return [Finding(what="clock", state=State.WARN, told=told, mend=mend)]


def _is_statement(body: bytes) -> bool:
    try:
        statement = orjson.loads(body)
    except orjson.JSONDecodeError:
        return False
    return isinstance(statement, dict) and statement.get("resourceType") == "CapabilityStatement"


def _fail(what: str, told: str, mend: str) -> Finding:
    return Finding(what=what, state=State.FAIL, told=told, mend=mend)
