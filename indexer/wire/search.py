"""Find Document References (ITI-67): parameters and the searchset that answers them.

A search names its patient in a form body (`POST DocumentReference/_search`), so that no national
identity is part of an address. Links to further pages hold none either: `_after` names the last
entry of the page before, and with it the patient.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from indexer.contract.document import DocumentQuery, EntryStatus, ReferenceKind
from indexer.contract.errors import InvalidValue
from indexer.contract.identifiers import Ins, Oid, Uid
from indexer.wire.elements import Element, read_uri_oid, read_uuid
from indexer.wire.outcome import IssueCode, Json, Refusal
from indexer.wire.vocabulary import OID_PREFIX, URI_SYSTEM

T = TypeVar("T")

PAGE_ENTRIES = 100
PAGE_ENTRIES_MAX = 500

PATIENT = "patient.identifier"
AFTER = "_after"
REFERENCES = {
    "study-instance-uid": ReferenceKind.STUDY,
    "accession-number": ReferenceKind.ACCESSION,
}
"""Search parameters of MADO, on context.related."""

Parameters = Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class EntrySearch:
    """What an index is asked for: a patient's entries, the one by an id, or a further page."""

    patient: Ins | None
    unique_id: Uid | None
    after: str | None
    statuses: frozenset[EntryStatus]
    type_code: str | None
    type_scheme: str | None
    reference: tuple[ReferenceKind, str] | None
    entries_max: int


def search_parameters(query: DocumentQuery) -> list[tuple[str, str]]:
    """The parameters that ask for a patient's entries."""
    parameters = [
        (PATIENT, f"{OID_PREFIX}{query.patient.oid}|{query.patient.value}"),
        ("status", _write_statuses(query.statuses)),
    ]
    if query.type_code is not None:
        parameters.append(("type", _escape(query.type_code.code)))
    if query.study is not None:
        parameters.append(("study-instance-uid", query.study))
    return parameters


def unique_id_parameters(unique_id: Uid) -> list[tuple[str, str]]:
    """The parameters that ask for the document with this unique id, whatever its status.

    Every status is named: unless it is asked for, a withdrawn entry is not found.
    """
    return [
        ("identifier", f"{URI_SYSTEM}|{OID_PREFIX}{unique_id}"),
        ("status", _write_statuses(EntryStatus)),
    ]


def _write_statuses(statuses: Iterable[EntryStatus]) -> str:
    return ",".join(sorted(status.value for status in statuses))


def read_search(parameters: Parameters) -> EntrySearch:
    """The search that parameters ask for.

    A parameter that is not known here is refused rather than ignored (R4 §3.1.1.3 allows both):
    a caller whose filter was dropped would read the answer as something that it is not.

    Raises:
        Refusal: a parameter is unknown, repeated, malformed or absent.
    """
    told = _once_each(parameters)
    if not told.keys() & {PATIENT, "identifier", AFTER}:
        raise _refused(PATIENT, "is missing", IssueCode.REQUIRED)
    if "identifier" not in told and "status" not in told:
        raise _refused("status", "is missing", IssueCode.REQUIRED)
    if "identifier" in told and (others := sorted(told.keys() & _NOT_WITH_IDENTIFIER)):
        raise _refused(others[0], "does not go with identifier", IssueCode.NOT_SUPPORTED)
    type_scheme, type_code = _token(told, "type")
    return EntrySearch(
        patient=_read_patient(told) if PATIENT in told else None,
        unique_id=_read_unique_id(told) if "identifier" in told else None,
        after=_parsed(AFTER, told[AFTER], read_uuid) if AFTER in told else None,
        statuses=_read_statuses(told),
        type_code=type_code,
        type_scheme=None if type_scheme is None else type_scheme.removeprefix(OID_PREFIX),
        reference=_read_reference(told),
        entries_max=_read_count(told),
    )


def read_condition(parameters: Parameters) -> Uid:
    """The unique id by which a conditional request names its document (FHIR R4, conditional patch).

    Raises:
        Refusal: it is missing or malformed, or something else is told beside it.
    """
    told = _once_each(parameters)
    if told.keys() != {"identifier"}:
        raise _refused("identifier", "must be the one condition", IssueCode.REQUIRED)
    return _read_unique_id(told)


def next_page(parameters: Parameters, last_entry_id: str) -> list[tuple[str, str]]:
    """The parameters of the page that follows one which ends with this entry."""
    kept = [(name, value) for name, value in parameters if name not in (PATIENT, AFTER)]
    return [*kept, (AFTER, last_entry_id)]


def searchset(resources: Iterable[tuple[str, object]], *, self_url: str, next_url: str) -> Json:
    """The answer to a search.

    Args:
        resources: the address and the resource of each match, in their order.
        self_url: what was asked.
        next_url: where the next page is, empty if this is the last.
    """
    links = [{"relation": "self", "url": self_url}]
    if next_url:
        links.append({"relation": "next", "url": next_url})
    entries = [
        {"fullUrl": url, "resource": resource, "search": {"mode": "match"}}
        for url, resource in resources
    ]
    bundle: Json = {"resourceType": "Bundle", "type": "searchset", "link": links}
    if entries:  # FHIR has no empty lists
        bundle["entry"] = entries
    return bundle


