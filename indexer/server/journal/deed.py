"""What somebody did on a record, or tried to: what a line of the journal tells."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import orjson

from indexer.contract.access import Caller, CallerKind, Purpose
from indexer.server.acts import Act, Exchange
from indexer.wire.outcome import Json

DONE: Final = "done"
"""The outcome of what was not refused."""
ENTRIES_MAX: Final = 256
"""Documents that one line names; what found more tells how many they were."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deed:
    """One act of somebody on one record."""

    patient_key: str
    act: Act
    exchange: Exchange | None = None
    """None where no transaction of IHE was used."""
    caller: Caller | None = None
    """None where nobody had to say who they are."""
    outcome: str = DONE
    """`done`, or the code of a refusal."""
    entries: tuple[str, ...] = ()
    """Ids of the documents that it was about."""
    set_id: str = ""
    found: int | None = None
    """How many documents a search found."""
    query: str = ""
    """Which search it was; what it asked for is not kept."""


def naming(deed: Deed, entries: Sequence[str]) -> list[Deed]:
    """The deed in as many lines as it takes to name all of these documents."""
    starts = range(0, len(entries), ENTRIES_MAX)
    return [replace(deed, entries=tuple(entries[at : at + ENTRIES_MAX])) for at in starts]


def written(deed: Deed) -> bytes:
    """The deed as it is kept: JSON with its names in order, and nothing that is empty."""
    told: Json = {
        "act": deed.act,
        "entries": list(deed.entries[:ENTRIES_MAX]),
        "exchange": deed.exchange,
        "found": deed.found,
        "outcome": deed.outcome,
        "query": deed.query,
        "set": deed.set_id,
        "who": _who(deed.caller) if deed.caller else None,
    }
    return orjson.dumps(_told(told), option=orjson.OPT_SORT_KEYS)


def _who(caller: Caller) -> Json:
    """The bearer in the words of their assertion; the patient's own name is not repeated."""
    person, role = caller.person, caller.role
    named = caller.kind in (CallerKind.PROFESSIONAL, CallerKind.SYSTEM)
    told: Json = {
        "kind": caller.kind,
        "number": person.number,
        "name": f"{person.given} {person.family}".strip() if named else "",
        "structure": caller.organisation.number,
        "structure_name": caller.organisation.name,
        "role": {"code": role.code, "scheme": role.scheme, "display": role.display} if role else {},
        "purpose": caller.purpose if caller.purpose is not Purpose.NORMAL else "",
        "reason": caller.reason,
        "authentication": caller.authentication,
        "secret": caller.secret or None,
    }
    return _told(told)


def _told(told: Json) -> Json:
    return {name: value for name, value in told.items() if value not in ("", None, [], {})}
