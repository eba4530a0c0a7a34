"""What the XDS.b client makes of an index that fails, lies, or answers something else."""

from dataclasses import dataclass
from typing import Any, cast

import aiohttp
import pytest
from lxml import etree
from starlette.responses import Response

from indexer.client import xds
from indexer.client.xds import XdsIndex
from indexer.contract.document import DocumentQuery, EntryStatus
from indexer.contract.errors import (
    IndexUnavailable,
    NoRecord,
    SubmissionRejected,
)
from indexer.contract.identifiers import Uid
from indexer.contract.record import RecordState
from indexer.wire.outcome import XdsError, forbidden_refusal, no_record_refusal
from indexer.wire.soap.envelope import (
    SOAP_MEDIA_TYPE,
    Call,
    FaultCode,
    SoapFault,
    fault,
    reply,
)
from indexer.wire.xds import vocabulary as names
from indexer.wire.xds.registry_messages import (
    PROVIDE,
    QUERY,
    RegistryError,
    query_response,
    registry_response,
)
from indexer.wire.xml import Element
from tests.support.index_clients import SOURCE
from tests.support.pointers import ANNE, PAUL, a_submission, an_entry
from tests.support.ports import free_port
from tests.support.scripted_index import ScriptedIndex
from tests.support.scripted_registry import (
    ID,
    OTHER_ID,
    ScriptedRegistry,
    found,
    held,
    named,
    refused,
)

OF_ANNE = DocumentQuery(patient=ANNE)


@pytest.fixture
def registry(scripted: ScriptedIndex) -> ScriptedRegistry:
    return ScriptedRegistry(scripted)


@pytest.fixture
def index(scripted: ScriptedIndex, session: aiohttp.ClientSession) -> XdsIndex:
    return XdsIndex(scripted.url, session, source=SOURCE)


def not_found(*codes: XdsError) -> Element:
    return query_response([RegistryError(error=code, context="no") for code in codes])[0]


@pytest.mark.parametrize("codes", [
    ["XDSRepositoryBusy"], ["XDSRegistryBusy"], ["XDSRepositoryOutOfResources"],
    ["XDSRegistryOutOfResources"], ["XDSRegistryNotAvailable"], ["XDSRepositoryError"],
    ["XDSRegistryError"], ["XDSRepositoryBusy", "XDSRegistryError"],
])  # fmt: skip
async def test_a_failure_that_passes_is_tried_again_when_the_index_says(
    registry: ScriptedRegistry, index: XdsIndex, codes: list[str]
) -> None:
    registry.answers[PROVIDE] = refused(*codes)
    registry.headers["Retry-After"] = "7"

    with pytest.raises(IndexUnavailable, match=codes[0]) as told:
        await index.submit(a_submission())

    assert told.value.retry_after_s == 7


@pytest.mark.parametrize("codes, code", [
    (["XDSRepositoryMetadataError"], "XDSRepositoryMetadataError"),
    (["XDSPatientIdDoesNotMatch"], "XDSPatientIdDoesNotMatch"),
    (["XDSRegistryDeprecatedDocumentError"], "XDSRegistryDeprecatedDocumentError"),
    (["InvalidDocumentContent"], "InvalidDocumentContent"),
    (["XDSRepositoryBusy", "XDSMissingDocument"], "XDSMissingDocument"),
    (["DESMAUX Anne"], "unnamed"), ([""], "unnamed"), (["x" * 65], "unnamed"),
])  # fmt: skip
async def test_a_refusal_is_told_by_the_indexs_own_code(
    registry: ScriptedRegistry, index: XdsIndex, codes: list[str], code: str
) -> None:
    registry.answers[PROVIDE] = refused(*codes, context="DESMAUX Anne")

    with pytest.raises(SubmissionRejected) as told:
        await index.submit(a_submission())

    assert told.value.code == code
    assert "DESMAUX" not in str(told.value)


@pytest.mark.parametrize("code", ["XDSRepositoryError", "XDSRegistryError"])
async def test_what_the_sender_may_not_do_is_refused_for_good(
    registry: ScriptedRegistry, index: XdsIndex, code: str
) -> None:
    """XDS.b has the code of a fault for it; codeContext tells the two apart."""
    context = forbidden_refusal("not by this way of authentication").reason
    registry.answers[PROVIDE] = refused(code, context=context)

    with pytest.raises(SubmissionRejected) as told:
        await index.submit(a_submission())

    assert told.value.code == "forbidden"


async def test_a_warning_is_no_refusal(registry: ScriptedRegistry, index: XdsIndex) -> None:
    registry.answers = {
        PROVIDE: refused("XDSExtraMetadataNotSaved", warning=True), QUERY: named(ID),
    }  # fmt: skip

    receipt = await index.submit(a_submission())

    assert receipt.entry_id == ID


