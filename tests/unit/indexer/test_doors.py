"""Who is let in, and what is asked of signatures, as the settings say."""

import logging
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from indexer.server.access.assertions import Assertions
from indexer.server.access.checks import Checks
from indexer.server.access.policy import OpenAccess, RefuseAll
from indexer.server.doors import doors
from indexer.server.settings import IndexSettings
from tests.support.health_pki import organisations


@pytest.fixture
def checks() -> Iterator[Checks]:
    with closing(Checks()) as checks:
        yield checks


@pytest.fixture
def authorities(tmp_path: Path) -> Path:
    return organisations().write(tmp_path / "authorities.pem")


def test_with_nobody_to_trust_nobody_is_let_in(checks: Checks) -> None:
    policy, signatures = doors(IndexSettings(), checks, open_access=False)

    assert isinstance(policy, RefuseAll)
    assert signatures is None


def test_with_authorities_who_shows_an_assertion_is_let_in(
    checks: Checks, authorities: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    settings = IndexSettings(authorities=authorities, crl_dir=tmp_path)

    policy, signatures = doors(settings, checks, open_access=False)

    assert isinstance(policy, Assertions)
    assert signatures is not None
    assert caplog.messages == []


def test_with_open_access_signatures_are_looked_at_all_the_same(
    checks: Checks, authorities: Path
) -> None:
    settings = IndexSettings(authorities=authorities)

    policy, signatures = doors(settings, checks, open_access=True)

    assert isinstance(policy, OpenAccess)
    assert signatures is not None


def test_without_revocation_lists_it_warns(
    checks: Checks, authorities: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        doors(IndexSettings(authorities=authorities), checks, open_access=False)

    assert caplog.messages == ["revocation_not_asked"]


@pytest.mark.parametrize("content", [None, b"", b"no certificate"])
def test_a_file_of_authorities_that_is_none_stops_the_start(
    checks: Checks, tmp_path: Path, content: bytes | None
) -> None:
    file = tmp_path / "authorities.pem"
    if content is not None:
        file.write_bytes(content)

    with pytest.raises(ValueError, match="INDEX_AUTHORITIES"):
        doors(IndexSettings(authorities=file), checks, open_access=False)


def test_signatures_cannot_be_required_of_nobody(checks: Checks) -> None:
    with pytest.raises(ValueError, match="INDEX_AUTHORITIES"):
        doors(IndexSettings(signature_required=True), checks, open_access=True)
