"""Find Document References (ITI-67): its parameters, and what entries they ask for.

A search names its patient in a form body (`POST DocumentReference/_search`), so that no national
identity is part of an address. Links to further pages hold none either: `_after` names the last
entry of the page before, and with it the patient.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from indexer.contract.document import (
    DocumentEntry,
    DocumentQuery,
    EntryStatus,
    Person,
    ReferenceKind,
)
from indexer.contract.identifiers import Uid
from indexer.wire import entry_tests
from indexer.wire.entry_tests import CODES, EntryFilter, Test
from indexer.wire.fhir.elements import read_system, read_uri_oid, read_uuid
from indexer.wire.fhir.search_controls import (
    AFTER,
    CONTROLS,
    PATIENT,
    ObjectSearch,
    heeded,
    once,
    read_count,
    read_identifiers,
    read_name_test,
    read_parameter,
    read_patient,
    refuse_unknown,
)
from indexer.wire.fhir.search_values import DateRange, Parameter, Parameters, Token, escape
from indexer.wire.outcome import IssueCode, Refusal
from indexer.wire.vocabulary import OID_PREFIX, URI_SYSTEM

REFERENCES: Final = {
    "study-instance-uid": ReferenceKind.STUDY,
    "accession-number": ReferenceKind.ACCESSION,
}
"""Search parameters of MADO, on context.related."""

TOKENS: Final = {
    "category": CODES["ClassCode"],
    "type": CODES["TypeCode"],
    "setting": CODES["PracticeSettingCode"],
    "facility": CODES["HealthcareFacilityTypeCode"],
    "event": CODES["EventCodeList"],
    "security-label": CODES["ConfidentialityCode"],
    "format": CODES["FormatCode"],
    "modality": entry_tests.modalities,
    "anatomical-region": entry_tests.regions,
}
"""Parameters on codes; the last two are MADO's."""
DATES: Final[dict[str, Callable[[DocumentEntry], entry_tests.Span]]] = {
    "creation": lambda entry: (entry.created_at, entry.created_at),
    "date": lambda entry: (entry.created_at, entry.created_at),
    "period": lambda entry: (entry.service_start, entry.service_stop),
    "period-start": lambda entry: (entry.service_start, entry.service_start),
    "period-end": lambda entry: (entry.service_stop, entry.service_stop),
}
"""Parameters on times; the last two are PDSm's."""
NAMES: Final[dict[str, Callable[[Person], str]]] = {
    "author.family": lambda person: person.family,
    "author.given": lambda person: person.given,
}
UPDATED: Final = "_lastUpdated"
OTHERS: Final = {
    PATIENT: "token",
    UPDATED: "date",
    "identifier": "token",
    "status": "token",
    "related": "reference",
    "isArchived": "token",
    **dict.fromkeys(REFERENCES, "token"),
}
"""Parameters that are like no other, with the type that FHIR gives each."""
_ORDERS: Final = frozenset({"-date", "-creation"})
"""Newest first, which is the one order there is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EntrySearch(ObjectSearch):
    """What entries an index is asked for."""

    statuses: frozenset[EntryStatus]
    type_code: str | None
    type_scheme: str | None
    reference: tuple[ReferenceKind, str] | None
    wanted: EntryFilter
    """What else is asked for, of which the index has no column."""
    updated: tuple[tuple[DateRange, ...], ...]
    """When it must have been held or changed last: within one of each."""


def search_parameters(query: DocumentQuery) -> list[tuple[str, str]]:
    """The parameters that ask for a patient's entries."""
    parameters = [
        (PATIENT, f"{OID_PREFIX}{query.patient.oid}|{query.patient.value}"),
        ("status", _write_statuses(query.statuses)),
    ]
    if query.type_code is not None:
        parameters.append(("type", escape(query.type_code.code)))
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


def read_search(parameters: Parameters, *, lenient: bool = False) -> EntrySearch:
    """The search that parameters ask for.

    A parameter that is not known here is refused rather than ignored (R4 §3.1.1.3 allows both):
    a caller whose filter was dropped would read the answer as something that it is not. Who says
    `Prefer: handling=lenient` is told by the link to itself what was heeded.

    Raises:
        Refusal: a parameter is unknown, malformed or absent.
    """
    told = [one for one in map(read_parameter, parameters) if _is_known(one, lenient=lenient)]
    names = {one.name for one in told}
    if not names & {PATIENT, "identifier", AFTER}:
        raise Refusal(f"{PATIENT} is missing", code=IssueCode.REQUIRED)
    if "identifier" not in names and "status" not in names:
        raise Refusal("status is missing", code=IssueCode.REQUIRED)
    type_code, type_scheme, reference, tests = _columns(told, by_id="identifier" in names)
    for one in told:
        if one.name == "_sort" and one.value not in _ORDERS:
            raise one.refuse("has no such order here", IssueCode.NOT_SUPPORTED)
    patient, after, count = (once(told, name) for name in (PATIENT, AFTER, "_count"))
    return EntrySearch(
        patient=read_patient(patient) if patient else None,
        identifiers=read_identifiers(told),
        after=after.parsed(after.value, read_uuid) if after else None,
        statuses=_read_statuses(told),
        type_code=type_code,
        type_scheme=type_scheme,
        reference=reference,
        wanted=EntryFilter(tuple(tests)),
        updated=tuple(tuple(one.plain().dates()) for one in told if one.name == UPDATED),
        page_max=read_count(count),
        parameters=heeded(parameters, told),
    )


