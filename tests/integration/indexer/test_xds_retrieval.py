"""ITI-43: what there is of what is asked for is given, and the rest told."""

from dataclasses import replace
from pathlib import Path

from indexer.server.web.xds_routes import REPOSITORY_UID
from indexer.wire.xds import vocabulary as names
from tests.support.indexes import a_served_index
from tests.support.pointers import KOS, an_entry
from tests.support.xds import a_document, a_set, provide, retrieve


async def test_what_there_is_of_a_retrieval_is_given_and_the_rest_told(index_url: str) -> None:
    await provide(index_url, a_set(1))
    unique_id = an_entry(1).unique_id

    partly = await retrieve(index_url, REPOSITORY_UID, unique_id, "2.25.404")
    nothing = await retrieve(index_url, REPOSITORY_UID, "2.25.404")
    elsewhere = await retrieve(index_url, "1.2.3", unique_id)

    assert (partly.outcome, partly.errors) == ("PartialSuccess", ["XDSDocumentUniqueIdError"])
    assert partly.documents == [KOS]
    assert (nothing.outcome, nothing.errors) == ("Failure", ["XDSDocumentUniqueIdError"])
    assert (elsewhere.outcome, elsewhere.errors) == ("Failure", ["XDSUnknownRepositoryId"])
    [error] = partly.body.iter(f"{{{names.RS}}}RegistryError")
    assert error.get("location") == "2.25.404"


async def test_documents_that_are_too_much_for_one_answer_are_asked_for_alone(
    tmp_path: Path,
) -> None:
    large = bytes(700_000)
    submitted = [replace(a_set(n), documents=(a_document(n, content=large),)) for n in (1, 2)]
    unique_ids = [an_entry(n).unique_id for n in (1, 2)]

    async with a_served_index(tmp_path) as index_url:  # its messages have 1 MiB at most
        for one in submitted:
            assert (await provide(index_url, one)).outcome == "Success"
        both = await retrieve(index_url, REPOSITORY_UID, *unique_ids)
        alone = await retrieve(index_url, REPOSITORY_UID, unique_ids[1])

    assert (both.outcome, both.errors) == ("PartialSuccess", ["XDSRepositoryOutOfResources"])
    assert both.documents == [large]
    assert alone.documents == [large]


async def test_a_request_for_nothing_is_refused(index_url: str) -> None:
    reply = await retrieve(index_url, REPOSITORY_UID)

    assert (reply.outcome, reply.errors) == ("Failure", ["XDSRepositoryError"])
