"""What an entry must meet to be found: the tests of which searches of both protocols are made.

A modality or a region is found by either name of its code system: the DMP's samples write the OID
of the French value set, and current reports that of the system itself (CI-SIS, JDV of both).
"""

import unicodedata
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from indexer.contract.document import Code, DocumentEntry, Person, ReferenceId, ReferenceKind

Test = Callable[[DocumentEntry], bool]
Span = tuple[datetime | None, datetime | None]
CodesOf = Callable[[DocumentEntry], tuple[Code, ...]]

MODALITIES: Final = "1.2.840.10008.2.16.4"
_SYSTEMS: Final = {
    "1.2.250.1.213.1.1.5.618": MODALITIES,
    "http://dicom.nema.org/resources/ontology/DCM": MODALITIES,
    "1.2.250.1.213.1.1.5.695": "2.16.840.1.113883.6.96",
    "1.2.250.1.213.2.5": "2.16.840.1.113883.6.96",  # regions of the agency's samples
    "http://snomed.info/sct": "2.16.840.1.113883.6.96",
    "http://loinc.org": "2.16.840.1.113883.6.1",
}
"""What else a code system is called, by its OID: a value set of it, or FHIR's URI."""


CODES: Final[dict[str, CodesOf]] = {
    "ClassCode": lambda entry: (entry.class_code,),
    "TypeCode": lambda entry: (entry.type_code,),
    "PracticeSettingCode": lambda entry: (entry.practice_setting,),
    "HealthcareFacilityTypeCode": lambda entry: (entry.facility,),
    "EventCodeList": lambda entry: entry.event_codes,
    "ConfidentialityCode": lambda entry: entry.confidentiality,
    "FormatCode": lambda entry: (entry.format_code,),
}
"""Coded attributes, by their names in XDS."""


@dataclass(frozen=True, slots=True)
class EntryFilter:
    """All that an entry must meet, beside its patient and its status."""

    tests: tuple[Test, ...] = ()

    def matches(self, entry: DocumentEntry) -> bool:
        return all(test(entry) for test in self.tests)


def system_of(scheme: str) -> str:
    """The one name by which a code system is compared."""
    name = scheme.removeprefix("urn:oid:")
    return _SYSTEMS.get(name, name)


def has_other_names(scheme: str | None) -> bool:
    """Whether a code system is called by more than one name."""
    return scheme is not None and system_of(scheme) in _SYSTEMS.values()


def has_code(of: CodesOf, asked: Iterable[tuple[str | None, str | None]]) -> Test:
    """One of the codes is among those asked for, each a code and its scheme; None is any."""
    wanted = {(code, scheme if scheme is None else system_of(scheme)) for code, scheme in asked}

    def test(entry: DocumentEntry) -> bool:
        for one in of(entry):
            system = system_of(one.scheme)
            if not wanted.isdisjoint({(one.code, system), (one.code, None), (None, system)}):
                return True
        return False

    return test


def modalities(entry: DocumentEntry) -> tuple[Code, ...]:
    """The event codes that are modalities."""
    return tuple(one for one in entry.event_codes if system_of(one.scheme) == MODALITIES)


def regions(entry: DocumentEntry) -> tuple[Code, ...]:
    """The event codes that are regions or acts: those that are no modality."""
    return tuple(one for one in entry.event_codes if system_of(one.scheme) != MODALITIES)


def refers(asked: Collection[ReferenceId]) -> Test:
    """One of the reference ids is among these.

    A Study Instance UID has no authority: it is itself, whatever the samples write there.
    """
    wanted = {_as_compared(one) for one in asked}
    return lambda entry: any(_as_compared(one) in wanted for one in entry.reference_ids)


def _as_compared(one: ReferenceId) -> tuple[ReferenceKind, str, str]:
    return one.kind, one.value, "" if one.kind is ReferenceKind.STUDY else one.authority


def in_time(of: Callable[[DocumentEntry], Span], meets: Callable[[Span], bool]) -> Test:
    """The time that an entry tells is one that is asked for."""
    return lambda entry: meets(of(entry))


def by_author(test: Callable[[Person], bool]) -> Test:
    """One of those who wrote the document is one that is asked for."""
    return lambda entry: any(test(one.person) for one in entry.every_author)


def plain(text: str) -> str:
    """A text as names are compared: without case and accents (R4 §3.1.1.4.8)."""
    apart = unicodedata.normalize("NFKD", text)
    return "".join(one for one in apart if not unicodedata.combining(one)).casefold()
