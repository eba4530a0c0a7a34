"""The agency's own XDM archive is taken in by the index, and found there.

The sample (`ans/XDM`) was changed after it was signed: certificates are blanked (`XXXXX`), and the
signature document was shortened by it. Of that document, hash and size become those of its bytes
now. What the agency blanked in the assertion stays as it is, for an archive brings no assertion.
The manifest is as it was.
"""

import hashlib
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.media.tree import open_medium
from gateway.storage.sqlite import SqliteDatabase
from indexer.contract.identifiers import Ins, Oid, Uid
from indexer.server.custody.archive_import import ArchiveImport, Fate
from tests.support.custody import Custody, custody_of
from tests.support.peers import shared_data

HASH, SIZE = b"dbf809196e25476c9b05c1f021a1487e57d9b54d", b"<Value>6102</Value>"
PATIENT = Ins(value="162018885045327", oid=Oid("1.2.250.1.213.1.4.10"))
KOS = Uid("1.3.2.751468943.3.1234.99352.240116151112.1.1.1")
SIGNATURE = Uid("2.25.253369134637024241866147844597094467874")


@pytest.fixture
async def custody(tmp_path: Path) -> AsyncIterator[Custody]:
    async with custody_of(await SqliteDatabase.open(tmp_path / "index.sqlite")) as custody:
        yield custody


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    copy = shutil.copytree(shared_data() / "ans" / "XDM", tmp_path / "XDM")
    for one in (copy, *copy.rglob("*")):
        one.chmod(0o700)  # the sample may be read-only
    folder = copy / "KA202401" / "IHE_XDM" / "SS000001"
    signature = (folder / "SIGN_1.XML").read_bytes()
    metadata = (folder / "METADATA.XML").read_bytes()
    assert HASH in metadata
    assert SIZE in metadata
    sha1 = hashlib.sha1(signature, usedforsecurity=False).hexdigest().encode()
    size = b"<Value>%d</Value>" % len(signature)
    (folder / "METADATA.XML").write_bytes(metadata.replace(HASH, sha1).replace(SIZE, size))
    return copy


async def fates(custody: Custody, archive: Path) -> list[Fate]:
    importing = ArchiveImport(custody.custodian, open_medium(archive), set_bytes_max=2**20)
    return [one.fate async for one in importing.run()]


async def test_it_is_taken_in_and_its_documents_are_those_of_the_archive(
    custody: Custody, archive: Path
) -> None:
    folder = archive / "KA202401" / "IHE_XDM" / "SS000001"

    told = await fates(custody, archive)
    again = await fates(custody, archive)

    held = await custody.custodian.documents(None, [KOS, SIGNATURE], bytes_max=2**20)
    contents = {name: one.content for name, one in held.items() if one is not None}
    assert told == [Fate.HELD] * 2
    assert again == [Fate.HELD_ALREADY] * 2
    assert contents == {
        KOS: (folder / "KOS_1_1.DCM").read_bytes(),
        SIGNATURE: (folder / "SIGN_1.XML").read_bytes(),
    }
    acts = [one["act"] for one in await custody.told(PATIENT)]
    assert acts == ["publish", "publish", "read"]
