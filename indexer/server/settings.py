"""What the index is told at its start: `INDEX_…` in the environment, or a TOML file."""

import os
import tomllib
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

PREFIX = "INDEX_"


class SettingsRefused(Exception):
    """The index must not start with these settings; the message says what to do."""


class IndexSettings(BaseSettings):
    """Read at the start; a bad value stops the start, and so does an unknown name."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, extra="forbid", frozen=True, use_attribute_docstrings=True
    )

    http_port: int = Field(default=8090, ge=0, le=65535)
    """Port for FHIR, XDS.b and probes; 0 takes a free one, which the event `listening` names."""

    bind: IPv4Address | IPv6Address = ip_address("127.0.0.1")
    """Address to listen at; with open access only a loopback address is taken."""

    data_dir: Path = Path("index-data")
    """Folder of the database; it is made if it is not there."""

    # A value of SQLite ends at 10^9 bytes, and a batch of documents is one.
    body_mib_max: int = Field(default=64, ge=1, le=900)
    """MiB that the body of a submission may have; base64 makes a document larger by a third.

    An answer to ITI-43 holds no more documents than this, unless it is one alone."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment first, then what `load_settings` read from the file."""
        return env_settings, init_settings


def load_settings(config: Path | None) -> IndexSettings:
    """The settings of the environment and, below them, of a TOML file.

    Raises:
        SettingsRefused: the file cannot be read, or the environment has an unknown `INDEX_` name.
        ValidationError: a value is wrong, or the file has an unknown name.
    """
    known = {PREFIX + name.upper() for name in IndexSettings.model_fields}
    unknown = sorted(name for name in os.environ if name.startswith(PREFIX) and name not in known)
    if unknown:
        raise SettingsRefused(f"no such setting: {', '.join(unknown)} (see docs/operations.md)")
    if config is None:
        return IndexSettings()
    try:
        with config.open("rb") as file:
            told = tomllib.load(file)
    except (OSError, ValueError) as error:
        raise SettingsRefused(f"cannot read {config}: {error}") from error
    return IndexSettings(**told)
