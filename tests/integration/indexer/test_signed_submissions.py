"""A submission whose signature document does not hold is refused, with nothing of it held."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.storage.sqlite import SqliteDatabase
from indexer.contract.document_set import Document, DocumentSet
from indexer.contract.identifiers import Uid
from indexer.server.access.checks import Checks
from indexer.server.access.signature_documents import SignatureDocuments
from indexer.server.acts import Exchange
from indexer.wire.outcome import Refusal
from indexer.wire.xds.stored_query import QueryKind
from tests.support.custody import custody_of
from tests.support.guarded import a_guarded_index
from tests.support.health_pki import (
    NOW,
    ORGANISATIONS,
    a_subject,
    an_authority,
    signing,
)
from tests.support.proving import TRUST
from tests.support.signing import KEY, a_signed_set
from tests.support.vihf import DOCTOR
from tests.support.xds import a_document, a_set, provide, query

OTHERS_KEY = signing(an_authority(ORGANISATIONS, key=4).certify(a_subject()))


@asynccontextmanager
async def an_index(
    folder: Path, *, required: bool = False, sha1: bool = False
) -> AsyncIterator[str]:
    async with a_guarded_index(
        folder, open_access=True, signature_required=required, accept_sha1=sha1
    ) as url:
        yield url


async def held(url: str) -> list[str]:
    unique_ids = ", ".join(f"'{one}'" for one in ("2.25.11", "2.25.12", "2.25.99"))
    found = await query(
        url, QueryKind.GET_DOCUMENTS, ("$XDSDocumentEntryUniqueId", f"({unique_ids})")
    )
    return found.ids("ExtrinsicObject")


@pytest.mark.parametrize("required", [False, True])
async def test_a_signed_submission_is_held_whole(tmp_path: Path, required: bool) -> None:
    async with an_index(tmp_path, required=required) as url:
        reply = await provide(url, a_signed_set())

        assert (reply.outcome, len(await held(url))) == ("Success", 3)


async def test_one_without_a_signature_is_taken_unless_there_must_be_one(tmp_path: Path) -> None:
    async with an_index(tmp_path / "asked") as url:
        taken = await provide(url, a_set(1))
    async with an_index(tmp_path / "required", required=True) as url:
        refused = await provide(url, a_set(1))

    assert taken.outcome == "Success"
    assert (refused.outcome, refused.errors) == ("Failure", ["XDSRepositoryMetadataError"])


def with_documents(
    change: Callable[[tuple[Document, ...]], tuple[Document, ...]],
) -> DocumentSet:
    submitted = a_signed_set()
    return replace(submitted, documents=change(submitted.documents))


def of_another_set() -> DocumentSet:
    submitted = a_signed_set()
    told = replace(submitted.submission_set, unique_id=Uid("2.25.7"))
    return replace(submitted, submission_set=told)


def replaced(signature: bytes) -> DocumentSet:
    *signed, _ = a_signed_set().documents
    return with_documents(lambda _: (*signed, signature_of(signature)))


def signature_of(content: bytes) -> Document:
    """A signature document with other bytes, told as they are."""
    last = a_signed_set().documents[-1]
    told = a_document(9, content=content).entry
    entry = replace(last.entry, sha1=told.sha1, size_bytes=told.size_bytes)
    return Document(entry=entry, content=content)


CONTENT, METADATA = "InvalidDocumentContent", "XDSRepositoryMetadataError"


@pytest.mark.parametrize("submitted, error", [
    (lambda: a_signed_set(OTHERS_KEY), CONTENT),
    (lambda: a_signed_set(replace(KEY, sha1=True)), CONTENT),
    (lambda: replaced(b"no signature"), CONTENT),
    (lambda: with_documents(lambda all: (a_document(1, content=b"another"), *all[1:])), METADATA),
    (lambda: with_documents(lambda all: (all[0], a_document(3), *all[1:])), METADATA),
    (lambda: with_documents(lambda all: (all[0], all[-1])), METADATA),
    (of_another_set, METADATA),
    (lambda: replace(a_signed_set(), associations=()), METADATA),
], ids=[
    "nobody's", "with SHA-1", "no signature", "another document", "one more", "one less",
    "another set", "not associated",
])  # fmt: skip
async def test_a_signature_that_does_not_hold_is_refused(
    tmp_path: Path, submitted: Callable[[], DocumentSet], error: str
) -> None:
    async with an_index(tmp_path) as url:
        reply = await provide(url, submitted())

        assert (reply.outcome, reply.errors, await held(url)) == ("Failure", [error], [])


async def test_a_submission_that_is_refused_for_its_signature_has_a_line_in_the_journal(
    tmp_path: Path,
) -> None:
    database = await SqliteDatabase.open(tmp_path / "index.sqlite")
    with closing(Checks()) as checks:
        signatures = SignatureDocuments(TRUST, checks, required=True, sha1=False, now=lambda: NOW)
        async with custody_of(database, signatures=signatures) as custody:
            with pytest.raises(Refusal):
                await custody.custodian.provide(DOCTOR, a_set(1), exchange=Exchange.PROVIDE)

            [line] = await custody.told()

    assert (line["act"], line["outcome"]) == ("publish", "invalid")
    assert line["who"]["number"] == DOCTOR.person.number
    assert "entries" not in line


async def test_sha1_is_taken_by_a_setting(tmp_path: Path) -> None:
    async with an_index(tmp_path, sha1=True) as url:
        reply = await provide(url, a_signed_set(replace(KEY, sha1=True)))

    assert reply.outcome == "Success"


async def test_without_authorities_a_signature_is_kept_as_it_is(index_url: str) -> None:
    reply = await provide(index_url, a_signed_set(OTHERS_KEY))

    assert (reply.outcome, len(await held(index_url))) == ("Success", 3)
