"""Each setting is documented, and each documented setting exists."""

import re
from importlib import import_module

import pytest
from pydantic_settings import BaseSettings

from tests.architecture.repository import ROOT

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


def _prefix(settings: type[BaseSettings]) -> str:
    return settings.model_config["env_prefix"]


def _fields(settings: type[BaseSettings]) -> set[str]:
    return {_prefix(settings) + field.upper() for field in settings.model_fields}


def _documented(settings: type[BaseSettings]) -> set[str]:
    text = (ROOT / "docs" / "operations.md").read_text()
    return set(re.findall(rf"\b{_prefix(settings)}[A-Z0-9_]*[A-Z0-9]", text))
