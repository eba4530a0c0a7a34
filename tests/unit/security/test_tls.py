"""The files of the TLS listeners: what cannot be used is told by the setting's name."""

import json
from pathlib import Path

import pytest

from gateway.security.tls import server_context
from gateway.settings import load_settings
from tests.support.certificates import Authority, Certificate


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("tls")


@pytest.fixture(scope="module")
def authority(folder: Path) -> Authority:
    return Authority(folder, "centre")


@pytest.fixture(scope="module")
def own(authority: Authority) -> Certificate:
    return authority.certify("gateway")


def test_a_key_of_another_certificate_is_told(authority: Authority, own: Certificate) -> None:
    other = authority.certify("other")

    with pytest.raises(ValueError, match=f"GATEWAY_TLS_KEY {other.key}: key values"):
        server_context(certificate=own.certificate, key=other.key, ca=authority.ca)


def test_a_file_that_is_not_there_is_told(
    authority: Authority, own: Certificate, tmp_path: Path
) -> None:
    nothing = tmp_path / "nothing.pem"

    with pytest.raises(ValueError, match=f"GATEWAY_TLS_KEY: {nothing}: No such file"):
        server_context(certificate=own.certificate, key=nothing, ca=authority.ca)
    with pytest.raises(ValueError, match=f"GATEWAY_TLS_CA: {nothing}: No such file"):
        server_context(certificate=own.certificate, key=own.key, ca=nothing)


def test_a_file_of_something_else_is_told(
    authority: Authority, own: Certificate, tmp_path: Path
) -> None:
    text = tmp_path / "text.pem"
    text.write_text("no certificate")

    with pytest.raises(ValueError, match="GATEWAY_TLS_CERTIFICATE"):
        server_context(certificate=text, key=own.key, ca=authority.ca)
    with pytest.raises(ValueError, match="GATEWAY_TLS_CA"):
        server_context(certificate=own.certificate, key=own.key, ca=text)


def test_a_bad_file_stops_the_start(
    authority: Authority, own: Certificate, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("GATEWAY_TLS_CERTIFICATE", str(own.certificate))
    monkeypatch.setenv("GATEWAY_TLS_KEY", str(own.key))
    monkeypatch.setenv("GATEWAY_TLS_CA", str(tmp_path / "nothing.pem"))

    with pytest.raises(ValueError, match="GATEWAY_TLS_CA"):
        load_settings(None)


def test_tls_is_set_whole_or_not_at_all(own: Certificate, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEWAY_TLS_CERTIFICATE", str(own.certificate))

    with pytest.raises(ValueError, match="tls_certificate, tls_key and tls_ca"):
        load_settings(None)


@pytest.mark.parametrize("setting", ["GATEWAY_PACS", "GATEWAY_COMMITMENT_PEERS"])
def test_a_peer_by_tls_needs_a_certificate_of_ours(
    setting: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    peer = {"ae_title": "PEER", "host": "127.0.0.1", "port": 2762, "tls": True}
    monkeypatch.setenv(setting, json.dumps([peer]))

    with pytest.raises(ValueError, match="a peer that is reached by TLS"):
        load_settings(None)


def test_no_certificate_is_no_tls() -> None:
    assert load_settings(None).tls_context() is None
