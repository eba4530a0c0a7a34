"""Tells lines of a journal as FHIR AuditEvents, in the shapes of IHE BALP and of MHD's audits.

As the audits of ITI-65 to ITI-68 have it, an event has its type, what was done with which
transaction, who took part (who asked, the index, and the person), and what it was about.
"""

import base64
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final, NamedTuple

import orjson

from indexer.contract.access import CallerKind, Purpose
from indexer.contract.document import Identifier
from indexer.contract.identifiers import Ins
from indexer.server.acts import Act, Exchange
from indexer.server.journal.chain import Line
from indexer.server.journal.deed import DONE
from indexer.wire.fhir.elements import compact, identifier
from indexer.wire.outcome import Json
from indexer.wire.proof.vocabulary import PURPOSES
from indexer.wire.vocabulary import DCM, OID_PREFIX, ORGANISATIONS, PROFESSIONALS

_EVENT_TYPES: Final = "http://terminology.hl7.org/CodeSystem/audit-event-type"
_ENTITY_TYPES: Final = "http://terminology.hl7.org/CodeSystem/audit-entity-type"
_ROLES: Final = "http://terminology.hl7.org/CodeSystem/object-role"
_PARTICIPATION: Final = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType"
_INTERACTIONS: Final = "http://hl7.org/fhir/restful-interaction"
_TRANSACTIONS: Final = "urn:ihe:event-type-code"

_SOURCE: Final = {"system": DCM, "code": "110153", "display": "Source Role ID"}
_DESTINATION: Final = {"system": DCM, "code": "110152", "display": "Destination Role ID"}
_USER: Final = {"system": _PARTICIPATION, "code": "IRCP", "display": "information recipient"}
_INDEX: Final = {"display": "drim-index"}
_NOBODY: Final = {"display": "nobody was asked who they are"}


class _Kind(NamedTuple):
    type: Json
    action: str
    interaction: str = ""
    gives: bool = False
    """The index is where it comes from, not where it goes."""


_REST: Final = {"system": _EVENT_TYPES, "code": "rest", "display": "RESTful Operation"}
_QUERY: Final = {"system": DCM, "code": "110112", "display": "Query"}
_IMPORT: Final = {"system": DCM, "code": "110107", "display": "Import"}
_EXPORT: Final = {"system": DCM, "code": "110106", "display": "Export"}

_EXCHANGES: Final = {
    Exchange.QUERY: _Kind(_QUERY, "E"),
    Exchange.MEDIA: _Kind(_IMPORT, "C"),
    Exchange.PROVIDE: _Kind(_IMPORT, "C"),
    Exchange.RETRIEVE: _Kind(_EXPORT, "R", gives=True),
    Exchange.UPDATE: _Kind(_IMPORT, "U"),
    Exchange.PROVIDE_BUNDLE: _Kind(_IMPORT, "C"),
    Exchange.FIND_LISTS: _Kind(_REST, "E", "search"),
    Exchange.FIND_REFERENCES: _Kind(_REST, "E", "search"),
    Exchange.RETRIEVE_DOCUMENT: _Kind(_REST, "R", "read", gives=True),
    Exchange.PUBLISH: _Kind(_IMPORT, "C"),
}
_ACTS: Final = {
    Act.FIND: _Kind(_REST, "R", "read", gives=True),
    Act.READ: _Kind(_REST, "R", "read", gives=True),
    Act.PUBLISH: _Kind(_REST, "C", "create"),
    Act.REPLACE: _Kind(_REST, "C", "create"),
    Act.CHANGE: _Kind(_REST, "U", "patch"),
    Act.WITHDRAW: _Kind(_REST, "U", "patch"),
    Act.AUTHORISE: _Kind(_REST, "U", "operation"),
    Act.GOVERN: _Kind(_REST, "U", "operation"),
    Act.READ_JOURNAL: _Kind(_REST, "E", "search"),
    Act.EXTRACT: _Kind(_EXPORT, "R", gives=True),
}
"""What is done by no transaction of IHE."""


