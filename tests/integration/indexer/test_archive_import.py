"""What an XDM archive holds is taken in as if its sender brought it, as often as one likes."""

import asyncio
import hashlib
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile

import pytest

from gateway.errors import InvalidRequest
from gateway.media.tree import open_medium
from gateway.storage.engines import open_at
from indexer.contract.document import DocumentEntry, EntryStatus
from indexer.contract.document_set import Association, Document, DocumentSet, Relation
from indexer.server.custody.archive_import import ArchiveImport, Fate, Taken
from indexer.server.custody.custodian import Custodian
from indexer.wire.fhir.search import read_search
from indexer.wire.vocabulary import UUID_PREFIX
from indexer.wire.xds.archived_set import write_archived_set
from tests.support.custody import Custody, custody_of
from tests.support.indexes import a_served_index
from tests.support.pointers import ANNE, KOS, PAUL
from tests.support.xds import a_set

OLD = "11111111-0000-4000-8000-00000000000{}"
SET_BYTES_MAX = 1000


@pytest.fixture
async def custody(tmp_path: Path, database_url: str) -> AsyncIterator[Custody]:
    async with custody_of(await open_at(database_url, tmp_path / "index.sqlite")) as custody:
        yield custody


def as_held(submitted: DocumentSet) -> DocumentSet:
    """As an index writes it out: named by the ids that it allotted."""
    ids = {
        one.entry.entry_id: UUID_PREFIX + OLD.format(one.entry.unique_id[-1])
        for one in submitted.documents
    }
    return replace(
        submitted,
        documents=tuple(
            replace(one, entry=replace(one.entry, entry_id=ids[one.entry.entry_id]))
            for one in submitted.documents
        ),
        associations=tuple(
            replace(one, source=ids.get(one.source, one.source)) for one in submitted.associations
        ),
    )


def archived(folder: Path, *sets: DocumentSet) -> Path:
    """An archive of these sets, in a folder."""
    for number, one in enumerate(sets, start=1):
        place = folder / "IHE_XDM" / f"SUBSET{number:02}"
        place.mkdir(parents=True)
        uris = [f"DOC{count:05}.DCM" for count in range(1, len(one.documents) + 1)]
        (place / "METADATA.XML").write_bytes(write_archived_set(one, uris))
        for uri, document in zip(uris, one.documents, strict=True):
            (place / uri).write_bytes(document.content)
    return folder


def zipped(folder: Path, to: Path) -> Path:
    with ZipFile(to, "w", ZIP_DEFLATED) as archive:
        for file in sorted(folder.rglob("*")):
            archive.write(file, file.relative_to(folder))
    return to


async def taken(custodian: Custodian, path: Path) -> list[Taken]:
    tree = open_medium(path)
    try:
        importing = ArchiveImport(custodian, tree, set_bytes_max=SET_BYTES_MAX)
        return [one async for one in importing.run()]
    finally:
        tree.close()


async def entries(custody: Custody) -> dict[str, str]:
    """The status of each of Anne's documents, by unique id."""
    search = read_search([
        ("patient.identifier", f"urn:oid:{ANNE.oid}|{ANNE.value}"),
        ("status", ",".join(EntryStatus)),
    ])  # fmt: skip
    found, _ = await custody.custodian.find(None, search)
    return {
        one.resource["masterIdentifier"]["value"].removeprefix("urn:oid:"): one.resource["status"]
        for one in found
    }


@pytest.mark.parametrize("form", ["a folder", "a zip archive"])
async def test_each_document_is_held_and_its_fate_is_told(
    custody: Custody, tmp_path: Path, form: str
) -> None:
    path = archived(tmp_path / "xdm", a_set(1, 2), a_set(3))
    if form == "a zip archive":
        path = zipped(path, tmp_path / "xdm.zip")

    told = await taken(custody.custodian, path)

    assert [(one.set_number, one.document_number, one.fate) for one in told] == [
        (1, 1, Fate.HELD), (1, 2, Fate.HELD), (2, 1, Fate.HELD)
    ]  # fmt: skip
    assert await entries(custody) == dict.fromkeys(["2.25.11", "2.25.12", "2.25.13"], "current")
    lines = [one for one in await custody.told() if one["act"] == "publish"]
    assert [one["exchange"] for one in lines] == ["ITI-32", "ITI-32"]


async def test_an_archive_is_taken_in_again_and_nothing_comes_twice(
    custody: Custody, tmp_path: Path
) -> None:
    path = archived(tmp_path / "xdm", a_set(1), a_set(2))
    await taken(custody.custodian, path)

    told = await taken(custody.custodian, path)

    assert [one.fate for one in told] == [Fate.HELD_ALREADY] * 2
    assert len(await entries(custody)) == 2


@pytest.mark.parametrize("times", [1, 2])
async def test_what_replaces_a_document_of_another_index_replaces_it_here(
    custody: Custody, tmp_path: Path, times: int
) -> None:
    """The other index allotted other ids; those of this one are not in the archive."""
    first, second = a_set(1), a_set(2)
    replaces = Association(relation=Relation.REPLACES, source="Document2", target=OLD.format("1"))
    second = replace(second, associations=(replaces,))
    if times == 2:  # the first set came before, alone
        await taken(custody.custodian, archived(tmp_path / "first", as_held(first)))
    path = archived(tmp_path / "xdm", as_held(first), as_held(second))

    told = await taken(custody.custodian, path)

    assert [one.fate for one in told][1:] == [Fate.HELD]
    assert await entries(custody) == {"2.25.11": "superseded", "2.25.12": "current"}


