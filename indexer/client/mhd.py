"""An index over FHIR MHD: ITI-65 to submit, ITI-67 to find, ITI-68 to retrieve; PDSm to withdraw.

No request names a patient or a document in its address, for addresses end up in logs. Redirects are
not followed, and nothing is fetched from another origin than the index's own: an address in an
answer must not make the gateway ask, with its credentials, wherever a third party likes.
"""

import hashlib
import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import urlencode, urljoin, urlsplit

import aiohttp
import orjson

from indexer.contract.document import (
    DocumentEntry,
    DocumentQuery,
    EntryStatus,
    Receipt,
    Submission,
)
from indexer.contract.errors import (
    DocumentNotFound,
    IndexUnavailable,
    NoRecord,
    SubmissionRejected,
)
from indexer.contract.identifiers import Uid
from indexer.contract.record import RecordState
from indexer.wire.bundles import provide_bundle, read_transaction_response
from indexer.wire.document_reference import read_document_reference
from indexer.wire.elements import Element
from indexer.wire.outcome import IssueCode, Refusal, read_no_record, read_outcome_code
from indexer.wire.patch import withdrawal_patch
from indexer.wire.search import read_searchset, search_parameters, unique_id_parameters
from indexer.wire.vocabulary import JSON_MEDIA_TYPE, PATCH_MEDIA_TYPE

log = logging.getLogger(__name__)

ANSWER_S_MAX = 30.0
ANSWER_BYTES_MAX = 16 * 2**20
DOCUMENT_BYTES_MAX = 64 * 2**20
PAGES_MAX = 100
ENTRIES_MAX = 10_000  # of one patient; each takes some kilobytes, and a request for its document
RETRY_AFTER_S_MAX = 24 * 3600.0

FORM_MEDIA_TYPE = "application/x-www-form-urlencoded"
# What RFC 3986 lets an address hold. Where two parsers could differ, they differ over the rest.
_ADDRESS = re.compile(r"[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=%-]{1,2048}", re.ASCII)
_DEFAULT_PORTS = {"http": 80, "https": 443}
_REFUSALS = frozenset({400, 409, 412, 413, 415, 422})
"""Statuses that speak of the submission itself. Any other failure, such as a proxy's 403 or an
expired credential, may pass: to take it as final would set every pointer aside."""
_GONE = frozenset({404, 410})
_UPDATE_REFUSALS = _REFUSALS | {405}
"""PDSm's flow 04 has 405 for an element that cannot be changed."""


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> object:
        try:
            return orjson.loads(self.body)
        except orjson.JSONDecodeError:
            return None