@pytest.mark.parametrize("state", [RecordState.ABSENT, RecordState.CLOSED, RecordState.REFUSED])
async def test_a_record_that_takes_nothing_is_told_apart_from_a_refusal(
    registry: ScriptedRegistry, index: XdsIndex, state: RecordState
) -> None:
    refusal = no_record_refusal(state)
    registry.answers[PROVIDE] = refused(str(refusal.error), context=refusal.reason)

    with pytest.raises(NoRecord) as told:
        await index.submit(a_submission())

    assert told.value.state is state


async def test_a_patient_unknown_to_an_index_without_words_of_ours_has_no_record(
    registry: ScriptedRegistry, index: XdsIndex
) -> None:
    registry.answers[PROVIDE] = refused("XDSUnknownPatientId", context="unknown")

    with pytest.raises(NoRecord) as told:
        await index.submit(a_submission())

    assert told.value.state is RecordState.ABSENT


@pytest.mark.parametrize("code", [
    "XDSDuplicateUniqueIdInRegistry", "XDSNonIdenticalHash", "XDSNonIdenticalSize",
])  # fmt: skip
async def test_a_duplicate_is_asked_for_and_the_same_hash_counts_as_held(
    registry: ScriptedRegistry, index: XdsIndex, code: str
) -> None:
    registry.answers = {PROVIDE: refused(code), QUERY: found(held())}

    receipt = await index.submit(a_submission())

    assert receipt.entry_id == ID


async def test_another_document_by_the_same_unique_id_is_a_refusal(
    registry: ScriptedRegistry, index: XdsIndex
) -> None:
    registry.answers = {
        PROVIDE: refused("XDSNonIdenticalHash"), QUERY: found(held(sha1="0" * 40)),
    }  # fmt: skip

    with pytest.raises(SubmissionRejected) as told:
        await index.submit(a_submission())

    assert told.value.code == "XDSNonIdenticalHash"


async def test_what_was_taken_and_is_not_shown_is_asked_for_again_later(
    registry: ScriptedRegistry, index: XdsIndex
) -> None:
    for answer in (registry_response(), refused("XDSDuplicateUniqueIdInRegistry")):
        registry.answers = {PROVIDE: answer, QUERY: found()}
        with pytest.raises(IndexUnavailable, match="show"):
            await index.submit(a_submission())


@pytest.mark.parametrize("content", [
    b"no XML", b"<a/>", b"", b"<!DOCTYPE a><a/>",
    reply(Call(action="", message_id="urn:uuid:another", body=named()), registry_response()),
    reply(Call(action="", message_id="", body=named()), named()),
    reply(Call(action="", message_id="", body=named()), etree.Element("nothing")),
])  # fmt: skip
async def test_an_answer_that_is_not_understood_settles_nothing(
    scripted: ScriptedIndex, index: XdsIndex, content: bytes
) -> None:
    scripted.answer = lambda request: Response(content, media_type=SOAP_MEDIA_TYPE)

    for asking in (index.submit(a_submission()), index.retrieve(held(document_url="urn:oid:1.2"))):
        with pytest.raises(IndexUnavailable, match="understood"):
            await asking


@pytest.mark.parametrize("code, subcode, status", [
    (FaultCode.RECEIVER, "", 500), (FaultCode.VERSION, "", 500),
    (FaultCode.MUST_UNDERSTAND, "", 500), (FaultCode.SENDER, "ActionNotSupported", 400),
    (FaultCode.SENDER, "FailedAuthentication", 400), (FaultCode.SENDER, "", 408),
    (FaultCode.SENDER, "", 401),
])  # fmt: skip
async def test_a_fault_of_the_index_or_of_how_it_is_reached_passes(
    scripted: ScriptedIndex, index: XdsIndex, code: FaultCode, subcode: str, status: int
) -> None:
    answer_fault(scripted, SoapFault("no", code=code, subcode=subcode), status)

    for asking in (index.submit(a_submission()), index.find(OF_ANNE), index.withdraw(ID)):
        with pytest.raises(IndexUnavailable):
            await asking


@pytest.mark.parametrize("subcode, told", [
    ("MessageExpired", "Sender, MessageExpired"), ("DESMAUX.Anne", "Sender"),
])  # fmt: skip
async def test_why_who_asks_is_not_let_in_is_told_where_it_is_a_code_of_the_standard(
    scripted: ScriptedIndex, index: XdsIndex, subcode: str, told: str
) -> None:
    answer_fault(scripted, SoapFault("no", subcode=subcode), 500)

    with pytest.raises(IndexUnavailable, match=f"a fault: {told}$"):
        await index.submit(a_submission())


