"""What the conformance statement says of DICOM is what the gateway takes, asks and answers."""

from collections.abc import Mapping, Sequence

import pytest
from pydicom import Dataset
from pydicom.datadict import dictionary_description

from gateway.catalogue.listing import list_instances
from gateway.dimse import negotiation, requestor
from gateway.dimse.commands import CommandField
from gateway.dimse.negotiation import STORAGE, transfer_syntaxes
from gateway.dimse.provider import OPERATIONS
from gateway.dimse.scu import QueryLevel
from gateway.dimse.statuses import RejectReason, Status, StoreStatus
from gateway.intake.procedure_steps import MAY_NOT_BE_UPDATED
from gateway.model.sop_classes import ADMISSIBLE, REJECTION_TITLES
from indexer.contract.identifiers import Uid
from tests.architecture.repository import ROOT
from tests.architecture.statement import STATEMENT, UIDS, codes, enumerated, table

ACCEPTOR, REQUESTOR = "As an acceptor", "As a requestor"
PROVIDER = "gateway/dimse/provider.py"
A_CLASS = "1.2.840.10008.5.1.4.1.1.2"
UNCOMPRESSED = {"1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2"}


def test_each_operation_that_is_taken_is_stated_with_its_sop_class() -> None:
    stated = table(ACCEPTOR, "SOP class")

    operations = {
        uid or "storage": set(taken.split(", "))
        for uid, taken in zip(stated.column("UID"), stated.column("Operations taken"), strict=True)
    }

    taken: dict[str, set[str]] = {negotiation.VERIFICATION: {"C-ECHO"}}
    for field, sop_classes in OPERATIONS.items():
        name = CommandField(field).name.removesuffix("_RQ").replace("_", "-")
        for sop_class in {"storage"} if sop_classes == STORAGE else sop_classes:
            taken.setdefault(sop_class, set()).add(name)
    assert operations == taken
    assert set(stated.column("Role")) == {"SCP"}


def test_each_storage_class_is_stated() -> None:
    assert set(table("Storage classes", "UID", document=UIDS).column("UID")) == STORAGE


def test_each_transfer_syntax_of_what_is_stored_is_stated() -> None:
    stated = table("Transfer syntaxes of what is stored", "UID", document=UIDS).column("UID")

    assert {frozenset(stated)} == {transfer_syntaxes(sop_class) for sop_class in STORAGE}


def test_all_else_is_taken_in_the_uncompressed_transfer_syntaxes() -> None:
    others = set(table(ACCEPTOR, "SOP class").column("UID")) - {""}

    assert {transfer_syntaxes(sop_class) for sop_class in others} == {frozenset(UNCOMPRESSED)}


def test_each_rejection_of_an_association_is_stated() -> None:
    stated = table(ACCEPTOR, "Result").column("Result, source, reason (PS3.8 §9.3.4)")

    assert {tuple(map(int, one.split(", "))) for one in stated} == {
        reason.value for reason in RejectReason
    }


def of_code(enum: type[Status] | type[StoreStatus], *places: tuple[str, str | None]) -> set[str]:
    """Statuses that are named in these places of the code."""
    return {
        f"{enum[name]:04X}"
        for module, within in places
        for name in enumerated(module, enum.__name__, within=within)
    }


N_SHARED = of_code(Status, (PROVIDER, "_N_STATUS"))
STEP, STEPS = "gateway/intake/procedure_step.py", "gateway/intake/procedure_steps.py"
COMMITMENT, COMMITMENTS = "gateway/intake/commitment.py", "gateway/intake/commitments.py"
DOOR = "gateway/intake/dimse_door.py"
MEDIATOR, ARRIVALS = "gateway/dimse/move_mediator.py", "gateway/dimse/arrivals.py"


@pytest.mark.parametrize(
    "heading, answered",
    [
        (ACCEPTOR, of_code(Status, (PROVIDER, "_immediate_answer"))),
        (
            "Storage",
            of_code(StoreStatus, (PROVIDER, None), (DOOR, None), (MEDIATOR, None), (ARRIVALS, None))
            | of_code(Status, (PROVIDER, "_STORE_STATUS")),
        ),
        ("Instance Availability Notification", N_SHARED | of_code(Status, (DOOR, None))),
        (
            "Modality Performed Procedure Step",
            N_SHARED | of_code(Status, (STEP, None), (STEPS, None)),
        ),
        (
            "Storage Commitment",
            N_SHARED | of_code(Status, (COMMITMENT, "read_commitment"), (COMMITMENTS, None)),
        ),
    ],
    ids=["every service", "C-STORE", "IAN", "MPPS", "commitment"],
)
def test_each_status_that_is_answered_is_stated(heading: str, answered: set[str]) -> None:
    stated = table(heading, "Status")

    assert codes(stated.column(stated.columns[0])) == answered


def test_each_failure_reason_of_a_commitment_is_stated() -> None:
    stated = table("Storage Commitment", "Failure Reason").column("Failure Reason")

    assert codes(stated) == of_code(Status, (COMMITMENT, "build_report"))


def test_the_error_id_and_the_titles_of_rejection_notes_are_stated() -> None:
    text = (ROOT / "docs" / STATEMENT).read_text()

    assert f"Error ID {MAY_NOT_BE_UPDATED:04X}" in text
    assert {title for title in REJECTION_TITLES if title not in text} == set()
    assert f"the {len(ADMISSIBLE)} classes of *JDV_SOPClass*" in text


def test_each_sop_class_that_is_asked_for_is_stated_with_its_role() -> None:
    stated = table(REQUESTOR, "SOP class")

    roles = dict(zip(stated.column("UID"), stated.column("Role"), strict=True))

    assert {uid for uid, role in roles.items() if role.startswith("SCU")} == set(
        requestor.SOP_CLASSES
    )
    assert {uid for uid, role in roles.items() if role.startswith("SCP")} == {
        negotiation.STORAGE_COMMITMENT
    }


def test_each_key_of_a_query_is_stated() -> None:
    stated = table(REQUESTOR, "Level")

    keys = {(level, matched): set(returned.split(", ")) for level, matched, returned in stated.rows}

    assert keys == asked_of_a_pacs()


def asked_of_a_pacs() -> dict[tuple[str, str], set[str]]:
    """Keys by level and unique keys, as a PACS that holds one instance is asked."""
    asked: dict[tuple[str, str], set[str]] = {}

    def find(
        keys: Mapping[str, str | Sequence[Dataset]], *, level: QueryLevel, answers_max: int
    ) -> list[Dataset]:
        matched = [name for name, value in keys.items() if value]
        asked[level, named(matched)] = {named([one]) for one in keys if one not in matched}
        answer = Dataset()
        answer.StudyInstanceUID, answer.SeriesInstanceUID, answer.SOPInstanceUID = "1", "2", "3"
        return [answer]

    list_instances(find, Uid("1"))
    return asked


def named(keywords: list[str]) -> str:
    """Attributes by the names that the standard gives them, in the order of the levels."""
    return ", ".join(dictionary_description(one) for one in sorted(keywords, reverse=True))
