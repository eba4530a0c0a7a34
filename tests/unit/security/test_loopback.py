"""What counts as this machine alone, where anyone may do anything."""

import pytest

from gateway.security.policy import is_loopback


@pytest.mark.parametrize("address", ["127.0.0.1", "127.0.0.2", "::1"])
def test_an_address_of_this_machine_alone_is_loopback(address: str) -> None:
    assert is_loopback(address)


@pytest.mark.parametrize(
    "address",
    ["", "0", "0.0.0.0", "127.1", "2130706433", "::", "::ffff:0.0.0.0", "fe80::1%lo", "192.0.2.1"],
)
def test_no_other_address_is(address: str) -> None:
    assert not is_loopback(address)


@pytest.mark.parametrize("name", ["localhost", "localhost.", "127.0.0.1.example"])
def test_a_name_is_not_for_it_may_lead_elsewhere(name: str) -> None:
    assert not is_loopback(name)