@pytest.mark.parametrize("status, code", [
    (400, "soap-sender"), (500, "soap-sender"), (413, "http-413"), (415, "http-415"),
])  # fmt: skip
async def test_a_message_that_is_refused_itself_is_refused_for_good(
    scripted: ScriptedIndex, index: XdsIndex, status: int, code: str
) -> None:
    answer_fault(scripted, SoapFault("DESMAUX Anne"), status)

    with pytest.raises(SubmissionRejected) as told:
        await index.submit(a_submission())
    with pytest.raises(IndexUnavailable):  # a question changes nothing, and may be asked again
        await index.find(OF_ANNE)

    assert (told.value.code, "DESMAUX" in str(told.value)) == (code, False)


def answer_fault(scripted: ScriptedIndex, told: SoapFault, status: int) -> None:
    content = fault(told)
    scripted.answer = lambda request: Response(content, status, media_type=SOAP_MEDIA_TYPE)


async def test_entries_are_asked_for_some_at_a_time(
    registry: ScriptedRegistry, index: XdsIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(xds, "ENTRIES_AT_ONCE", 1)
    entries = [found(held(1)), found(held(2, entry_id=OTHER_ID))]
    registry.answers[QUERY] = [named(ID, OTHER_ID), *entries]

    given = await index.find(OF_ANNE)

    assert [one.unique_id for one in given] == [an_entry(2).unique_id, an_entry(1).unique_id]


async def test_more_entries_than_a_patient_has_are_not_gathered(
    registry: ScriptedRegistry, index: XdsIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(xds, "ENTRIES_MAX", 1)
    registry.answers[QUERY] = named(ID, OTHER_ID)

    with pytest.raises(IndexUnavailable, match="more than 1 entries"):
        await index.find(OF_ANNE)

    assert registry.asked == [QUERY]


async def test_an_index_that_has_too_much_to_tell_is_not_taken_for_one_that_has_nothing(
    registry: ScriptedRegistry, index: XdsIndex
) -> None:
    registry.answers[QUERY] = not_found(XdsError.TOO_MANY_RESULTS)

    for asking in (index.find(OF_ANNE), index.find_by_unique_id(Uid("1.2")), index.withdraw(ID)):
        with pytest.raises(IndexUnavailable, match="XDSTooManyResults"):
            await asking


async def test_what_was_not_asked_for_is_left_out(
    registry: ScriptedRegistry, index: XdsIndex
) -> None:
    registry.answers[QUERY] = [
        named(ID),
        found(
            held(1, patient=PAUL),
            held(2, status=EntryStatus.WITHDRAWN),
            held(3, entry_id=OTHER_ID),
        ),
    ]

    assert await index.find(OF_ANNE) == []


async def test_an_entry_that_breaks_the_rules_does_not_hide_the_others(
    registry: ScriptedRegistry, index: XdsIndex
) -> None:
    answer = found(held(1, entry_id=OTHER_ID), held(2))
    next(answer.iter(f"{{{names.RIM}}}ExtrinsicObject")).set("status", "")
    registry.answers[QUERY] = [named(OTHER_ID, ID), answer]

    given = await index.find(OF_ANNE)

    assert [one.unique_id for one in given] == [an_entry(2).unique_id]


async def test_no_address_names_a_patient_or_a_document(
    registry: ScriptedRegistry, scripted: ScriptedIndex, index: XdsIndex
) -> None:
    registry.answers = {PROVIDE: registry_response(), QUERY: named(ID)}

    await index.submit(a_submission())

    assert scripted.asked == [f"{scripted.url}/xds/{one}" for one in ("repository", "registry")]


@dataclass
class LosesTheRegistry:
    """A session that reaches the repository, and the registry no more."""

    session: aiohttp.ClientSession
    nowhere: str

    def request(self, method: str, url: str, **told: Any) -> Any:
        lost = url.endswith("/registry")
        return self.session.request(method, self.nowhere if lost else url, **told)


@pytest.mark.parametrize("answer", [
    registry_response(), refused("XDSDuplicateUniqueIdInRegistry"),
])  # fmt: skip
async def test_what_the_index_took_is_not_told_as_never_sent(
    registry: ScriptedRegistry,
    scripted: ScriptedIndex,
    session: aiohttp.ClientSession,
    answer: Element,
) -> None:
    registry.answers[PROVIDE] = answer
    session_that_loses = cast(
        aiohttp.ClientSession, LosesTheRegistry(session, f"http://127.0.0.1:{free_port()}")
    )
    index = XdsIndex(scripted.url, session_that_loses, source=SOURCE)

    with pytest.raises(IndexUnavailable) as told:
        await index.submit(a_submission())

    assert not told.value.never_sent