def read_searchset(resource: object) -> tuple[list[Element], str | None]:
    """The DocumentReferences of a page, unread, and the address of the next page if there is one.

    Raises:
        Refusal: this is no searchset.
    """
    bundle = Element(resource, "Bundle")
    bundle.expect("resourceType", "Bundle")
    bundle.expect("type", "searchset")
    found = [entry.child("resource") for entry in bundle.children("entry")]
    following = [
        link.text("url") for link in bundle.children("link") if link.text("relation") == "next"
    ]
    matches = [one for one in found if one.text("resourceType") == "DocumentReference"]
    return matches, following[0] if following else None


_KNOWN = frozenset({PATIENT, "identifier", "status", "type", "_count", AFTER, *REFERENCES})
_NOT_WITH_IDENTIFIER = frozenset({"type", AFTER, *REFERENCES})


def _once_each(parameters: Parameters) -> dict[str, str]:
    told: dict[str, str] = {}
    for name, value in parameters:
        if name not in _KNOWN:
            # Unquoted beyond a limit and its alphabet: a caller may have sent anything as a name.
            shown = name if re.fullmatch(r"[A-Za-z:._-]{1,40}", name) else "a parameter"
            raise Refusal(f"{shown} is not searched by here", code=IssueCode.NOT_SUPPORTED)
        if name in told:
            raise _refused(name, "is given twice", IssueCode.NOT_SUPPORTED)
        told[name] = value
    return told


def _refused(name: str, what: str, code: IssueCode) -> Refusal:
    return Refusal(f"{name} {what}", code=code)


def _parsed(name: str, text: str, parse: Callable[[str], T]) -> T:
    try:
        return parse(text)
    except InvalidValue as error:
        raise _refused(name, f"is refused: {error}", IssueCode.VALUE) from error


def _token(told: dict[str, str], name: str) -> tuple[str | None, str | None]:
    """System and code of a token parameter (R4 §3.1.1.4.10); None is any."""
    if name not in told:
        return None, None
    value = told[name]
    if len(re.split(r"(?<!\\),", value)) > 1:
        raise _refused(name, "must be a single value", IssueCode.NOT_SUPPORTED)
    *system, code = re.split(r"(?<!\\)\|", value)
    if len(system) > 1 or not code:
        raise _refused(name, "is no token", IssueCode.VALUE)
    return _unescape(system[0]) if system else None, _unescape(code)


def _escape(text: str) -> str:
    return re.sub(r"([\\$,|])", r"\\\1", text)


def _unescape(text: str) -> str:
    return re.sub(r"\\([\\$,|])", r"\1", text)


def _read_patient(told: dict[str, str]) -> Ins:
    system, value = _token(told, PATIENT)

    def parse(system: str) -> Ins:
        return Ins(value=value or "", oid=Oid(read_uri_oid(system)))

    return _parsed(PATIENT, system or "", parse)


def _read_unique_id(told: dict[str, str]) -> Uid:
    system, value = _token(told, "identifier")
    if system not in (None, URI_SYSTEM):
        raise _refused("identifier", "is searched by unique id", IssueCode.NOT_SUPPORTED)
    return _parsed("identifier", value or "", lambda text: Uid(read_uri_oid(text)))


def _read_statuses(told: dict[str, str]) -> frozenset[EntryStatus]:
    if "status" not in told:
        return frozenset({EntryStatus.APPROVED, EntryStatus.DEPRECATED})
    codes = [token.rpartition("|")[2] for token in told["status"].split(",")]
    try:
        return frozenset(EntryStatus(code) for code in codes)
    except ValueError as error:
        raise _refused("status", "is no status of an entry", IssueCode.VALUE) from error


def _read_reference(told: dict[str, str]) -> tuple[ReferenceKind, str] | None:
    asked = [name for name in REFERENCES if name in told]
    if not asked:
        return None
    if len(asked) > 1:
        raise _refused(asked[1], f"does not go with {asked[0]}", IssueCode.NOT_SUPPORTED)
    _, value = _token(told, asked[0])
    # The Study Instance UID is written as a URI in MADO's own example, and bare in PDSm.
    return REFERENCES[asked[0]], (value or "").removeprefix(OID_PREFIX)


def _read_count(told: dict[str, str]) -> int:
    text = told.get("_count", str(PAGE_ENTRIES))
    if not re.fullmatch(r"[0-9]{1,9}", text) or int(text) == 0:
        raise _refused("_count", "is no number of entries", IssueCode.VALUE)
    return min(int(text), PAGE_ENTRIES_MAX)
