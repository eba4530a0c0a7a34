"""Rows of the catalogue as operators read them."""

from collections.abc import Mapping
from dataclasses import asdict

from gateway.clock import at
from gateway.model.act import ActKind
from gateway.publication.explanations import EXPLANATIONS, REASONS
from gateway.storage.database import Param, Row


def timed(row: Row) -> dict[str, Param]:
    """The row with its times as ISO 8601 in UTC: a column `since_ms` becomes `since`."""
    told: dict[str, Param] = {}
    for name, value in row.items():
        if not name.endswith("_ms"):
            told[name] = value
        else:
            moment = at(value).isoformat() if isinstance(value, int) else None
            told[name.removesuffix("_ms")] = moment
    return told


def standing(row: Row) -> dict[str, object]:
    """Where a study stands, and why in words; without a `why` where its state says all."""
    why = REASONS.get(str(row["code"]))
    return timed(row) | {"why": None if why is None else asdict(why)}


def explained(row: Mapping[str, Param]) -> dict[str, object]:
    """A row of the set-aside list with why it waits, what to do and what can be done here."""
    explanation = EXPLANATIONS.get(str(row["code"]))
    if explanation is None:
        return dict(row)
    told = asdict(explanation) | {"actions": [address_of(one) for one in explanation.actions]}
    return dict(row) | told


def address_of(act: ActKind) -> str:
    """The last part of the address at which the act is done."""
    return act.replace("_", "-")
