"""A certificate that was revoked, or of which nobody knows, is trusted no more."""

import os
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from indexer.server.access.revocations import LIST_BYTES_MAX, RevocationLists, Untrusted
from tests.support.health_pki import NOW, ORGANISATIONS, a_subject, an_authority, organisations

AUTHORITY = organisations()
CERTIFICATE = AUTHORITY.certify(a_subject())
ANOTHER = AUTHORITY.certify(a_subject("1750803447"))


@pytest.fixture
def lists(tmp_path: Path) -> RevocationLists:
    return RevocationLists(tmp_path, overdue_s=60)


def write(folder: Path, data: bytes, *, name: str = "organisations.crl", second: int = 0) -> None:
    file = folder / name
    file.write_bytes(data)
    os.utime(file, (1_000_000_000 + second,) * 2)


def why_refused(lists: RevocationLists, *, after_s: float = 0) -> str:
    """The reason for which the certificate is refused; empty where it is not."""
    try:
        lists.check(CERTIFICATE, AUTHORITY.certificate, at=NOW + timedelta(seconds=after_s))
    except Untrusted as refused:
        return str(refused)
    return ""


def test_who_is_on_no_list_is_trusted(tmp_path: Path, lists: RevocationLists) -> None:
    write(tmp_path, AUTHORITY.revoke(ANOTHER))

    assert why_refused(lists) == ""


def test_who_was_revoked_is_refused(tmp_path: Path, lists: RevocationLists) -> None:
    write(tmp_path, AUTHORITY.revoke(ANOTHER, CERTIFICATE))

    assert why_refused(lists) == "its certificate was revoked"


def test_a_list_may_be_text(tmp_path: Path, lists: RevocationLists) -> None:
    revoked = x509.load_der_x509_crl(AUTHORITY.revoke(CERTIFICATE))
    write(tmp_path, revoked.public_bytes(Encoding.PEM))

    assert why_refused(lists) == "its certificate was revoked"


def test_a_list_that_was_changed_is_read_again(tmp_path: Path, lists: RevocationLists) -> None:
    write(tmp_path, AUTHORITY.revoke())
    before = why_refused(lists)

    write(tmp_path, AUTHORITY.revoke(CERTIFICATE), second=1)

    assert (before, why_refused(lists)) == ("", "its certificate was revoked")


@pytest.mark.parametrize("after_s, reason", [
    (86400 + 60, ""), (86400 + 61, "the list of what its authority revoked is out of date"),
])  # fmt: skip
def test_a_list_is_believed_for_a_while_after_its_next_was_due(
    tmp_path: Path, lists: RevocationLists, after_s: float, reason: str
) -> None:
    write(tmp_path, AUTHORITY.revoke(until=NOW + timedelta(days=1)))

    assert why_refused(lists, after_s=after_s) == reason


UNKNOWN = "there is no list of what its authority revoked"


def test_without_a_list_nobody_is_trusted(tmp_path: Path, lists: RevocationLists) -> None:
    assert why_refused(lists) == UNKNOWN
    assert why_refused(RevocationLists(tmp_path / "nowhere", overdue_s=0)) == UNKNOWN


def test_a_list_that_another_signed_in_the_authoritys_name_is_none(
    tmp_path: Path, lists: RevocationLists
) -> None:
    write(tmp_path, an_authority(ORGANISATIONS, key=4).revoke())

    assert why_refused(lists) == UNKNOWN


def a_point(**told: bool) -> x509.IssuingDistributionPoint:
    parts = ("only_contains_user_certs", "only_contains_ca_certs", "indirect_crl",
             "only_contains_attribute_certs")  # fmt: skip
    return x509.IssuingDistributionPoint(
        full_name=None if told else [x509.UniformResourceIdentifier("http://127.0.0.1/a.crl")],
        relative_name=None,
        only_some_reasons=None,
        **{**dict.fromkeys(parts, False), **told},
    )


@pytest.mark.parametrize("extensions, reason", [
    ([a_point()], ""),
    ([a_point(only_contains_user_certs=True)], ""),
    ([a_point(only_contains_ca_certs=True)], UNKNOWN),
    ([a_point(indirect_crl=True)], UNKNOWN),
    ([x509.DeltaCRLIndicator(1)], UNKNOWN),
])  # fmt: skip
def test_a_list_of_a_part_is_no_list(
    tmp_path: Path,
    lists: RevocationLists,
    extensions: Sequence[x509.ExtensionType],
    reason: str,
) -> None:
    write(tmp_path, AUTHORITY.revoke(extensions=extensions))

    assert why_refused(lists) == reason


@pytest.mark.parametrize("data", [b"", b"no list", b"-----BEGIN X509 CRL-----"])
def test_a_file_that_is_none_is_passed_over(
    tmp_path: Path, lists: RevocationLists, data: bytes
) -> None:
    write(tmp_path, AUTHORITY.revoke())
    write(tmp_path, data, name="a.crl")

    assert why_refused(lists) == ""


def test_a_file_that_is_too_long_is_not_read(tmp_path: Path, lists: RevocationLists) -> None:
    with (tmp_path / "a.crl").open("wb") as file:
        file.truncate(LIST_BYTES_MAX + 1)

    assert why_refused(lists) == UNKNOWN


def test_of_two_lists_the_newer_says_what_is_due(tmp_path: Path, lists: RevocationLists) -> None:
    write(tmp_path, AUTHORITY.revoke(at=NOW - timedelta(days=3), until=NOW - timedelta(days=2)))
    write(tmp_path, AUTHORITY.revoke(CERTIFICATE), name="newer.crl")

    assert why_refused(lists) == "its certificate was revoked"
