"""ITI-18: a query that cannot be answered says why, by its code."""

import pytest

from indexer.wire.xds.stored_query import QueryKind
from tests.support.pointers import ANNE
from tests.support.xds import APPROVED, a_set, provide, query

PATIENT = ("$XDSDocumentEntryPatientId", f"'{ANNE.value}^^^&{ANNE.oid}&ISO'")
STATUS = ("$XDSDocumentEntryStatus", f"('{APPROVED}')")


def entry(name: str, value: str) -> tuple[str, str]:
    return f"$XDSDocumentEntry{name}", value


ONE = entry("UniqueId", "('1.2')")


@pytest.mark.parametrize("kind, parameters, code", [
    (QueryKind.FIND_DOCUMENTS, [STATUS], "XDSStoredQueryMissingParam"),
    (QueryKind.FIND_DOCUMENTS, [PATIENT], "XDSStoredQueryMissingParam"),
    (QueryKind.FIND_BY_REFERENCE, [PATIENT, STATUS], "XDSStoredQueryMissingParam"),
    (QueryKind.GET_ALL, [("$patientId", PATIENT[1]), STATUS], "XDSStoredQueryMissingParam"),
    (QueryKind.GET_RELATED, [ONE], "XDSStoredQueryMissingParam"),
    (QueryKind.GET_ASSOCIATIONS, [], "XDSStoredQueryMissingParam"),
    (QueryKind.GET_DOCUMENTS, [], "XDSStoredQueryParamNumber"),
    (QueryKind.GET_DOCUMENTS, [ONE, entry("EntryUUID", "('urn:uuid:1')")],
     "XDSStoredQueryParamNumber"),
    (QueryKind.FIND_DOCUMENTS, [(PATIENT[0], "('a','b')"), STATUS], "XDSStoredQueryParamNumber"),
    (QueryKind.FIND_DOCUMENTS, [PATIENT, PATIENT, STATUS], "XDSStoredQueryParamNumber"),
    (QueryKind.FIND_DOCUMENTS,
     [PATIENT, STATUS, entry("CreationTimeTo", "2021"), entry("CreationTimeTo", "2022")],
     "XDSStoredQueryParamNumber"),
    (QueryKind.FIND_DOCUMENTS, [PATIENT, STATUS, entry("CreationTimeTo", "'never'")],
     "XDSRegistryError"),
    (QueryKind.FIND_DOCUMENTS, [PATIENT, STATUS, entry("ClassCode", "('10')")],
     "XDSRegistryError"),
    (QueryKind.FIND_DOCUMENTS, [PATIENT, STATUS, entry("ClassCode", "(10^^1.2)")],
     "XDSRegistryError"),
    (QueryKind.FIND_DOCUMENTS, [PATIENT, STATUS, entry("Own", "'1'")], "XDSRegistryError"),
    ("f26abbcb-ac74-4422-8a30-edb644bbc1a9", [], "XDSUnknownStoredQuery"),
])  # fmt: skip
async def test_a_query_that_cannot_be_answered_says_why(
    index_url: str, kind: str, parameters: list[tuple[str, str]], code: str
) -> None:
    reply = await query(index_url, kind, *parameters)

    assert (reply.status, reply.outcome, reply.errors) == (200, "Failure", [code])


async def test_more_than_can_be_told_is_told_so(
    index_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("indexer.server.custody.stored_queries.OBJECTS_MAX", 2)
    monkeypatch.setattr("indexer.server.custody.stored_queries.PAGE_ENTRIES", 2)
    await provide(index_url, a_set(1, 2))
    within = await query(index_url, QueryKind.FIND_DOCUMENTS, PATIENT, STATUS)

    monkeypatch.setattr("indexer.server.custody.stored_queries.REFERENCES_MAX", 3)
    await provide(index_url, a_set(3))
    beyond = await query(index_url, QueryKind.FIND_DOCUMENTS, PATIENT, STATUS)
    by_id = await query(index_url, QueryKind.FIND_DOCUMENTS, PATIENT, STATUS, returns="ObjectRef")
    await provide(index_url, a_set(4))
    beyond_by_id = await query(
        index_url, QueryKind.FIND_DOCUMENTS, PATIENT, STATUS, returns="ObjectRef"
    )

    assert len(within.ids("ExtrinsicObject")) == 2
    assert beyond.errors == ["XDSTooManyResults"]
    assert len(by_id.ids("ObjectRef")) == 3
    assert beyond_by_id.errors == ["XDSTooManyResults"]
