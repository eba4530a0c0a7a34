"""The one change that an entry can have once it is held: a JSON Patch of its status."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.wire.outcome import IssueCode, Refusal
from indexer.wire.patch import NotChangeable, read_withdrawal, withdrawal_patch

STATUS = {"op": "replace", "path": "/status", "value": "entered-in-error"}
_values = st.none() | st.booleans() | st.integers() | st.text(max_size=9)
_operations = st.dictionaries(st.sampled_from(["op", "path", "value", "from"]), _values, max_size=4)


def test_a_withdrawal_is_written_as_the_national_guide_shows_it() -> None:
    assert withdrawal_patch() == [STATUS]


def test_a_withdrawal_is_understood_however_often_it_is_said() -> None:
    read_withdrawal(withdrawal_patch() * 2)


@pytest.mark.parametrize("path", ["/securityLabel", "/extension/0/valueBoolean", "/status/0", ""])
def test_no_other_element_can_be_changed(path: str) -> None:
    with pytest.raises(NotChangeable):
        read_withdrawal([STATUS, STATUS | {"path": path}])


@pytest.mark.parametrize("operation", [
    STATUS | {"value": "current"},
    STATUS | {"value": "superseded"},
    STATUS | {"value": ["entered-in-error"]},
    STATUS | {"op": "test"},
    STATUS | {"from": "/date"},
    {"op": "remove", "path": "/status"},
    {"op": "replace", "path": "/status"},
])  # fmt: skip
def test_the_status_becomes_nothing_else(operation: dict[str, object]) -> None:
    with pytest.raises(Refusal) as refusal:
        read_withdrawal([operation])

    assert refusal.value.code == IssueCode.BUSINESS_RULE


@pytest.mark.parametrize("patch", [
    {}, [], None, "x", [STATUS] * 17, [None], [[]], [{"op": "replace"}], [{"path": "/status"}],
    [{"op": "erase", "path": "/status"}], [{"op": 1, "path": "/status"}],
])  # fmt: skip
def test_what_is_no_patch_is_refused(patch: object) -> None:
    with pytest.raises(Refusal) as refusal:
        read_withdrawal(patch)

    assert refusal.value.code == IssueCode.STRUCTURE


@given(st.lists(_operations | _values, max_size=3))
def test_whatever_is_sent_is_a_withdrawal_or_refused(patch: list[object]) -> None:
    try:
        read_withdrawal(patch)
    except Refusal:
        return
    assert all(one == STATUS for one in patch)