def audit_event(line: Line, patient: Ins) -> Json:
    """The line as a resource; its id is its hash, which names nobody."""
    told: Json = orjson.loads(line.event)
    exchange = Exchange(told["exchange"]) if "exchange" in told else None
    kind = _EXCHANGES[exchange] if exchange else _ACTS[Act(told["act"])]
    done = told["outcome"] == DONE
    recorded = datetime.fromtimestamp(line.at_ms / 1000, UTC)
    return compact(
        resourceType="AuditEvent",
        id=line.hash.hex(),
        type=kind.type,
        subtype=list(_subtypes(kind, exchange, told["act"])),
        action=kind.action,
        recorded=recorded.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        outcome="0" if done else "4",
        outcomeDesc="" if done else told["outcome"],
        purposeOfEvent=[_purpose(told)] if "who" in told else [],
        agent=list(_agents(kind, told, patient)),
        source={"observer": _INDEX},
        entity=list(_entities(told, patient)),
    )


def _subtypes(kind: _Kind, exchange: Exchange | None, act: str) -> Iterator[Json]:
    if kind.interaction:
        yield {"system": _INTERACTIONS, "code": kind.interaction}
    if exchange:
        yield {"system": _TRANSACTIONS, "code": exchange.value}
    else:
        yield {"code": act}


def _purpose(told: Json) -> Json:
    who = told["who"]
    purpose = {
        "system": OID_PREFIX + PURPOSES,
        "code": who.get("purpose", Purpose.NORMAL.value),
    }
    return compact(coding=[purpose], text=who.get("reason", ""))


def _agents(kind: _Kind, told: Json, patient: Ins) -> Iterator[Json]:
    """The structure's program and the index, and who stood behind the program."""
    asks, answers = (_DESTINATION, _SOURCE) if kind.gives else (_SOURCE, _DESTINATION)
    who = told.get("who", {})
    structure = _named(who.get("structure", ""), ORGANISATIONS, who.get("structure_name", ""))
    yield {
        "type": {"coding": [asks]},
        "who": structure or _NOBODY,
        "requestor": "who" not in told,
    }
    yield {"type": {"coding": [answers]}, "who": _INDEX, "requestor": False}
    if "who" in told:
        role = who.get("role")
        yield compact(
            type={"coding": [_USER]},
            role=[{"coding": [_coded(role)]}] if role else [],
            who=_person(who, patient),
            requestor=True,
            purposeOfUse=[_purpose(told)],
        )


def _person(who: Json, patient: Ins) -> Json:
    kind = CallerKind(who["kind"])
    if kind is CallerKind.PATIENT:
        return {"identifier": _identity(patient), "display": "le titulaire du dossier"}
    named = _named(who.get("number", ""), PROFESSIONALS, who.get("name", ""))
    return named or {"display": "un représentant légal du titulaire"}


def _named(number: str, authority: str, display: str) -> Json:
    who = identifier(Identifier(value=number, authority=authority)) if number else None
    return compact(identifier=who, display=display)


def _coded(code: Json) -> Json:
    return compact(
        system=OID_PREFIX + code["scheme"] if "scheme" in code else "",
        code=code["code"],
        display=code.get("display", ""),
    )


def _entities(told: Json, patient: Ins) -> Iterator[Json]:
    yield _entity("1", "1", what={"type": "Patient", "identifier": _identity(patient)})
    if "query" in told:
        query = base64.b64encode(told["query"].encode()).decode("ascii")
        yield _entity("2", "24", query=query, detail=_details(told))
    if "set" in told:
        yield _entity("2", "20", what={"reference": f"List/{told['set']}"})
    for entry_id in told.get("entries", ()):
        yield _entity("2", "4", what={"reference": f"DocumentReference/{entry_id}"})


def _entity(kind: str, role: str, **elements: object) -> Json:
    return compact(
        type={"system": _ENTITY_TYPES, "code": kind},
        role={"system": _ROLES, "code": role},
        **elements,
    )


def _details(told: Json) -> list[Json]:
    return [{"type": "found", "valueString": str(told["found"])}] if "found" in told else []


def _identity(patient: Ins) -> Json:
    return identifier(Identifier(value=patient.value, authority=patient.oid))
