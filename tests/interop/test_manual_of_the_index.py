"""The commands of the manual for who runs an index, run as they stand there.

Only ports and programs are replaced, and what would serve for ever is started apart.
"""

import json
from pathlib import Path

import pytest

from tests.interop.documented import MANUAL, block, run
from tests.support.peers import peer
from tests.support.programs import Index, an_index

SEARCH = "-d status=current \\\n     --data-urlencode"
"""What the search that proves nothing has, and that of the doctor has not."""


def told_by(index: Index, commands: str, folder: Path) -> str:
    """What the commands of a block told, run against this index."""
    return run(block(commands, document=MANUAL), folder, ports={8090: index.http})


def found_by(index: Index, commands: str, folder: Path) -> list[str]:
    """The status of each document that a search found."""
    bundle = json.loads(told_by(index, commands, folder))
    assert bundle["type"] == "searchset"
    return [one["resource"]["status"] for one in bundle.get("entry", [])]


def test_a_first_document_is_published_found_masked_and_withdrawn(tmp_path: Path) -> None:
    with an_index(tmp_path) as index:
        published = told_by(index, "cat > document.json", tmp_path)
        found = found_by(index, SEARCH, tmp_path)
        updated = told_by(index, "MASQUE_PS", tmp_path)
        left = found_by(index, SEARCH, tmp_path)

    assert published.startswith("HTTP/1.1 201")
    assert (found, left) == (["current"], [])
    assert '"entered-in-error"' in updated


def test_what_came_by_fhir_is_found_by_xds(tmp_path: Path) -> None:
    with an_index(tmp_path) as index:
        told_by(index, "cat > document.json", tmp_path)
        found = told_by(index, "cat > find.xml", tmp_path)

    assert "ResponseStatusType:Success" in found
    assert found.count("<rim:ExtrinsicObject ") == 1


def test_what_a_patient_chooses_and_takes_along_is_told(tmp_path: Path) -> None:
    with an_index(tmp_path) as index:
        told_by(index, "cat > document.json", tmp_path)
        record = json.loads(told_by(index, "/api/records/choose", tmp_path))
        told_by(index, "/api/records/extract", tmp_path)
        journal = json.loads(told_by(index, "AuditEvent/_search", tmp_path))

    assert record["opposed"] is True
    assert (tmp_path / "dossier.zip").read_bytes().startswith(b"PK")
    assert journal["entry"]


@pytest.fixture
def certified(tmp_path: Path) -> Path:
    """Where the authority, its list and a structure's certificate lie, as the manual makes them."""
    peer("openssl")
    commands = block("Authority of structures", document=MANUAL)
    made, _, serving = commands.rstrip().rpartition("\n")
    assert serving.startswith("INDEX_AUTHORITIES=authority.pem INDEX_CRL_DIR=crls ")
    run(made, tmp_path, ports={})
    (tmp_path / "doctor.py").write_text(block("build_assertion", document=MANUAL))
    return tmp_path


def test_who_breaks_the_glass_at_a_closed_index_is_let_in_and_told_of(certified: Path) -> None:
    trust = {"INDEX_AUTHORITIES": str(certified / "authority.pem")}
    trust |= {"INDEX_CRL_DIR": str(certified / "crls")}
    with an_index(certified) as index:
        told_by(index, "cat > document.json", certified)

    with an_index(certified, settings=trust, open_access=False) as index:
        nobody = json.loads(told_by(index, SEARCH, certified))
        found = found_by(index, "doctor.py 155059999900196", certified)

    assert (nobody["resourceType"], found) == ("OperationOutcome", ["current"])
