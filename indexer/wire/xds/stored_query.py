"""Reads a stored query (ITI-18): which one, and what it asks for.

A parameter that is not known here is refused rather than ignored: a caller whose filter was dropped
would read the answer as something that it is not.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, TypeVar

from indexer.contract.document import EntryStatus
from indexer.contract.errors import InvalidValue
from indexer.contract.identifiers import Ins
from indexer.wire import hl7_values as values
from indexer.wire.entry_tests import CODES
from indexer.wire.fhir.elements import read_uuid
from indexer.wire.outcome import XdsError, xds_refusal
from indexer.wire.xds import vocabulary as names
from indexer.wire.xds.document_set_reader import read_status
from indexer.wire.xds.reader import listed
from indexer.wire.xml import Element

T = TypeVar("T")

PARAMETERS_MAX: Final = 64

ENTRY: Final = "$XDSDocumentEntry"
SET: Final = "$XDSSubmissionSet"
ASSOCIATION_STATUS: Final = "$XDSAssociationStatus"
_NOT_USED: Final = frozenset({"$homeCommunityId", "$MetadataLevel"})
"""Known, and without effect in one community without metadata versions."""


class QueryKind(StrEnum):
    """The stored queries that are answered (ITI TF-2 §3.18.4.1.2.3.7)."""

    FIND_DOCUMENTS = "14d4debf-8f97-4251-9a74-a90016b0af0d"
    FIND_BY_REFERENCE = "12941a89-e02e-4be5-967c-ce4bfc8fe492"
    GET_ALL = "10b545ea-725c-446d-9b95-8aeb444eddf3"
    GET_DOCUMENTS = "5c4f972b-d56b-40ac-a5fc-c8ca9b40b9d4"
    GET_ASSOCIATIONS = "a7ae438b-4bc2-4642-93e9-be891f7bb155"
    GET_DOCUMENTS_AND_ASSOCIATIONS = "bab9529a-4a10-40b3-a01f-f68a615d247a"
    GET_SUBMISSION_SETS = "51224314-5390-4169-9b91-b1980040715a"
    GET_SET_AND_CONTENTS = "e8e3cb2c-e39c-46b9-99e4-c12f57260b83"
    GET_RELATED = "d90e5407-b356-4d91-a89f-873917b4b0e6"


_TIMES: Final = ("CreationTime", "ServiceStartTime", "ServiceStopTime")
_FIND: Final = frozenset(
    [f"{ENTRY}{one}" for one in ("PatientId", "Status", "AuthorPerson", "Type", *CODES)]
    + [f"{ENTRY}{time}{end}" for time in _TIMES for end in ("From", "To")]
)
_ASSOCIATED: Final = frozenset({ASSOCIATION_STATUS})
_ONE_DOCUMENT: Final = frozenset({f"{ENTRY}EntryUUID", f"{ENTRY}UniqueId"})
_CONTENTS: Final = frozenset({f"{ENTRY}FormatCode", f"{ENTRY}ConfidentialityCode", f"{ENTRY}Type"})
_PARAMETERS: Final[Mapping[QueryKind, frozenset[str]]] = {
    QueryKind.FIND_DOCUMENTS: _FIND,
    QueryKind.FIND_BY_REFERENCE: _FIND | {f"{ENTRY}ReferenceIdList"},
    QueryKind.GET_ALL: _ASSOCIATED
    | _CONTENTS
    | {"$patientId", f"{ENTRY}Status", f"{SET}Status", "$XDSFolderStatus"},
    QueryKind.GET_DOCUMENTS: _ONE_DOCUMENT,
    QueryKind.GET_ASSOCIATIONS: _ASSOCIATED | {"$uuid"},
    QueryKind.GET_DOCUMENTS_AND_ASSOCIATIONS: _ASSOCIATED | _ONE_DOCUMENT,
    QueryKind.GET_SUBMISSION_SETS: _ASSOCIATED | {"$uuid"},
    QueryKind.GET_SET_AND_CONTENTS: (
        _ASSOCIATED | _CONTENTS | {f"{SET}EntryUUID", f"{SET}UniqueId"}
    ),
    QueryKind.GET_RELATED: _ASSOCIATED | _ONE_DOCUMENT | {f"{ENTRY}Type", "$AssociationTypes"},
}


@dataclass(frozen=True, slots=True)
class StoredQuery:
    """One query: each parameter has the alternatives of each of its slots."""

    kind: QueryKind
    whole: bool
    """LeafClass: objects as they are; else their ids alone (ObjectRef)."""
    parameters: Mapping[str, list[list[str]]]

    def told(self, name: str) -> bool:
        return name in self.parameters

    def every(self, name: str, parse: Callable[[str], T]) -> list[list[T]]:
        """Of each slot the alternatives: slots are joined by AND, what is in one by OR."""
        slots = self.parameters.get(name, [])
        return [[_parsed(name, text, parse) for text in slot] for slot in slots]

    def several(self, name: str, parse: Callable[[str], T]) -> list[T]:
        """The alternatives of a parameter that may have no more than one slot."""
        slots = self.every(name, parse)
        if len(slots) > 1:
            raise _wrong_number(name)
        return slots[0] if slots else []

    def required(self, name: str, parse: Callable[[str], T]) -> list[T]:
        """The alternatives of a parameter that must be there."""
        found = self.several(name, parse)
        if not found:
            raise xds_refusal(f"{name} is missing", XdsError.MISSING_PARAMETER)
        return found

    def one(self, name: str, parse: Callable[[str], T]) -> T | None:
        """A parameter that has one value; None where it is absent."""
        found = self.several(name, parse)
        if len(found) > 1:
            raise _wrong_number(name)
        return found[0] if found else None

    def patient(self, name: str) -> Ins | None:
        """The patient who must be named; None for one who cannot be known here."""
        text = self.one(name, str)
        if text is None:
            raise xds_refusal(f"{name} is missing", XdsError.MISSING_PARAMETER)
        try:
            return values.read_patient(text)
        except InvalidValue:
            return None  # nothing is found of them: ITI-18 has no code for an unknown patient

    def statuses(self, name: str) -> frozenset[EntryStatus]:
        """The statuses asked for, of however many slots; those that nothing here has find nothing.

        An object has one status, so that slots joined by AND would ask for what cannot be.
        """
        if not self.told(name):
            raise xds_refusal(f"{name} is missing", XdsError.MISSING_PARAMETER)
        found = [one for slot in self.every(name, read_status) for one in slot]
        return frozenset(one for one in found if one is not None)

    @property
    def with_associations(self) -> bool:
        """Whether associations are asked for by their status, which is Approved for all."""
        name = ASSOCIATION_STATUS
        return not self.told(name) or EntryStatus.APPROVED in self.statuses(name)

    def object_ids(self, prefix: str) -> tuple[list[str], list[str]]:
        """The UUIDs, or the unique ids, by which objects are named: one of the two."""
        uuids = self.several(f"{prefix}EntryUUID", read_urn)
        unique_ids = self.several(f"{prefix}UniqueId", str)
        if bool(uuids) == bool(unique_ids):
            raise xds_refusal(
                f"{prefix}EntryUUID or {prefix}UniqueId must be told, and not both",
                XdsError.PARAMETER_NUMBER,
            )
        return uuids, unique_ids


def everything_of(patient: Ins) -> StoredQuery:
    """GetAll of what is not Deleted."""
    held = [names.STATUSES[one] for one in (EntryStatus.APPROVED, EntryStatus.DEPRECATED)]
    return StoredQuery(
        kind=QueryKind.GET_ALL,
        whole=True,
        parameters={
            "$patientId": [[values.write_patient(patient)]],
            f"{ENTRY}Status": [held],
            f"{SET}Status": [held],
            "$XDSFolderStatus": [held],
        },
    )


def read_stored_query(body: Element) -> StoredQuery:
    """The query that an AdhocQueryRequest holds.

    Raises:
        InvalidValue: it is none, is not answered here, or has a parameter that is not known.
    """
    option = body.find(f"{{{names.QUERY}}}ResponseOption")
    query = body.find(f"{{{names.RIM}}}AdhocQuery")
    if body.tag != f"{{{names.QUERY}}}AdhocQueryRequest" or query is None or option is None:
        raise InvalidValue("the body is no AdhocQueryRequest")
    return_type = option.get("returnType", "")
    if return_type not in ("LeafClass", "ObjectRef"):
        raise InvalidValue("returnType is neither LeafClass nor ObjectRef")
    kind = _kind(query.get("id", ""))
    parameters: dict[str, list[list[str]]] = {}
    for name, alternatives in _slots(query):
        if name in _NOT_USED:
            continue
        if name not in _PARAMETERS[kind]:
            raise InvalidValue("a parameter is none of this query")
        parameters.setdefault(name, []).append(alternatives)
    return StoredQuery(kind, return_type == "LeafClass", parameters)


def read_urn(text: str) -> str:
    """The UUID of a URN, without its prefix; what is none stays as it is, and names nothing."""
    try:
        return read_uuid(text)
    except InvalidValue:
        return text


def _kind(query_id: str) -> QueryKind:
    try:
        return QueryKind(query_id.strip().lower().removeprefix(names.UUID))
    except ValueError:
        raise xds_refusal("the query is not answered here", XdsError.UNKNOWN_QUERY) from None


def _slots(query: Element) -> Iterator[tuple[str, list[str]]]:
    slots = list(query.iterchildren(f"{{{names.RIM}}}Slot"))
    if len(slots) > PARAMETERS_MAX:
        raise InvalidValue(f"the query has more than {PARAMETERS_MAX} parameters")
    for slot in slots:
        name = slot.get("name", "")
        yield name, [value for text in listed(slot) for value in _values(text)]


_LISTED = re.compile(r"\s*(?:'((?:[^']|'')*)'|(\d{1,20}))\s*(,|$)")


def _values(text: str) -> Iterator[str]:
    """The values of one text: `'a'`, `('a','b')` or a number (ITI TF-2 §3.18.4.1.2.3.5)."""
    if text.startswith("(") and text.endswith(")"):
        text = text[1:-1]
    at = 0
    while True:
        found = _LISTED.match(text, at)
        if found is None:
            raise InvalidValue("a parameter is neither in quotes nor a number")
        yield found[2] if found[2] else found[1].replace("''", "'")
        at = found.end()
        if not found[3]:
            return


def _parsed(name: str, text: str, parse: Callable[[str], T]) -> T:
    try:
        return parse(text)
    except InvalidValue as error:
        raise xds_refusal(f"{name} is {error}", XdsError.REGISTRY_ERROR) from None


def _wrong_number(name: str) -> InvalidValue:
    return xds_refusal(f"{name} has more values than it may", XdsError.PARAMETER_NUMBER)
