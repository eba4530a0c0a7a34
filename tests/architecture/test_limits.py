"""Each limit that a peer can meet is stated with its value, and is so in the code."""

import dataclasses
import inspect
import re
from collections.abc import Iterator
from importlib import import_module
from types import ModuleType

import pytest
from pydantic import BaseModel
from pydantic_settings import BaseSettings

from gateway.settings import PREFIX, Settings
from indexer.server.settings import IndexSettings
from tests.architecture.repository import files, name
from tests.architecture.statement import tables, words

DOORS = (
    "gateway/catalogue/listing.py",
    "gateway/connections.py",
    "gateway/dicomweb",
    "gateway/dimse",
    "gateway/hl7",
    "gateway/intake",
    "gateway/manifest",
    "gateway/media",
    "gateway/security",
    "gateway/serving.py",
    "indexer/client",
    "indexer/framing",
    "indexer/server",
    "indexer/wire",
)
"""Where peers and files are met; limits on what a gateway does by itself are no peer's concern."""

OF_THE_FORMAT = {
    "gateway.dimse.move_mediator.MESSAGE_ID_MAX": "two bytes, PS3.7 §9.3.4",
    "gateway.manifest.centre.AE_TITLE_LENGTH_MAX": "AE, PS3.5 §6.2",
    "gateway.manifest.values.SHORT_LENGTH_MAX": "SH, PS3.5 §6.2",
    "gateway.manifest.values.LONG_LENGTH_MAX": "LO, PS3.5 §6.2",
    "indexer.wire.fhir.elements.UNSIGNED_MAX": "unsignedInt, FHIR R4 §datatypes",
}
"""Set by a standard, so that nobody meets them here alone."""

OF_OUR_OWN = {
    "gateway.connections.BACKLOG_MAX",
    "gateway.dimse.move_mediator.HEADER_BYTES_MAX",
    "gateway.intake.procedure_steps.FORGOTTEN_AT_ONCE_MAX",
    "gateway.serving.BACKLOG_MAX",
    "indexer.server.batches.BATCH_BYTES_MAX",
    "indexer.server.batches.BATCH_MAX",
    "indexer.server.access.checks.AT_ONCE_MAX",
    "indexer.server.journal.deed.ENTRIES_MAX",
    "indexer.server.access.trust.PATHS_MAX",
    "indexer.wire.fhir.known.JSON_BYTES_MAX",
    "indexer.wire.fhir.known.KEPT_MAX",
}
"""How much is done at once, or looked at; nobody is refused for it."""

UNITS = {
    "B": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30,
    "s": 1, "min": 60, "h": 3600, "days": 86400,
}  # fmt: skip
STATED = re.compile(r"([\d,.]+)(?: (B|KiB|MiB|GiB|s|min|h|days))?")
CEILING = re.compile(r"[A-Z][A-Z0-9_]*_MAX")
SETTINGS: dict[str, type[BaseSettings]] = {PREFIX: Settings, "INDEX_": IndexSettings}


def stated() -> list[tuple[str, str]]:
    """Values with their place in the code."""
    return [
        (value, place)
        for one in tables()
        if one.columns[1:] == ("Value", "In the code")
        for _, value, places in one.rows
        for place in words(places)
    ]


@pytest.mark.parametrize("value, place", stated(), ids=[place for _, place in stated()])
def test_a_stated_limit_is_the_one_in_the_code(value: str, place: str) -> None:
    found = STATED.fullmatch(value)

    assert found is not None, f"{value!r} is no number with a unit"
    number = float(found[1].replace(",", ""))
    assert number * UNITS.get(found[2] or "", 1) == in_base_units(place)
    assert (found[2] or "") in units_of(place)


def test_every_limit_of_a_door_is_stated() -> None:
    known = {full_name(place) for _, place in stated()} | {*OF_THE_FORMAT} | OF_OUR_OWN

    assert [place for place in ceilings() if place not in known] == []


def test_what_is_left_out_is_a_limit_of_a_door() -> None:
    assert ({*OF_THE_FORMAT} | OF_OUR_OWN) - {*ceilings()} == set()


def full_name(place: str) -> str:
    if place.startswith(tuple(SETTINGS)):
        return place
    return place if place.startswith("indexer.") else f"gateway.{place}"


def in_base_units(place: str) -> float:
    """What the code has there: seconds, bytes, or a count."""
    value = float(the_value(place))
    if "mib" in place.lower():
        return value * 2**20
    return value / 1000 if place.lower().endswith("_ms") else value


def units_of(place: str) -> set[str]:
    """Which units a limit of this name may be stated in."""
    last = place.rpartition(".")[2].lower()
    if re.search(r"_m?s(_max)?$", last):
        return {"s", "min", "h", "days"}
    if "bytes" in last or "mib" in last:
        return {"B", "KiB", "MiB", "GiB"}
    return {""}


def the_value(place: str) -> float:
    for prefix, settings in SETTINGS.items():
        if place.startswith(prefix):
            return float(settings.model_fields[place.removeprefix(prefix).lower()].default)
    module, [first, *rest] = as_module(full_name(place).split("."))
    value: object = getattr(module, first)
    for part in rest:
        value = field_of(value, part)
    assert isinstance(value, int | float)
    return value


def field_of(owner: object, field: str) -> object:
    """A field of an object, or its default where the class is named."""
    if isinstance(owner, type) and issubclass(owner, BaseModel):
        return owner.model_fields[field].default
    if isinstance(owner, type):
        return owner.__dataclass_fields__[field].default  # type: ignore[attr-defined]
    return getattr(owner, field)


def as_module(path: list[str]) -> tuple[ModuleType, list[str]]:
    """The module that a dotted name begins with, and what follows."""
    for length in range(len(path) - 1, 0, -1):
        try:
            return import_module(".".join(path[:length])), path[length:]
        except ModuleNotFoundError:
            continue
    raise AssertionError(f"no module has {'.'.join(path)}")


def ceilings() -> Iterator[str]:
    """Constants called …_MAX and fields of classes of limits, by their full names."""
    for path in files(".py", under=("gateway", "indexer")):
        if not name(path).startswith(DOORS) or path.stem in ("__init__", "__main__"):
            continue
        module = import_module(name(path).removesuffix(".py").replace("/", "."))
        source = path.read_text()
        for found, value in vars(module).items():
            if CEILING.fullmatch(found) and re.search(rf"^{found}\b[^\n]*=", source, re.MULTILINE):
                yield f"{module.__name__}.{found}"
            elif inspect.isclass(value) and value.__module__ == module.__name__:
                yield from fields_of_limits(value)


def fields_of_limits(kind: type) -> Iterator[str]:
    if not kind.__name__.endswith(("Limits", "Timeouts")) or not dataclasses.is_dataclass(kind):
        return
    for field in dataclasses.fields(kind):
        if field.default is not dataclasses.MISSING:
            yield f"{kind.__module__}.{kind.__name__}.{field.name}"
