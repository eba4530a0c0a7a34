from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.settings import check_open_access, load_settings


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Sets environment variables, without their prefix."""

    def given(**told: str) -> None:
        for name, value in told.items():
            monkeypatch.setenv(f"GATEWAY_{name}", value)

    return given


PACS = '[{"ae_title": "PACS", "host": "127.0.0.1", "port": 104}]'


def test_the_environment_is_read(given):
    given(HTTP_PORT="8081", PACS=PACS)

    settings = load_settings(None)

    assert settings.http_port == 8081
    assert [one.ae_title for one in settings.pacs] == ["PACS"]


def test_a_misspelt_name_stops_the_start(given):
    given(HTTP_PROT="8081")

    with pytest.raises(ValueError, match="GATEWAY_HTTP_PROT"):
        load_settings(None)


def test_a_file_is_read_and_the_environment_wins(given, tmp_path: Path):
    given(HTTP_PORT="2")
    file = tmp_path / "gateway.toml"
    file.write_text('http_port = 1\nae_title = "BOX"\n[[pacs]]\nae_title="P"\nhost="h"\nport=1\n')

    settings = load_settings(file)

    assert (settings.http_port, settings.ae_title) == (2, "BOX")
    assert settings.pacs[0].host == "h"


@pytest.mark.parametrize("url", ["postgresql://drim:secret@db/drim", "mysql://drim:secret@db"])
def test_the_databases_password_is_never_shown(given, url: str):
    given(DATABASE_URL=url)

    try:
        shown = repr(load_settings(None))
    except ValueError as refused:
        shown = str(refused)

    assert "database" in shown
    assert "secret" not in shown


def test_an_empty_database_is_none(given):
    given(DATABASE_URL="")

    assert not load_settings(None).database_url


@pytest.mark.parametrize(
    "name, value",
    [
        ("HTTP_PORT", "70000"),
        ("TIME_ZONE", "Paris"),
        ("AE_TITLE", "MORE THAN SIXTEEN CHARACTERS"),
        ("INDEX_URL", "127.0.0.1:8090"),
        ("PUBLIC_URL", "box.example"),
        ("DATABASE_URL", "mysql://drim:secret@db/drim"),
        ("HL7_SENDERS", '["ris.local"]'),
        ("LOCATION_UID", "not a uid"),
        ("STUDY_SETTLE_S", "-1"),
        ("INS_OIDS", '["1.2.250.1.213.1.4.10"]'),
        ("PACS", '[{"ae_title": "P", "host": "h", "port": 1, "mode": "x"}]'),
        ("PACS", f"[{PACS[1:-1]}, {PACS[1:-1]}]"),
    ],
)
def test_a_bad_value_stops_the_start(given, name: str, value: str):
    given(**{name: value})

    with pytest.raises(ValueError):  # noqa: PT011  pydantic's message is its own
        load_settings(None)


@pytest.mark.parametrize(
    "name, value, told",
    [
        ("HTTP_PORT", "secret", "http_port: Input should be a valid integer"),
        ("PACS", '[{"title": "secret"}]', "pacs.0.title: no such setting"),
        ("PACS", "secret", "GATEWAY_PACS: in the environment a list is JSON"),
        ("TIME_ZONE", "secret", "time_zone: no such time zone"),
    ],
)
def test_a_bad_value_is_told_by_its_name_and_not_quoted(given, name: str, value: str, told: str):
    given(**{name: value})

    with pytest.raises(ValueError) as refused:  # noqa: PT011  the whole message is looked at
        load_settings(None)

    message = str(refused.value)
    assert told in message
    assert "secret" not in message


def test_a_file_that_is_not_there_stops_the_start(tmp_path: Path):
    with pytest.raises(ValueError, match="no configuration file"):
        load_settings(tmp_path / "none.toml")


def test_a_file_that_is_no_toml_is_named(tmp_path: Path):
    file = tmp_path / "gateway.toml"
    file.write_text("pacs = [[[")

    with pytest.raises(ValueError, match=r"cannot read .*gateway\.toml"):
        load_settings(file)


@pytest.mark.parametrize("bind", ["0.0.0.0", "192.0.2.1", "::"])
def test_open_access_is_for_loopback(given, bind: str):
    given(BIND=bind)

    with pytest.raises(ValueError, match="loopback"):
        check_open_access(load_settings(None))


def test_the_location_is_the_same_at_every_start(given):
    given(PUBLIC_URL="https://box.example/")
    first, second = load_settings(None), load_settings(None)
    given(PUBLIC_URL="https://other.example/")
    other = load_settings(None)

    assert first.own_location_uid == second.own_location_uid != other.own_location_uid
    assert first.base_url == "https://box.example"


@pytest.mark.parametrize("told, fault", [
    ({"SIGNATURE_KEY": "key.pem"}, "set both"),
    ({"SIGNATURE_CERTIFICATE": "own.pem", "SIGNATURE_KEY": "key.pem"}, "set organisation_id"),
    ({"SIGNATURE_CERTIFICATE": "own.pem", "SIGNATURE_KEY": "key.pem", "FACILITY_CODE": "SA07",
      "ORGANISATION_ID": "1750000000"}, "software_approval"),
])  # fmt: skip
def test_who_signs_says_for_whom(given, told: dict[str, str], fault: str):
    given(**told)

    with pytest.raises(ValueError, match=fault):
        load_settings(None)
