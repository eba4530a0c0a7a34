"""An index over XDS.b: ITI-41 to submit, ITI-18 to find, ITI-43 to retrieve; ITI-57 to withdraw.

ITI-41 does not answer what the index calls the entry, so that is asked for; and a search asks for
ids first, then for entries some at a time, so that no answer has to hold all of a record.
"""

import logging
from collections.abc import Callable
from copy import copy
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeVar
from uuid import uuid4

import aiohttp

from indexer.client.checks import already_held, checked_document
from indexer.client.http import (
    ANSWER_S_MAX,
    DOCUMENT_BYTES_MAX,
    ENTRIES_MAX,
    HttpAsker,
)
from indexer.client.proof import NOBODY, Proof
from indexer.client.soap import NotSpoken, SoapAnswer, SoapAsker
from indexer.contract.access import Caller
from indexer.contract.document import (
    Code,
    DocumentEntry,
    DocumentQuery,
    EntryStatus,
    Receipt,
    ReferenceKind,
    Submission,
)
from indexer.contract.document_set import SET_SYMBOL, SubmissionSet, document_set_of
from indexer.contract.errors import (
    DocumentNotFound,
    IndexFault,
    IndexUnavailable,
    InvalidValue,
    NoRecord,
    SubmissionRejected,
)
from indexer.contract.identifiers import Ins, Oid, Uid
from indexer.contract.record import RecordState
from indexer.wire.dmp.existence import QUERY_ACTION
from indexer.wire.dmp.existence_query import existence_query, read_existence_answer
from indexer.wire.outcome import IssueCode, XdsError
from indexer.wire.vocabulary import OID_PREFIX
from indexer.wire.xds.registry_answers import (
    Outcome,
    extrinsic_objects,
    read_held_entry,
    read_ids,
    read_query_response,
    read_registry_response,
    read_retrieve_response,
)
from indexer.wire.xds.registry_messages import PROVIDE, QUERY, RETRIEVE, UPDATE, DocumentRequest
from indexer.wire.xds.registry_requests import (
    find_request,
    get_by_unique_id_request,
    get_request,
    provide_request,
    retrieve_request,
)
from indexer.wire.xds.writer import withdraw_objects_request
from indexer.wire.xml import Element

T = TypeVar("T")


class _Forbidden(IndexUnavailable):
    """Who asks may not; more is not known of what was asked for."""


log = logging.getLogger(__name__)

SOFTWARE = "drim-gateway"
ENTRIES_AT_ONCE = 64
"""Entries that are asked for together; each is some hundred elements."""
ENVELOPE_BYTES_MAX = 2**20
"""Around a document."""

_DUPLICATE = frozenset(
    {
        XdsError.DUPLICATE_IN_REGISTRY,
        XdsError.NON_IDENTICAL_HASH,
        XdsError.NON_IDENTICAL_SIZE,
    }
)
_PASSING = frozenset(
    {
        XdsError.REGISTRY_BUSY,
        XdsError.REPOSITORY_BUSY,
        XdsError.REPOSITORY_RESOURCES,
        # Faults of the index itself, which may be mended: to take them as final would set every
        # pointer aside.
        XdsError.REGISTRY_ERROR,
        XdsError.REPOSITORY_ERROR,
        "XDSRegistryOutOfResources",
        "XDSRegistryNotAvailable",
    }
)
_NOT_HELD = frozenset({XdsError.DOCUMENT_UNIQUE_ID, XdsError.UNKNOWN_REPOSITORY})


@dataclass(frozen=True, slots=True, kw_only=True)
class XdsSource:
    """What submission sets of a source have in common."""

    source_id: Oid
    content_type: Code


