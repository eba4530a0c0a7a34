"""The index: which client speaks to it, and whether it is there."""

from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from importlib.metadata import version
from typing import Final
from uuid import uuid4

import aiohttp
import orjson

from gateway.app.machine import EXPIRY_DAYS_FEW
from gateway.health import Finding, Probe, State
from gateway.manifest.document_entry import CONTENT_TYPE
from gateway.settings import Settings
from indexer.client.assertion import Structure
from indexer.client.http import ANSWER_S_MAX, why_not_reached
from indexer.client.mhd import MhdIndex
from indexer.client.proof import Proof, read_structure
from indexer.client.xds import XdsIndex, XdsSource
from indexer.contract.access import Authentication, Caller, CallerKind, Software
from indexer.contract.document import Code, Organisation, Person
from indexer.contract.errors import IndexUnavailable, InvalidValue
from indexer.contract.identifiers import Ins, Oid, Uid
from indexer.contract.index import Index

FACILITY_SCHEME: Final = "1.2.250.1.71.4.2.4"
SOFTWARE: Final = "drim-gateway"

INDEX_S_MAX: Final = 5.0
STATEMENT_BYTES_MAX: Final = 4 * 2**20
CLOCK_S_MAX: Final = 60.0
"""How far the clock of the index may be from ours: signatures and tokens bear times."""

_PLACES: Final = {"mhd": "/fhir/metadata", "xds": "/xds/registry"}
"""Where a look tells that the index is there."""


def build_index(
    settings: Settings, session: aiohttp.ClientSession, *, answer_s_max: float = ANSWER_S_MAX
) -> Index:
    """The index, in the protocol that is set.

    Raises:
        ValueError: the key of signature cannot be used.
    """
    url, proof = settings.index_url, Proof(structure=_structure(settings))
    if settings.index_protocol == "mhd":
        return MhdIndex(url, session, proof=proof, answer_s_max=answer_s_max)
    source = XdsSource(source_id=Oid(settings.own_location_uid), content_type=CONTENT_TYPE)
    return XdsIndex(url, session, source=source, proof=proof, answer_s_max=answer_s_max)


def _structure(settings: Settings) -> Structure | None:
    certificate, key = settings.signature_certificate, settings.signature_key
    if certificate is None or key is None:
        return None
    try:
        return read_structure(
            certificate.read_bytes(),
            key.read_bytes(),
            sha1=settings.signature_sha1,
            software=Software(
                name=SOFTWARE,
                version=version(SOFTWARE),
                approval=settings.software_approval,
                number=settings.software_number,
            ),
        )
    except (OSError, InvalidValue) as error:
        raise ValueError(f"signature_certificate and signature_key: {error}") from None


def publisher_of(settings: Settings) -> Callable[[Ins], Caller]:
    """In whose name a gateway acts on a patient's record: its structure's, without a person."""
    number, name = settings.organisation_id, settings.organisation_name

    def caller(patient: Ins) -> Caller:
        return Caller(
            kind=CallerKind.SYSTEM,
            person=Person(number=number, family=name),
            organisation=Organisation(number=number, name=name),
            patient=patient,
            sector=Code(code=settings.facility_code, scheme=FACILITY_SCHEME),
            authentication=Authentication.INDIRECT,
        )

    return caller


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
    if settings.signature_certificate is not None:
        # Who asks is told on the record of somebody, and there is nobody to ask about here.
        return [*found, *_clock(date), _signature(settings)]
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


def _signature(settings: Settings) -> Finding:
    """Whether the gateway can prove who asks, today and for some time."""
    what = "index, signature"
    mend = "have the centre's authority give out a new one for GATEWAY_SIGNATURE_CERTIFICATE"
    try:
        structure = _structure(settings)
    except ValueError as error:
        return _fail(what, str(error), mend)
    assert structure is not None, "asked only where there is one"
    ends = structure.key.certificate.not_valid_after_utc
    days = (ends - datetime.now(UTC)).days
    if days < 0:
        return _fail(what, f"the certificate expired on {ends:%Y-%m-%d}", mend)
    told = f"the certificate expires on {ends:%Y-%m-%d}, in {days} days"
    if days < EXPIRY_DAYS_FEW:
        return Finding(what=what, state=State.WARN, told=told, mend=mend)
    return Finding(what=what, told=told)


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