class MhdIndex:
    """An `Index` that speaks FHIR.

    Args:
        base_url: the index's root, to which `/fhir` is appended.
        session: carries the requests; whoever made it closes it.
        answer_s_max: seconds that an answer may take, whole.
        document_bytes_max: bytes that a document may have.
    """

    def __init__(
        self,
        base_url: str,
        session: aiohttp.ClientSession,
        *,
        answer_s_max: float = ANSWER_S_MAX,
        document_bytes_max: int = DOCUMENT_BYTES_MAX,
    ) -> None:
        self._fhir = base_url.rstrip("/") + "/fhir"
        self._session = session
        self._timeout = aiohttp.ClientTimeout(total=answer_s_max)
        self._document_bytes_max = document_bytes_max

    async def submit(self, submission: Submission) -> Receipt:
        """Provide Document Bundle (ITI-65); see `Index.submit`."""
        body = orjson.dumps(provide_bundle(submission))
        answer = await self._post(self._fhir, body, content_type=JSON_MEDIA_TYPE)
        if answer.status == 200:
            try:
                return Receipt(entry_id=read_transaction_response(answer.json()))
            except Refusal as error:
                raise IndexUnavailable(f"the index's answer is not understood: {error}") from error
        _check_status(answer, _REFUSALS)
        told = answer.json()
        if (state := read_no_record(told)) is not None:
            raise NoRecord(state)
        code = read_outcome_code(told)
        if code == IssueCode.DUPLICATE:
            return await self._already_held(submission)
        raise SubmissionRejected(
            f"the index refused the submission with status {answer.status}",
            code=code or f"http-{answer.status}",
        )

    async def _already_held(self, submission: Submission) -> Receipt:
        """The receipt of a submission whose first answer was lost; the hash tells it."""
        entry = submission.entry
        held = await self.find_by_unique_id(entry.unique_id)
        if held is None:
            raise IndexUnavailable("the index tells of a duplicate that it does not show")
        if (held.sha1, held.size_bytes) != (entry.sha1, entry.size_bytes):
            raise SubmissionRejected(
                "the index holds another document by this unique id", code=IssueCode.DUPLICATE
            )
        return Receipt(entry_id=held.entry_id)

    async def withdraw(self, entry_id: str) -> None:
        """Update of an entry's metadata (PDSm, flow 03); see `Index.withdraw`.

        A 404 is success, and a 403 a refusal (TD3.3c: somebody else is its author), if the index
        says so in FHIR's words. From a proxy, or at a wrong address, they settle nothing: what was
        to be withdrawn is still shown.
        """
        url = f"{self._fhir}/DocumentReference/{entry_id}"
        headers = {"Content-Type": PATCH_MEDIA_TYPE, "Accept": JSON_MEDIA_TYPE}
        headers["Prefer"] = "return=representation"
        answer = await self._ask(
            "PATCH", url, headers, body=orjson.dumps(withdrawal_patch()), bytes_max=ANSWER_BYTES_MAX
        )
        told = answer.json()
        if answer.status == 200:
            if not _is_withdrawn(told):
                raise IndexUnavailable("the index's answer is not understood")
            return
        code = read_outcome_code(told)
        _check_status(answer, _UPDATE_REFUSALS | {410} | ({403, 404} if code else set()))
        state = read_no_record(told)
        if state not in (None, RecordState.ABSENT):
            raise NoRecord(state)
        if answer.status not in _GONE and state is None:
            raise SubmissionRejected(
                f"the index refused the withdrawal with status {answer.status}",
                code=code or f"http-{answer.status}",
            )

    async def find(self, query: DocumentQuery) -> list[DocumentEntry]:
        """Find Document References (ITI-67), page after page; see `Index.find`."""
        found, following = await self._first_page(search_parameters(query))
        pages = 1
        while following is not None:
            if pages == PAGES_MAX:
                # A part of a patient's documents must not pass for all of them.
                raise IndexUnavailable(f"the index has more than {PAGES_MAX} pages of entries")
            page, following = self._read_page(await self._get(self._within(following)))
            found += page
            pages += 1
            if len(found) > ENTRIES_MAX:
                raise IndexUnavailable(f"the index has more than {ENTRIES_MAX} entries")
        return found

    async def find_by_unique_id(self, unique_id: Uid) -> DocumentEntry | None:
        """Find Document References (ITI-67) by identifier; see `Index.find_by_unique_id`."""
        found, _ = await self._first_page(unique_id_parameters(unique_id))
        return next((entry for entry in found if entry.unique_id == unique_id), None)

    async def retrieve(self, entry: DocumentEntry) -> bytes:
        """Retrieve Document (ITI-68), whole and checked by its hash; see `Index.retrieve`."""
        try:
            url = self._within(entry.document_url)
        except IndexUnavailable as error:
            raise DocumentNotFound("the document lies outside the index") from error
        bytes_max = min(entry.size_bytes, self._document_bytes_max)
        answer = await self._get(url, accept=_accepted(entry.mime_type), bytes_max=bytes_max)
        _check_status(answer, _GONE | {200})
        if answer.status in _GONE:
            raise DocumentNotFound("the index holds this document no longer")
        digest = hashlib.sha1(answer.body, usedforsecurity=False).hexdigest()
        if (len(answer.body), digest) != (entry.size_bytes, entry.sha1):
            raise IndexUnavailable("the index gave another document than its entry describes")
        return answer.body

    async def _first_page(
        self, parameters: list[tuple[str, str]]
    ) -> tuple[list[DocumentEntry], str | None]:
        form = urlencode(parameters).encode("ascii")
        search = f"{self._fhir}/DocumentReference/_search"
        return self._read_page(await self._post(search, form, content_type=FORM_MEDIA_TYPE))

    def _read_page(self, answer: _Answer) -> tuple[list[DocumentEntry], str | None]:
        _check_status(answer, frozenset({200}))
        try:
            matches, following = read_searchset(answer.json())
        except Refusal as error:
            raise IndexUnavailable(f"the index's answer is not understood: {error}") from error
        entries = [entry for one in matches if (entry := _readable(one)) is not None]
        return entries, following

    def _within(self, address: str) -> str:
        """An address that the index gave, if it lies within the index."""
        if not _ADDRESS.fullmatch(address):
            raise IndexUnavailable("the index gave an address that is none")
        url = urljoin(f"{self._fhir}/", address)
        if _origin(url) is None or _origin(url) != _origin(self._fhir):
            raise IndexUnavailable("the index gave an address outside itself")
        return url

    async def _post(self, url: str, body: bytes, *, content_type: str) -> _Answer:
        headers = {"Content-Type": content_type, "Accept": JSON_MEDIA_TYPE}
        return await self._ask("POST", url, headers, body=body, bytes_max=ANSWER_BYTES_MAX)

    async def _get(
        self, url: str, *, accept: str = JSON_MEDIA_TYPE, bytes_max: int = ANSWER_BYTES_MAX
    ) -> _Answer:
        return await self._ask("GET", url, {"Accept": accept}, bytes_max=bytes_max)

    async def _ask(
        self,
        method: str,
        url: str,
        headers: dict[str, str],
        *,
        bytes_max: int,
        body: bytes | None = None,
    ) -> _Answer:
        try:
            async with self._session.request(
                method,
                url,
                data=body,
                headers=headers,
                timeout=self._timeout,
                allow_redirects=False,
            ) as response:
                content = await _read(response, bytes_max)
                return _Answer(response.status, response.headers, content)
        except TimeoutError as error:  # aiohttp's is both, and comes first
            raise IndexUnavailable("the index did not answer in time") from error
        except aiohttp.ClientError as error:
            raise IndexUnavailable(
                f"the index cannot be reached: {why_not_reached(error)}",
                never_sent=isinstance(error, aiohttp.ClientConnectorError),
            ) from error