class XdsIndex:
    """An `Index` that speaks XDS.b.

    Args:
        base_url: the index's root, to which `/xds/repository` and the like are appended.
        session: carries the requests; whoever made it closes it.
        source: who withdraws; a submission says itself who submits it.
        proof: what is shown of who asks, and who signs what is submitted.
        answer_s_max: seconds that an answer may take, whole.
        document_bytes_max: bytes that a document may have.
    """

    def __init__(
        self,
        base_url: str,
        session: aiohttp.ClientSession,
        *,
        source: XdsSource,
        proof: Proof = NOBODY,
        answer_s_max: float = ANSWER_S_MAX,
        document_bytes_max: int = DOCUMENT_BYTES_MAX,
    ) -> None:
        root = base_url.rstrip("/")
        self._repository, self._registry = f"{root}/xds/repository", f"{root}/xds/registry"
        self._patients = f"{root}/xds/patients"
        self._soap = SoapAsker(HttpAsker(session, answer_s_max=answer_s_max), proof)
        self._source = source
        self._document_bytes_max = document_bytes_max

    def acting_for(self, caller: Caller) -> "XdsIndex":
        """See `Index.acting_for`."""
        acting = copy(self)
        acting._soap = self._soap.acting_for(caller)
        return acting

    async def record_state(self, patient: Ins) -> RecordState | None:
        """Test of existence (TD0.2 of the DMP), which is no part of XDS.b; see
        `Index.record_state`."""
        asked = existence_query(
            patient, sender=self._source.source_id, software=SOFTWARE, now=datetime.now(UTC)
        )
        try:
            answer = await self._soap.ask(self._patients, QUERY_ACTION, asked)
        except NotSpoken:
            return None
        return _understood(answer, read_existence_answer)

    async def submit(self, submission: Submission) -> Receipt:
        """Provide and Register Document Set-b (ITI-41); see `Index.submit`."""
        submitted = await self._soap.proof.signed(document_set_of(submission))
        body, parts = provide_request(submitted)
        answer = await self._soap.change(self._repository, PROVIDE, body, parts=parts)
        outcome = _understood(answer, read_registry_response)
        if outcome.success:
            try:
                return Receipt(entry_id=await self._id_of(submission.entry.unique_id))
            except IndexUnavailable as error:
                raise error.after_sending() from error
        if duplicate := next((code for code in outcome.codes if code in _DUPLICATE), ""):
            return await already_held(self, submission, code=duplicate)
        raise _refusal(answer, outcome)

    async def _id_of(self, unique_id: Uid) -> str:
        answer, objects = await self._query(get_by_unique_id_request(unique_id, whole=False))
        found = _understood(answer, lambda _: read_ids(objects))
        if len(found) != 1:
            raise IndexUnavailable("the index does not show what it has taken")
        return found[0]

    async def withdraw(self, entry_id: str) -> None:
        """Update Document Set (ITI-57) to Deleted, as TD3.3 of the DMP; see `Index.withdraw`.

        The request names the status that the entry has, so that is asked for; it may change until
        the request comes.
        """
        told: set[str] = set()
        while True:
            try:
                held = await self._held(entry_id)
            except _Forbidden as error:
                raise SubmissionRejected(str(error), code=IssueCode.FORBIDDEN) from error
            if held is None or held[0].status is EntryStatus.WITHDRAWN:
                return
            entry, status = held
            asked = self._withdrawal_of(entry, status)
            answer = await self._soap.change(self._registry, UPDATE, asked)
            outcome = _understood(answer, read_registry_response)
            gone = XdsError.UNRESOLVED_REFERENCE in outcome.codes
            if outcome.success or gone or outcome.record is RecordState.ABSENT:
                return
            if XdsError.UPDATE not in outcome.codes or status in told:
                raise _refusal(answer, outcome)
            told.add(status)

    async def _held(self, entry_id: str) -> tuple[DocumentEntry, str] | None:
        """An entry, and what the index calls its status, which may be a word of its own."""
        answer, objects = await self._query(get_request([entry_id]))
        elements = [*extrinsic_objects(objects)]
        entries = _understood(answer, lambda _: [*map(read_held_entry, elements)])
        found = zip(entries, (one.get("status", "") for one in elements), strict=True)
        return next((one for one in found if one[0].entry_id == entry_id), None)

    def _withdrawal_of(self, entry: DocumentEntry, status: str) -> Element:
        told = SubmissionSet(
            unique_id=Uid(f"2.25.{uuid4().int}"),
            source_id=self._source.source_id,
            patient=entry.patient,
            submitted_at=datetime.now(UTC),
            content_type=self._source.content_type,
            author=entry.author,
            author_organisation=entry.author_organisation,
            set_id=SET_SYMBOL,
        )
        return withdraw_objects_request(told, entry.entry_id, original=status)

    async def find(self, query: DocumentQuery) -> list[DocumentEntry]:
        """Registry Stored Query (ITI-18), FindDocuments; see `Index.find`.

        A study is not asked for by its reference id: that would have to be told with its authority,
        which others write in ways of their own.
        """
        asked = find_request(query.patient, query.statuses, query.type_code)
        answer, objects = await self._query(asked)
        ids = _understood(answer, lambda _: read_ids(objects))
        if len(ids) > ENTRIES_MAX:
            raise IndexUnavailable(f"the index has more than {ENTRIES_MAX} entries")
        found: list[DocumentEntry] = []
        for first in range(0, len(ids), ENTRIES_AT_ONCE):
            _, some = await self._query(get_request(ids[first : first + ENTRIES_AT_ONCE]))
            found += _readable(some)
        places = {entry_id: place for place, entry_id in enumerate(ids)}
        wanted = [one for one in found if one.entry_id in places and _matches(one, query)]
        wanted.sort(key=lambda one: places[one.entry_id])
        return sorted(wanted, key=lambda one: one.created_at, reverse=True)

    async def find_by_unique_id(self, unique_id: Uid) -> DocumentEntry | None:
        """Registry Stored Query (ITI-18), GetDocuments; see `Index.find_by_unique_id`."""
        _, objects = await self._query(get_by_unique_id_request(unique_id, whole=True))
        return next((one for one in _readable(objects) if one.unique_id == unique_id), None)

    async def retrieve(self, entry: DocumentEntry) -> bytes:
        """Retrieve Document Set (ITI-43), checked by its hash; see `Index.retrieve`."""
        if not entry.document_url.startswith(OID_PREFIX):
            raise DocumentNotFound("the entry names no repository")
        request = DocumentRequest(
            repository=entry.document_url.removeprefix(OID_PREFIX), unique_id=entry.unique_id
        )
        content_bytes = min(entry.size_bytes, self._document_bytes_max)
        answer = await self._soap.ask(
            self._repository,
            RETRIEVE,
            retrieve_request(request),
            parts=(),
            # As base64 it would be longer by a third.
            bytes_max=content_bytes * 3 // 2 + ENVELOPE_BYTES_MAX,
        )
        outcome, contents = _understood(
            answer, lambda body: read_retrieve_response(body, answer.package)
        )
        if _NOT_HELD & {*outcome.codes}:
            raise DocumentNotFound("the index holds this document no longer")
        if not outcome.success or len(contents) != 1:
            raise _not_answered(answer, outcome)
        if len(contents[0]) > self._document_bytes_max:
            raise IndexUnavailable(f"the document is larger than {self._document_bytes_max} bytes")
        return checked_document(contents[0], entry)

    async def _query(self, body: Element) -> tuple[SoapAnswer, Element]:
        """The answer to a stored query, and the list of objects that it found."""
        answer = await self._soap.ask(self._registry, QUERY, body)
        outcome, objects = _understood(answer, read_query_response)
        if outcome.forbidden:
            raise _Forbidden("the index refuses who asks")
        if not outcome.success:
            raise _not_answered(answer, outcome)
        return answer, objects


