"""How a program is told its settings: by its environment, and below that by a TOML file.

Both programs are told so. A bad value or an unknown name stops the start.
"""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Final, TypeVar

from pydantic import AfterValidator, SecretStr, ValidationError
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsError,
    TomlConfigSettingsSource,
)

_QUOTED: Final = re.compile(r'"(\w+)"')


def _of_postgresql(url: SecretStr) -> SecretStr:
    if url and not url.get_secret_value().startswith(("postgresql://", "postgres://")):
        raise ValueError("not an address of PostgreSQL: postgresql://role@host/database")
    return url


PostgresqlUrl = Annotated[SecretStr, AfterValidator(_of_postgresql)]
"""Of a PostgreSQL database, with its password; empty for none."""


class ProgramSettings(BaseSettings):
    """The settings of a program, whose `env_prefix` names it in the environment."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """What is passed in (the TOML file) gives way to the environment."""
        return env_settings, init_settings


S = TypeVar("S", bound=ProgramSettings)


def load(of: type[S], config: Path | None) -> S:
    """The settings of the file and the environment.

    Raises:
        ValueError: a value is bad, the file cannot be read, or a name is no setting (of the
            environment pydantic lets a misspelt one pass). The message quotes no value.
    """
    known = {_prefix(of) + name.upper() for name in of.model_fields}
    unknown = [name for name in _told_by_environment(of) if name not in known]
    if unknown:
        raise ValueError(f"no such setting: {', '.join(unknown)} (see docs/operations.md)")
    told = _read_toml(of, config)
    try:
        return of(**told)
    except ValidationError as error:
        raise ValueError("; ".join(_faults(error))) from None
    except SettingsError as error:
        # The library names the field within a sentence of its own.
        field = _QUOTED.search(str(error))
        name = _prefix(of) + (field[1].upper() if field else "…")
        fault = f"{name}: in the environment a list is JSON (see docs/operations.md)"
        raise ValueError(fault) from None


def sources(of: type[ProgramSettings], config: Path | None) -> str:
    """Where settings are read from, by their names and not their values."""
    names = _told_by_environment(of)
    environment = f"of the environment {', '.join(names)}" if names else ""
    if config is not None:
        return f"{config}, and {environment}" if names else str(config)
    nothing = f"none is set here: no {_prefix(of)}… in the environment, and no --config"
    return environment or nothing


def _prefix(of: type[ProgramSettings]) -> str:
    return of.model_config["env_prefix"]


def _told_by_environment(of: type[ProgramSettings]) -> list[str]:
    return sorted(name for name in os.environ if name.upper().startswith(_prefix(of)))


def _faults(refused: ValidationError) -> Iterator[str]:
    for error in refused.errors(include_input=False, include_url=False):
        name = ".".join(map(str, error["loc"])) or "settings"
        unknown = error["type"] == "extra_forbidden"
        fault = "no such setting" if unknown else error["msg"].removeprefix("Value error, ")
        yield f"{name}: {fault}"


def _read_toml(of: type[ProgramSettings], config: Path | None) -> dict[str, Any]:
    if config is None:
        return {}
    if not config.is_file():
        raise ValueError(f"there is no configuration file {config}")
    try:
        return TomlConfigSettingsSource(of, toml_file=config)()
    except (OSError, ValueError) as error:
        raise ValueError(f"cannot read {config}: {error}") from None
