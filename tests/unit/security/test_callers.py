"""Who may associate: titles, and the addresses that they are bound to."""

import pytest

from gateway.security.callers import Caller, Callers
from gateway.settings import load_settings


def admitted(*entries: str, title: str = "CT1", address: str = "10.20.0.12") -> bool:
    return Callers(map(Caller.parse, entries)).admits(title, address)


@pytest.mark.parametrize(
    "entry, address, is_admitted",
    [
        ("CT1", "192.0.2.1", True),
        ("CT1@10.20.0.12", "10.20.0.12", True),
        ("CT1@10.20.0.12", "10.20.0.13", False),
        ("CT1@10.20.0.0/24", "10.20.0.255", True),
        ("CT1@10.20.0.0/24", "10.20.1.0", False),
        ("CT1@2001:db8::/32", "2001:db8::1", True),
        ("CT1@10.20.0.0/24", "2001:db8::1", False),
        ("CT1@10.20.0.0/24", "::ffff:10.20.0.1", True),
        ("CT1@fe80::/10", "fe80::1%eth0", True),
        ("CT2", "10.20.0.12", False),
    ],
)
def test_a_title_is_good_from_its_addresses(entry: str, address: str, is_admitted: bool) -> None:
    assert admitted(entry, address=address) is is_admitted


def test_a_title_may_have_several_addresses() -> None:
    entries = ("CT1@10.20.0.12", "CT1@10.30.0.0/16")

    assert admitted(*entries, address="10.20.0.12")
    assert admitted(*entries, address="10.30.4.4")
    assert not admitted(*entries, address="10.40.0.1")


def test_an_address_binds_a_title_that_is_named_without_one_too() -> None:
    """So a PACS, which may associate under its title, is bound by a line of its own."""
    assert not admitted("CT1", "CT1@10.20.0.12", address="10.20.0.13")


def test_nobody_is_admitted_by_default() -> None:
    assert not admitted()


@pytest.mark.parametrize(
    "entry",
    ["", "@10.0.0.1", "CT1@", "CT1@10.0.0.300", "CT1@10.20.0.1/24", "CT 1", "A" * 17, "CT1@there"],
)
def test_what_is_no_caller_stops_the_start(entry: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEWAY_CALLING_AE_TITLES", f'["{entry}"]')

    with pytest.raises(ValueError, match="calling_ae_titles"):
        load_settings(None)
