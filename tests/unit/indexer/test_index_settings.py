"""What the index takes as its settings."""

from pathlib import Path

import pytest

from indexer.server.settings import load_settings


@pytest.fixture(autouse=True)
def no_settings_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("INDEX_HTTP_PORT", "INDEX_BIND", "INDEX_DATA_DIR", "INDEX_BODY_MIB_MAX"):
        monkeypatch.delenv(name, raising=False)


def test_without_settings_the_index_listens_on_loopback() -> None:
    settings = load_settings(None)

    assert (str(settings.bind), settings.http_port) == ("127.0.0.1", 8090)


def test_the_environment_wins_over_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "index.toml"
    file.write_text("http_port = 1\nbody_mib_max = 2\n")
    monkeypatch.setenv("INDEX_HTTP_PORT", "3")

    settings = load_settings(file)

    assert (settings.http_port, settings.body_mib_max) == (3, 2)


def test_an_unknown_name_in_the_environment_stops_the_start(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("INDEX_PORT", "1")

    with pytest.raises(ValueError, match="INDEX_PORT"):
        load_settings(None)


def test_an_unknown_name_in_the_file_stops_the_start(tmp_path: Path) -> None:
    file = tmp_path / "index.toml"
    file.write_text("port = 1\n")

    with pytest.raises(ValueError, match="port: no such setting"):
        load_settings(file)


@pytest.mark.parametrize("text", [None, "http_port = ", "\xff"])
def test_a_file_that_cannot_be_read_stops_the_start(tmp_path: Path, text: str | None) -> None:
    file = tmp_path / "index.toml"
    if text is not None:
        file.write_text(text, encoding="latin-1")

    with pytest.raises(ValueError, match=r"cannot read|there is no configuration file"):
        load_settings(file)


@pytest.mark.parametrize(
    "name, value", [("HTTP_PORT", "70000"), ("BIND", "*"), ("BODY_MIB_MAX", "0")]
)
def test_a_value_out_of_its_range_stops_the_start(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(f"INDEX_{name}", value)

    with pytest.raises(ValueError, match=name.lower()):
        load_settings(None)
