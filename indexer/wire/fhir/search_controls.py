"""Parameters that each search has: whose, by which ids, which page; and how names are compared."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from indexer.contract.identifiers import Ins, Oid, Uid
from indexer.wire.entry_tests import plain
from indexer.wire.fhir.elements import read_uri_oid, read_uuid
from indexer.wire.fhir.search_values import Parameter, Parameters
from indexer.wire.outcome import IssueCode, Refusal
from indexer.wire.vocabulary import URI_SYSTEM, UUID_PREFIX

PAGE_ENTRIES: Final = 100
PAGE_ENTRIES_MAX: Final = 500

PATIENT: Final = "patient.identifier"
AFTER: Final = "_after"
CONTROLS: Final = frozenset({AFTER, "_count", "_format"})
_ALIASES: Final = {
    ("patient", "identifier"): (PATIENT, ""),
    ("related", "identifier"): ("related", ""),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectSearch:
    """What a search asks for, whatever its objects are: whose, those of ids, or a further page."""

    patient: Ins | None
    identifiers: tuple[str, ...] | None
    """Unique ids and ids of the index, of which an object must have one; None is any."""
    after: str | None
    page_max: int
    parameters: Parameters
    """Those that are heeded, which is all of them unless the caller wants it lenient."""


def read_parameter(told: tuple[str, str]) -> Parameter:
    """A parameter with its modifier apart."""
    name, _, modifier = told[0].partition(":")
    name, modifier = _ALIASES.get((name, modifier), (name, modifier))
    return Parameter(name, modifier, told[1])


def refuse_unknown(one: Parameter) -> Refusal:
    """The refusal of a parameter that is not searched by."""
    if one.name == "patient":
        what = f"leads to no resource here: use {PATIENT}"
        return one.refuse(what, IssueCode.NOT_SUPPORTED)
    # Unquoted beyond a limit and its alphabet: a caller may have sent anything as a name.
    shown = one.name if re.fullmatch(r"[A-Za-z._-]{1,40}", one.name) else "a parameter"
    return Refusal(f"{shown} is not searched by here", code=IssueCode.NOT_SUPPORTED)


def once(told: Iterable[Parameter], name: str) -> Parameter | None:
    """A parameter that may be told once, or the same again."""
    found = {one.value: one.plain() for one in told if one.name == name}
    if len(found) > 1:
        raise next(iter(found.values())).refuse("is given twice", IssueCode.NOT_SUPPORTED)
    return next(iter(found.values()), None)


def heeded(parameters: Parameters, told: Iterable[Parameter]) -> list[tuple[str, str]]:
    """The parameters that are heeded, as they were told."""
    known = {(one.name, one.value) for one in told}
    return [one for one in parameters if _named(one) in known]


def _named(parameter: tuple[str, str]) -> tuple[str, str]:
    one = read_parameter(parameter)
    return one.name, one.value


def next_page(parameters: Parameters, last_id: str) -> list[tuple[str, str]]:
    """The parameters of the page that follows one whose last match has this id."""
    kept = [one for one in parameters if _named(one)[0] not in (PATIENT, AFTER)]
    return [*kept, (AFTER, last_id)]


def read_patient(one: Parameter) -> Ins:
    """The patient of a token: authority and number."""
    [first, *more] = one.tokens()
    if more:
        raise one.refuse("must be one patient", IssueCode.NOT_SUPPORTED)

    def parse(system: str) -> Ins:
        return Ins(value=first.code or "", oid=Oid(read_uri_oid(system)))

    return one.parsed(first.system or "", parse)


def read_identifiers(told: Iterable[Parameter]) -> tuple[str, ...] | None:
    """Unique ids and ids of the index, one of which must be an object's; None is any."""
    asked = [_identifiers(one.plain()) for one in told if one.name == "identifier"]
    if not asked:
        return None
    return tuple(sorted(frozenset.intersection(*asked)))


def _identifiers(one: Parameter) -> frozenset[str]:
    found = set()
    for token in one.tokens():
        if token.system not in (None, URI_SYSTEM):
            continue  # an identifier of another kind is not kept, and so finds nothing
        code = token.code or ""
        read = read_uuid if code.startswith(UUID_PREFIX) else _read_unique_id
        found.add(one.parsed(code, read))
    return frozenset(found)


def _read_unique_id(text: str) -> str:
    return Uid(read_uri_oid(text))


def read_count(one: Parameter | None) -> int:
    """How many a page may have."""
    if one is None:
        return PAGE_ENTRIES
    if not re.fullmatch(r"[0-9]{1,9}", one.value) or int(one.value) == 0:
        raise one.refuse("is no number of entries", IssueCode.VALUE)
    return min(int(one.value), PAGE_ENTRIES_MAX)


def read_name_test(one: Parameter) -> Callable[[str], bool]:
    """What a name must be: to begin so, without case and accents, unless a modifier says other."""
    asked = one.texts()
    wanted = [plain(text) for text in asked]
    if one.modifier == "exact":
        return lambda name: name in asked
    if one.modifier == "contains":
        return lambda name: any(text in plain(name) for text in wanted)
    one.plain()
    return lambda name: plain(name).startswith(tuple(wanted))