def _understood(answer: SoapAnswer, read: Callable[[Element], T]) -> T:
    try:
        return read(answer.body)
    except InvalidValue as error:
        raise IndexUnavailable(f"the index's answer is not understood: {error}") from error


def _refusal(answer: SoapAnswer, outcome: Outcome) -> IndexFault:
    """What the errors of a change mean: no record, a refusal for good, or a failure that passes."""
    if outcome.record is not None:
        return NoRecord(outcome.record)
    if outcome.forbidden:
        return SubmissionRejected("the index refuses who asks", code=IssueCode.FORBIDDEN)
    final = [code for code in outcome.codes if code not in _PASSING]
    if not final:
        return _not_answered(answer, outcome)
    return SubmissionRejected("the index refused what was sent", code=final[0])


def _not_answered(answer: SoapAnswer, outcome: Outcome) -> IndexUnavailable:
    told = next(iter(outcome.codes), "no success, and no error")
    return answer.http.unavailable(f"the index answered with {told}")


def _readable(objects: Element) -> list[DocumentEntry]:
    """The entries that are ours to read.

    A patient's documents come from many hands; one that breaks the rules must not hide the others.
    """
    found = []
    for element in extrinsic_objects(objects):
        try:
            found.append(read_held_entry(element))
        except InvalidValue as error:
            log.warning("entry_not_readable", extra={"reason": str(error)})
    return found


def _matches(entry: DocumentEntry, query: DocumentQuery) -> bool:
    """Whether it is still what was asked for, now that it is whole."""
    studies = {one.value for one in entry.reference_ids if one.kind is ReferenceKind.STUDY}
    return (
        entry.patient == query.patient
        and entry.status in query.statuses
        and (query.study is None or query.study in studies)
    )
