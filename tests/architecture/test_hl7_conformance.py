"""What the conformance statement says of HL7 is what the readers do."""

import re

import pytest

from gateway.hl7.faults import ErrorCode
from gateway.hl7.message import CHARACTER_SETS, PARTS_MAX
from gateway.hl7.mllp import MllpLimits
from gateway.intake.flags import DMP_FLAG, VISIBILITY_FLAGS
from gateway.intake.messages import MESSAGE_TYPES
from gateway.intake.values import ENTRIES_MAX, VALUE_LENGTH_MAX
from gateway.model.order import CANCELLED
from tests.architecture.repository import ROOT

VERSIONS = ["2.3.1", "2.4", "2.5", "2.5.1", "2.6"]


@pytest.fixture(scope="module")
def statement() -> str:
    text = (ROOT / "docs/conformance.md").read_text()
    return text.partition("\n## HL7 v2\n")[2].partition("\n## ")[0]


def test_each_message_is_stated_with_its_versions(statement: str) -> None:
    stated: dict[tuple[str, str], set[str]] = {}
    for messages, versions in re.findall(
        r"^\|[^|`]*\| (`[A-Z]{3}\^.*) \| (2\..*) \|$", statement, re.M
    ):
        kind = messages[1:4]
        for event in re.findall(r"`(?:[A-Z]{3}\^)?([A-Z]\d\d)`", messages):
            stated[kind, event] = expanded(versions)

    assert stated == {
        (kind, event): set(taken.versions)
        for kind, taken in MESSAGE_TYPES.items()
        for event in taken.events
    }


def expanded(versions: str) -> set[str]:
    first, to, last = versions.partition(" to ")
    if to:
        return set(VERSIONS[VERSIONS.index(first) : VERSIONS.index(last) + 1])
    return set(versions.split(", "))


@pytest.mark.parametrize(
    "words",
    [CHARACTER_SETS, VISIBILITY_FLAGS, CANCELLED, {DMP_FLAG}],
    ids=["character sets", "visibility flags", "cancelled", "kept out of the DMP"],
)
def test_each_word_that_is_known_is_stated(statement: str, words: dict[str, object]) -> None:
    assert [word for word in words if f"`{word}`" not in statement] == []


def test_each_condition_is_stated(statement: str) -> None:
    conditions = statement.partition("Conditions (table 0357)")[2]

    assert [
        code for code in ErrorCode if not re.search(rf"^\|.*\b{code}\b.*\|.*\|$", conditions, re.M)
    ] == []


def test_each_limit_is_stated(statement: str) -> None:
    limits = [
        f"{PARTS_MAX:,} parts",
        f"{VALUE_LENGTH_MAX:,} characters",
        f"{ENTRIES_MAX} ids",
        f"handshake has {MllpLimits().handshake_s:g} s",
    ]

    assert [limit for limit in limits if limit not in " ".join(statement.split())] == []
