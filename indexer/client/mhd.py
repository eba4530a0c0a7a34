"""An index over FHIR MHD: ITI-65 to submit, ITI-67 to find, ITI-68 to retrieve; PDSm to withdraw.

No request names a patient or a document in its address, for addresses end up in logs. Nothing is
fetched from another origin than the index's own, whatever addresses its answers hold.
"""

import logging
import re
from collections.abc import Mapping
from copy import copy
from dataclasses import replace
from urllib.parse import urlencode, urljoin, urlsplit

import aiohttp
import orjson

from indexer.client.assertion import bearer
from indexer.client.checks import already_held, checked_document
from indexer.client.http import (
    ANSWER_BYTES_MAX,
    ANSWER_S_MAX,
    DOCUMENT_BYTES_MAX,
    ENTRIES_MAX,
    HttpAnswer,
    HttpAsker,
)
from indexer.client.proof import NOBODY, Proof
from indexer.contract.access import Caller
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
from indexer.contract.identifiers import Ins, Uid
from indexer.contract.record import RecordState
from indexer.wire.fhir.bundles import provide_bundle, read_transaction_response
from indexer.wire.fhir.document_reference import read_document_reference
from indexer.wire.fhir.elements import Element
from indexer.wire.fhir.patch import withdrawal_patch
from indexer.wire.fhir.search import search_parameters, unique_id_parameters
from indexer.wire.fhir.searchset import read_searchset
from indexer.wire.outcome import IssueCode, Refusal, read_no_record, read_outcome_code
from indexer.wire.vocabulary import JSON_MEDIA_TYPE, PATCH_MEDIA_TYPE

log = logging.getLogger(__name__)

PAGES_MAX = 100

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


class MhdIndex:
    """An `Index` that speaks FHIR.

    Args:
        base_url: the index's root, to which `/fhir` is appended.
        session: carries the requests; whoever made it closes it.
        proof: what is shown of who asks, as a bearer token (IUA, SAML token option).
        answer_s_max: seconds that an answer may take, whole.
        document_bytes_max: bytes that a document may have.
    """

    def __init__(
        self,
        base_url: str,
        session: aiohttp.ClientSession,
        *,
        proof: Proof = NOBODY,
        answer_s_max: float = ANSWER_S_MAX,
        document_bytes_max: int = DOCUMENT_BYTES_MAX,
    ) -> None:
        self._fhir = base_url.rstrip("/") + "/fhir"
        self._http = HttpAsker(session, answer_s_max=answer_s_max)
        self._proof = proof
        self._document_bytes_max = document_bytes_max

    def acting_for(self, caller: Caller) -> "MhdIndex":
        """See `Index.acting_for`."""
        acting = copy(self)
        acting._proof = replace(self._proof, caller=caller)
        return acting

    async def record_state(self, patient: Ins) -> RecordState | None:
        """FHIR has no such question; see `Index.record_state`."""
        return None

    async def submit(self, submission: Submission) -> Receipt:
        """Provide Document Bundle (ITI-65); see `Index.submit`.

        A 403 is a refusal if the index says so in FHIR's words: a proxy's may pass.
        """
        body = orjson.dumps(provide_bundle(submission))
        answer = await self._post(self._fhir, body, content_type=JSON_MEDIA_TYPE)
        if answer.status == 200:
            try:
                return Receipt(entry_id=read_transaction_response(_json(answer)))
            except Refusal as error:
                raise IndexUnavailable(f"the index's answer is not understood: {error}") from error
        told = _json(answer)
        code = read_outcome_code(told)
        answer.expect(_REFUSALS | ({403} if code else set()))
        if (state := read_no_record(told)) is not None:
            raise NoRecord(state)
        if code == IssueCode.DUPLICATE:
            return await already_held(self, submission, code=code)
        raise SubmissionRejected(
            f"the index refused the submission with status {answer.status}",
            code=code or f"http-{answer.status}",
        )

    async def withdraw(self, entry_id: str) -> None:
        """Update of an entry's metadata (PDSm, flow 03); see `Index.withdraw`.

        A 404 is success, and a 403 a refusal (TD3.3c: somebody else is its author), if the index
        says so in FHIR's words. From a proxy, or at a wrong address, they settle nothing: what was
        to be withdrawn is still shown.
        """
        url = f"{self._fhir}/DocumentReference/{entry_id}"
        headers = {"Content-Type": PATCH_MEDIA_TYPE, "Accept": JSON_MEDIA_TYPE}
        headers["Prefer"] = "return=representation"
        patch = orjson.dumps(withdrawal_patch())
        answer = await self._ask("PATCH", url, headers, body=patch)
        told = _json(answer)
        if answer.status == 200:
            if not _is_withdrawn(told):
                raise IndexUnavailable("the index's answer is not understood")
            return
        code = read_outcome_code(told)
        answer.expect(_UPDATE_REFUSALS | {410} | ({403, 404} if code else set()))
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
        answer.expect(_GONE | {200})
        if answer.status in _GONE:
            raise DocumentNotFound("the index holds this document no longer")
        return checked_document(answer.body, entry)

    async def _first_page(
        self, parameters: list[tuple[str, str]]
    ) -> tuple[list[DocumentEntry], str | None]:
        form = urlencode(parameters).encode("ascii")
        search = f"{self._fhir}/DocumentReference/_search"
        return self._read_page(await self._post(search, form, content_type=FORM_MEDIA_TYPE))

    def _read_page(self, answer: HttpAnswer) -> tuple[list[DocumentEntry], str | None]:
        answer.expect(frozenset({200}))
        try:
            matches, following = read_searchset(_json(answer))
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

    async def _post(self, url: str, body: bytes, *, content_type: str) -> HttpAnswer:
        headers = {"Content-Type": content_type, "Accept": JSON_MEDIA_TYPE}
        return await self._ask("POST", url, headers, body=body)

    async def _get(
        self, url: str, *, accept: str = JSON_MEDIA_TYPE, bytes_max: int = ANSWER_BYTES_MAX
    ) -> HttpAnswer:
        return await self._ask("GET", url, {"Accept": accept}, bytes_max=bytes_max)

    async def _ask(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        *,
        bytes_max: int = ANSWER_BYTES_MAX,
        body: bytes | None = None,
    ) -> HttpAnswer:
        assertion = await self._proof.assertion()
        proof = {"Authorization": bearer(assertion)} if assertion is not None else {}
        return await self._http.ask(
            method, url, {**headers, **proof}, bytes_max=bytes_max, body=body
        )


def _json(answer: HttpAnswer) -> object:
    try:
        return orjson.loads(answer.body)
    except orjson.JSONDecodeError:
        return None


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


def _readable(element: Element) -> DocumentEntry | None:
    """The entry, or None if it is not one of ours to read.

    A patient's documents come from many hands; one that breaks the rules must not hide the others.
    """
    try:
        return read_document_reference(element)
    except Refusal as error:
        log.warning("entry_not_readable", extra={"reason": error.reason})
        return None
