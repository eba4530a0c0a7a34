"""What the XDS.b client makes of an answer to a retrieval or a withdrawal."""

import aiohttp
import pytest

from indexer.client.xds import XdsIndex
from indexer.contract.document import EntryStatus
from indexer.contract.errors import (
    DocumentNotFound,
    IndexUnavailable,
    NoRecord,
    SubmissionRejected,
)
from indexer.wire.outcome import XdsError, forbidden_refusal
from indexer.wire.xds.registry_answers import extrinsic_objects
from indexer.wire.xds.registry_messages import (
    QUERY,
    RETRIEVE,
    UPDATE,
    DocumentRequest,
    RegistryError,
    RetrievedDocument,
    query_response,
    registry_response,
    retrieve_response,
)
from indexer.wire.xml import Element
from tests.support.index_clients import SOURCE
from tests.support.pointers import KOS, an_entry
from tests.support.scripted_index import ScriptedIndex
from tests.support.scripted_registry import (
    ID,
    REPOSITORY,
    ScriptedRegistry,
    found,
    held,
    named,
    refused,
)


@pytest.fixture
def registry(scripted: ScriptedIndex) -> ScriptedRegistry:
    return ScriptedRegistry(scripted)


@pytest.fixture
def index(scripted: ScriptedIndex, session: aiohttp.ClientSession) -> XdsIndex:
    return XdsIndex(scripted.url, session, source=SOURCE)


def a_document(content: bytes, *codes: XdsError) -> Element:
    request = DocumentRequest(repository=REPOSITORY, unique_id=an_entry().unique_id)
    given = RetrievedDocument(
        request=request, mime_type="application/dicom", content=content, content_id="1"
    )
    errors = [RegistryError(error=code, context="no") for code in codes]
    return retrieve_response([] if codes else [given], errors)


ARCHIVED = "urn:asip:ci-sis:2010:StatusType:Archived"
OURS = held(document_url=f"urn:oid:{REPOSITORY}")


async def test_a_document_is_retrieved_as_it_is(
    registry: ScriptedRegistry, index: XdsIndex
) -> None:
    registry.answers[RETRIEVE] = a_document(KOS)
    registry.parts = [("1", "application/dicom", KOS)]

    assert await index.retrieve(OURS) == KOS


@pytest.mark.parametrize("step", [QUERY, UPDATE])
async def test_a_withdrawal_that_the_sender_may_not_ask_for_is_refused_for_good(
    registry: ScriptedRegistry, index: XdsIndex, step: str
) -> None:
    context = forbidden_refusal("the document is not theirs").reason
    not_found, _ = query_response([RegistryError(error=XdsError.REGISTRY_ERROR, context=context)])
    denied = {QUERY: not_found, UPDATE: refused("XDSRegistryError", context=context)}
    registry.answers = {QUERY: found(held()), step: denied[step]}

    with pytest.raises(SubmissionRejected) as told:
        await index.withdraw(ID)

    assert told.value.code == "forbidden"


@pytest.mark.parametrize("content", [KOS[:-1], KOS[::-1], KOS * 1000, KOS * 100_000])
async def test_a_document_that_is_not_the_one_described_is_not_given(
    registry: ScriptedRegistry, index: XdsIndex, content: bytes
) -> None:
    registry.answers[RETRIEVE] = a_document(content)
    registry.parts = [("1", "application/dicom", content)]

    with pytest.raises(IndexUnavailable):
        await index.retrieve(OURS)


async def test_a_document_that_its_answer_refers_to_and_does_not_bring_is_asked_for_again(
    registry: ScriptedRegistry, index: XdsIndex
) -> None:
    registry.answers[RETRIEVE] = a_document(KOS)

    with pytest.raises(IndexUnavailable, match="missing"):
        await index.retrieve(OURS)


@pytest.mark.parametrize("code", [XdsError.DOCUMENT_UNIQUE_ID, XdsError.UNKNOWN_REPOSITORY])
async def test_a_document_that_is_gone_is_told_so(
    registry: ScriptedRegistry, index: XdsIndex, code: XdsError
) -> None:
    registry.answers[RETRIEVE] = a_document(KOS, code)

    with pytest.raises(DocumentNotFound):
        await index.retrieve(OURS)


async def test_a_document_of_an_entry_without_a_repository_is_not_asked_for(
    scripted: ScriptedIndex, index: XdsIndex
) -> None:
    with pytest.raises(DocumentNotFound):
        await index.retrieve(held(document_url="http://127.0.0.2:1/fhir/Binary/1"))

    assert scripted.asked == []


async def test_a_withdrawal_names_the_status_that_the_entry_has(
    registry: ScriptedRegistry, index: XdsIndex
) -> None:
    deprecated = held(status=EntryStatus.DEPRECATED)
    registry.answers = {
        QUERY: [found(held()), found(deprecated)],
        UPDATE: [refused(XdsError.UPDATE), registry_response()],
    }

    await index.withdraw(ID)

    assert registry.asked == [QUERY, UPDATE] * 2


async def test_what_was_archived_is_withdrawn_from_its_archive(
    scripted: ScriptedIndex, registry: ScriptedRegistry, index: XdsIndex
) -> None:
    registry.answers = {QUERY: archived(), UPDATE: registry_response()}

    await index.withdraw(ID)

    assert registry.asked == [QUERY, UPDATE]
    assert f"<rim:Value>{ARCHIVED}</rim:Value>".encode() in scripted.body


async def test_what_was_archived_is_found(registry: ScriptedRegistry, index: XdsIndex) -> None:
    registry.answers = {QUERY: archived()}

    entry = await index.find_by_unique_id(an_entry().unique_id)

    assert entry is not None
    assert (entry.entry_id, entry.status) == (ID, EntryStatus.APPROVED)


def archived() -> Element:
    """An answer that holds one entry, which is archived."""
    answer = found(held())
    [entry] = extrinsic_objects(answer[-1])
    entry.set("status", ARCHIVED)
    return answer


@pytest.mark.parametrize("before", [found(), found(held(status=EntryStatus.WITHDRAWN))])
async def test_what_is_not_there_or_is_withdrawn_already_needs_no_withdrawal(
    registry: ScriptedRegistry, index: XdsIndex, before: Element
) -> None:
    registry.answers[QUERY] = before

    await index.withdraw(ID)

    assert registry.asked == [QUERY]


@pytest.mark.parametrize("answer", [
    refused("UnresolvedReferenceException"),
    refused("XDSUnknownPatientId", context="no-record: none"),
])  # fmt: skip
async def test_what_goes_meanwhile_counts_as_withdrawn(
    registry: ScriptedRegistry, index: XdsIndex, answer: Element
) -> None:
    registry.answers = {QUERY: found(held()), UPDATE: answer}

    await index.withdraw(ID)


@pytest.mark.parametrize("answer, error", [
    (refused(XdsError.UPDATE), SubmissionRejected),
    (refused(XdsError.UPDATE_OPERATION), SubmissionRejected),
    (refused("XDSUnknownPatientId", context="record-closed: closed"), NoRecord),
    (refused("XDSRepositoryError", context="holder-refuses: refused"), NoRecord),
    (refused("XDSRegistryBusy"), IndexUnavailable),
    (named(), IndexUnavailable),
])  # fmt: skip
async def test_a_withdrawal_that_is_not_done_is_told_by_what_helps(
    registry: ScriptedRegistry, index: XdsIndex, answer: Element, error: type[Exception]
) -> None:
    registry.answers = {QUERY: [found(held()), found(held())], UPDATE: [answer, answer]}

    with pytest.raises(error):
        await index.withdraw(ID)