def of_another_hash(submitted: DocumentSet) -> DocumentSet:
    return changed(submitted, lambda one: replace(one, sha1=hashlib.sha1(b"x").hexdigest()))


def changed(
    submitted: DocumentSet, change: Callable[[DocumentEntry], DocumentEntry]
) -> DocumentSet:
    [document] = submitted.documents
    return replace(
        submitted, documents=(Document(entry=change(document.entry), content=document.content),)
    )


@pytest.mark.parametrize("broken", [
    of_another_hash(a_set(1)),
    changed(a_set(1), lambda one: replace(one, patient=PAUL)),
    changed(a_set(1), lambda one: replace(one, confidentiality=())),
    replace(a_set(1), associations=(
        Association(relation=Relation.REPLACES, source="Document1", target=OLD.format(9)),
    )),
])  # fmt: skip
async def test_a_set_that_is_refused_does_not_keep_the_others_out(
    custody: Custody, tmp_path: Path, broken: DocumentSet
) -> None:
    told = await taken(custody.custodian, archived(tmp_path / "xdm", broken, a_set(2)))

    assert [one.fate for one in told] == [Fate.REFUSED, Fate.HELD]
    assert told[0].reason
    assert ANNE.value not in told[0].reason
    assert list(await entries(custody)) == ["2.25.12"]


async def test_another_document_of_a_unique_id_that_is_held_is_refused(
    custody: Custody, tmp_path: Path
) -> None:
    await taken(custody.custodian, archived(tmp_path / "first", a_set(1)))
    other = b"another"
    entry = replace(
        a_set(1).documents[0].entry,
        sha1=hashlib.sha1(other, usedforsecurity=False).hexdigest(),
        size_bytes=len(other),
    )
    again = replace(a_set(1), documents=(Document(entry=entry, content=other),))

    [told] = await taken(custody.custodian, archived(tmp_path / "xdm", again))

    assert told.fate is Fate.REFUSED


async def test_documents_that_are_too_much_together_are_not_read(
    custody: Custody, tmp_path: Path
) -> None:
    long = b"x" * (SET_BYTES_MAX - len(KOS) + 1)
    pair = a_set(1, 2)
    entry = replace(
        pair.documents[1].entry,
        sha1=hashlib.sha1(long, usedforsecurity=False).hexdigest(),
        size_bytes=len(long),
    )
    pair = replace(pair, documents=(pair.documents[0], Document(entry=entry, content=long)))

    [told] = await taken(custody.custodian, archived(tmp_path / "xdm", pair))

    assert (told.fate, told.document_number) == (Fate.REFUSED, 0)


@pytest.mark.parametrize("uri", ["../../../secret", "/etc/passwd", "LINK.DCM"])
async def test_no_document_is_read_from_outside_the_archive(
    custody: Custody, tmp_path: Path, uri: str
) -> None:
    (tmp_path / "secret").write_bytes(KOS)
    folder = archived(tmp_path / "xdm", a_set(1))
    place = folder / "IHE_XDM" / "SUBSET01"
    (place / "LINK.DCM").symlink_to(tmp_path / "secret")
    (place / "METADATA.XML").write_bytes(write_archived_set(a_set(1), [uri]))

    [told] = await taken(custody.custodian, folder)

    assert told.fate is Fate.REFUSED


async def test_a_zip_that_blows_up_is_not_opened(custody: Custody, tmp_path: Path) -> None:
    bomb = tmp_path / "bomb.zip"
    with ZipFile(bomb, "w", ZIP_DEFLATED) as archive:
        for number in range(3):
            with archive.open(f"IHE_XDM/SUBSET0{number}/METADATA.XML", "w") as member:
                for _ in range(400):
                    member.write(bytes(2**20))

    with pytest.raises(InvalidRequest):
        await taken(custody.custodian, bomb)


async def test_what_is_no_archive_is_told(custody: Custody, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()

    with pytest.raises(InvalidRequest):
        await taken(custody.custodian, empty)


def command(folder: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """What became of `drim-index import` with these arguments."""
    return subprocess.run(
        [sys.executable, "-m", "indexer.server", "import", *arguments],
        env={**os.environ, "INDEX_DATA_DIR": str(folder)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_the_command_tells_what_became_of_each_document(tmp_path: Path) -> None:
    good = archived(tmp_path / "good", a_set(1, 2))
    bad = archived(tmp_path / "bad", of_another_hash(a_set(3)))

    first = command(tmp_path / "index", good)
    then = command(tmp_path / "index", good, bad, tmp_path / "none.zip")

    assert (first.returncode, first.stdout.splitlines()) == (0, [
        "archive 1 set 1 document 1: held",
        "archive 1 set 1 document 2: held",
        "held: 2",
        "held already: 0",
        "refused: 0",
    ])  # fmt: skip
    assert then.returncode == 1
    assert then.stdout.splitlines()[2:] == [
        "archive 2 set 1: refused: the document's hash is not the one that its metadata tells",
        "held: 0",
        "held already: 2",
        "refused: 1",
    ]
    assert then.stderr.startswith("archive 3: ")


async def test_the_command_leaves_an_index_that_runs_alone(tmp_path: Path) -> None:
    archive = archived(tmp_path / "xdm", a_set(1))

    async with a_served_index(tmp_path / "index"):
        ended = await asyncio.to_thread(command, tmp_path / "index", archive)

    assert (ended.returncode, ended.stdout) == (1, "")
