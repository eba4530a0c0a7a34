"""Each setting is documented, and each documented setting exists."""

import re
from importlib import import_module

import pytest
from pydantic_settings import BaseSettings

from tests.architecture.repository import ROOT
from tests.architecture.statement import tables, words

EVERY_SETTINGS = pytest.mark.parametrize(
    "settings",
    ["gateway.settings:Settings", "indexer.server.settings:IndexSettings"],
    indirect=True,
)


@pytest.fixture
def settings(request: pytest.FixtureRequest) -> type[BaseSettings]:
    module, _, name = request.param.partition(":")
    found: type[BaseSettings] = getattr(import_module(module), name)
    return found


@EVERY_SETTINGS
def test_every_setting_is_documented(settings: type[BaseSettings]) -> None:
    assert _fields(settings) - _documented(settings) == set()


@EVERY_SETTINGS
def test_every_documented_setting_exists(settings: type[BaseSettings]) -> None:
    assert _documented(settings) - _fields(settings) == set()


@EVERY_SETTINGS
def test_every_default_is_documented(settings: type[BaseSettings]) -> None:
    wrong = [
        f"{name}: {default}"
        for one in tables("operations.md")
        if one.columns[:2] == ("Setting", "Default")
        for name, default, _ in one.rows
        if name.startswith(f"`{_prefix(settings)}")
        and set(words(default)) != _default(settings, name.strip("`"))
    ]

    assert wrong == []


def _default(settings: type[BaseSettings], name: str) -> set[str]:
    """What stands for a default: its values, as they are set; nothing for none and empty."""
    field = settings.model_fields[name.removeprefix(_prefix(settings)).lower()]
    match field.get_default(call_default_factory=True):
        case None | "" | ():
            return set()
        case tuple() | frozenset() | dict() as several:
            return {str(one) for one in several}
        case bool() as answer:
            return {str(answer).lower()}
        case float() as number:
            return {f"{number:g}"}
        case value:
            return {str(value)}


def _prefix(settings: type[BaseSettings]) -> str:
    return settings.model_config["env_prefix"]


def _fields(settings: type[BaseSettings]) -> set[str]:
    return {_prefix(settings) + field.upper() for field in settings.model_fields}


def _documented(settings: type[BaseSettings]) -> set[str]:
    text = (ROOT / "docs" / "operations.md").read_text()
    return set(re.findall(rf"\b{_prefix(settings)}[A-Z0-9_]*[A-Z0-9]", text))