async def _read(response: aiohttp.ClientResponse, bytes_max: int) -> bytes:
    chunks, size = [], 0
    async for chunk in response.content.iter_any():
        size += len(chunk)
        if size > bytes_max:
            # Of a refusal the status is enough.
            if response.status != 200:
                break
            raise IndexUnavailable(f"the index's answer is larger than {bytes_max} bytes")
        chunks.append(chunk)
    return b"".join(chunks)


def _origin(url: str) -> tuple[str, str, int | None] | None:
    """Scheme, host and port (RFC 6454 §4); None if the address has no such three."""
    try:
        parts = urlsplit(url)
        port = parts.port or _DEFAULT_PORTS.get(parts.scheme)
    except ValueError:
        return None
    if parts.username is not None or not parts.hostname:
        return None
    return parts.scheme, parts.hostname, port


def _check_status(answer: _Answer, final: frozenset[int]) -> None:
    """Raise `IndexUnavailable` for a status that settles nothing."""
    if answer.status not in final:
        raise IndexUnavailable(
            f"the index answered with status {answer.status}",
            retry_after_s=_retry_after_s(answer.headers.get("Retry-After")),
        )


def _is_withdrawn(resource: object) -> bool:
    match resource:
        case {"resourceType": "DocumentReference", "status": EntryStatus.WITHDRAWN.value}:
            return True
        case _:
            return False


def _accepted(mime_type: str) -> str:
    """What to ask for to get a document as it is.

    FHIR's own types ask for a Binary resource around the document (FHIR R4 §Binary), so that one
    which is FHIR itself, such as a manifest in JSON, is asked for by no type.
    """
    return "*/*" if mime_type.lower().startswith("application/fhir+") else mime_type


def _retry_after_s(told: str | None) -> float | None:
    """Seconds to wait, told as a number or as a date (RFC 9110 §10.2.3); None if it is neither."""
    if told is None:
        return None
    if told.isascii() and told.isdigit():
        return min(float(told), RETRY_AFTER_S_MAX)
    try:
        then = parsedate_to_datetime(told)
    except ValueError:
        return None
    if then.tzinfo is None:
        then = then.replace(tzinfo=UTC)
    wait_s = (then - datetime.now(UTC)).total_seconds()
    return min(max(wait_s, 0.0), RETRY_AFTER_S_MAX)


def _readable(element: Element) -> DocumentEntry | None:
    """The entry, or None if it is not one of ours to read.

    A patient's documents come from many hands; one that breaks the rules must not hide the others.
    """
    try:
        return read_document_reference(element)
    except Refusal as error:
        log.warning("entry_not_readable", extra={"reason": error.reason})
        return None


def why_not_reached(error: Exception) -> str:
    """Why there is no answer, in words that hold no address: it may bear a secret."""
    match error:
        case TimeoutError():
            return "no answer in time"
        case aiohttp.ClientConnectorDNSError():
            return "the host's name leads to no address"
        case aiohttp.ClientSSLError():
            return "it does not come to terms by TLS"
        case aiohttp.ClientConnectorError(os_error=ConnectionRefusedError()):
            return "nothing listens there"
        case aiohttp.ClientConnectorError():
            return "no way leads there"
        case aiohttp.ClientResponseError():
            return "what answers does not speak HTTP"
        case _:
            return "the connection broke off"