def _is_known(one: Parameter, *, lenient: bool) -> bool:
    if one.name in TOKENS or one.name in DATES or one.name in NAMES or one.name in OTHERS:
        return True
    if one.name in CONTROLS or one.name == "_sort":
        return True
    if lenient:
        return False
    raise refuse_unknown(one)


def _columns(
    told: Iterable[Parameter], *, by_id: bool
) -> tuple[str | None, str | None, tuple[ReferenceKind, str] | None, list[Test]]:
    """What the index has columns for, and tests of all the rest.

    A column stands for one value: of a parameter that is told again the second is a test. Where ids
    are told, few entries are left, and all is a test.
    """
    type_code = type_scheme = reference = None
    tests: list[Test] = []
    for one in told:
        if one.name == "type" and type_code is None and not by_id:
            [first, *more] = one.plain().tokens()
            if not more and first.code and not entry_tests.has_other_names(first.system):
                type_code = first.code
                type_scheme = None if first.system is None else read_system(first.system)
                continue
        if one.name in REFERENCES and reference is None and not by_id:
            [first, *more] = one.plain().tokens()
            if not more and first.code and not first.system:
                reference = REFERENCES[one.name], first.code.removeprefix(OID_PREFIX)
                continue
        tests += _tests(one)
    return type_code, type_scheme, reference, tests


def _tests(one: Parameter) -> list[Test]:
    if one.name in TOKENS:
        asked = [(token.code, token.system) for token in one.plain().tokens()]
        return [entry_tests.has_code(TOKENS[one.name], asked)]
    if one.name in DATES:
        return [entry_tests.in_time(DATES[one.name], _meets(one.plain().dates()))]
    if one.name in NAMES:
        return [_author_test(NAMES[one.name], read_name_test(one))]
    if one.name in REFERENCES or one.name == "related":
        kind = REFERENCES.get(one.name)
        return [_reference_test(kind, one.plain().tokens())]
    if one.name == "isArchived":
        archived = any(token.code == "true" for token in one.plain().tokens())
        return [lambda entry: not archived]  # nothing is archived here
    return []


def _meets(asked: list[DateRange]) -> Callable[[entry_tests.Span], bool]:
    return lambda span: span != (None, None) and any(one.meets(*span) for one in asked)


def _author_test(name: Callable[[Person], str], test: Callable[[str], bool]) -> Test:
    return entry_tests.by_author(lambda person: test(name(person)))


def _reference_test(kind: ReferenceKind | None, asked: list[Token]) -> Test:
    """A reference id is one of those asked for; a UID may be told as a URI, as MADO's example has
    it, or bare, as PDSm has it."""

    def test(entry: DocumentEntry) -> bool:
        return any(
            (kind is None or one.kind is kind)
            and (token.code is None or token.code.removeprefix(OID_PREFIX) == one.value)
            and (token.system in (None, URI_SYSTEM) or read_system(token.system) == one.authority)
            for one in entry.reference_ids
            for token in asked
        )

    return test


def read_condition(parameters: Parameters) -> Uid:
    """The unique id by which a conditional request names its document (FHIR R4, conditional patch).

    Raises:
        Refusal: it is missing or malformed, or something else is told beside it.
    """
    told = [read_parameter(one) for one in parameters]
    for one in told:
        _is_known(one, lenient=False)
    if [one.name for one in told] != ["identifier"]:
        reason = "identifier must be the one condition"
        raise Refusal(reason, code=IssueCode.REQUIRED)
    [identifier] = told
    [first, *more] = identifier.plain().tokens()
    if more or first.system not in (None, URI_SYSTEM):
        raise identifier.refuse("must be one unique id", IssueCode.NOT_SUPPORTED)
    return identifier.parsed(first.code or "", lambda text: Uid(read_uri_oid(text)))


def _read_statuses(told: Iterable[Parameter]) -> frozenset[EntryStatus]:
    asked = [one.plain() for one in told if one.name == "status"]
    found = frozenset(EntryStatus)
    if not asked:
        return found - {EntryStatus.WITHDRAWN}
    for one in asked:
        try:
            found &= {EntryStatus(token.code or "") for token in one.tokens()}
        except ValueError as error:
            if isinstance(error, Refusal):
                raise
            raise one.refuse("is no status of an entry", IssueCode.VALUE) from error
    return found
