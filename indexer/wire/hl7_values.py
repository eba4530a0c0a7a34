"""The data types of HL7 v2 that XDS metadata is written in (ITI TF-3 §4.2.3.1.7), both ways.

Delimiters within a value are escaped (HL7 2.5 §2.7.1). What is left out reads as empty.
"""

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final

from indexer.contract.document import (
    Identifier,
    Organisation,
    PatientTraits,
    Person,
    ReferenceId,
    ReferenceKind,
)
from indexer.contract.errors import InvalidValue
from indexer.contract.identifiers import Ins, Oid
from indexer.wire.vocabulary import ORGANISATIONS, PROFESSIONALS

PATIENT_TYPE: Final = "NH"
"""CX.5 of an INS: a national health identifier (HL7 table 0203)."""
LOCAL_PATIENT_TYPE: Final = "PI"
PROFESSIONAL_TYPE: Final = "IDNPS"
"""XCN.13 of a professional's national number (CI-SIS)."""

_REFERENCE_KINDS: Final = {one.value: one for one in ReferenceKind}
_ESCAPES: Final = {"\\": "\\E\\", "^": "\\S\\", "&": "\\T\\", "|": "\\F\\", "~": "\\R\\"}
_ESCAPING: Final = str.maketrans(_ESCAPES)
_UNESCAPES: Final = {escaped: plain for plain, escaped in _ESCAPES.items()}
_ESCAPED = re.compile(r"\\[ESTFR]\\")
_DATE = re.compile(r"[0-9]{8}", re.ASCII)
_MOMENT = re.compile(r"(\d{4})(\d\d)?(\d\d)?(\d\d)?(\d\d)?(\d\d)?(?:\.\d{1,6})?Z?", re.ASCII)


def write_moment(moment: datetime) -> str:
    """A DTM in UTC and whole seconds."""
    return moment.astimezone(UTC).strftime("%Y%m%d%H%M%S").rjust(14, "0")


def read_moment(text: str) -> datetime:
    """A DTM, which is in UTC; a part left out counts as its start.

    Raises:
        InvalidValue: it is none.
    """
    found = _MOMENT.fullmatch(text)
    if found is None:
        raise InvalidValue("not a date and time")
    year, month, day, *time = found.groups()
    hour, minute, second = (int(part or 0) for part in time)
    try:
        return datetime(int(year), int(month or 1), int(day or 1), hour, minute, second, tzinfo=UTC)
    except ValueError:
        raise InvalidValue("not a date and time") from None


def write_patient(patient: Ins) -> str:
    """A CX of the affinity domain's patient."""
    return _write_cx(patient.value, patient.oid, PATIENT_TYPE)


def read_patient(text: str) -> Ins:
    """The patient of a CX.

    Raises:
        InvalidValue: it holds no INS.
    """
    value, authority, _ = _read_cx(text)
    return Ins(value=value, oid=Oid(authority))


def write_local_patient(patient: Identifier) -> str:
    """A CX of the patient in the centre."""
    return _write_cx(patient.value, patient.authority, patient.kind or LOCAL_PATIENT_TYPE)


def read_local_patient(text: str) -> Identifier:
    """The patient in the centre, of a CX of any type."""
    value, authority, kind = _read_cx(text)
    kind = "" if kind == LOCAL_PATIENT_TYPE else kind
    return Identifier(value=value, authority=authority, kind=kind)


def write_reference(reference: ReferenceId) -> str:
    """A CXi."""
    return _write_cx(reference.value, reference.authority, reference.kind.value)


def read_reference(text: str) -> ReferenceId | None:
    """The reference of a CXi; None where it is of a kind that the contract does not know."""
    value, authority, kind = _read_cx(text)
    known = _REFERENCE_KINDS.get(kind)
    if known is None or not value:
        return None
    return ReferenceId(kind=known, value=value, authority=authority)


def write_person(person: Person) -> str:
    """An XCN, with who gave the number where there is one."""
    name = [_escape(person.number), _escape(person.family), _escape(person.given)]
    if not person.number:
        return "^".join(name)
    authority = f"&{_escape(person.authority or PROFESSIONALS)}&ISO"
    # Of a professional the name is for display; of a system it is of no kind (HL7 table 0200).
    name_type = "U" if person.kind else "D"
    kind = _escape(person.kind or PROFESSIONAL_TYPE)
    return "^".join([*name, *[""] * 5, authority, name_type, "", "", kind])


@lru_cache(maxsize=256)  # a submission tells the same few again and again
def read_person(text: str) -> Person:
    """The professional, or the system, of an XCN."""
    number, family, given = _parts(text, 3)
    if not number:
        return Person(number="", family=family, given=given)
    components = [*text.split("^"), *[""] * 13]
    authority = _unescape([*components[8].split("&"), ""][1])
    kind = _unescape(components[12])
    return Person(
        number=number,
        family=family,
        given=given,
        authority="" if authority == PROFESSIONALS else authority,
        kind="" if kind == PROFESSIONAL_TYPE else kind,
    )


def write_organisation(organisation: Organisation) -> str:
    """An XON of a structure, by national number where there is one."""
    name = _escape(organisation.name)
    if not organisation.number:
        return name
    authority = f"&{ORGANISATIONS}&ISO"
    return "^".join([name, *[""] * 4, authority, "IDNST", "", "", _escape(organisation.number)])


@lru_cache(maxsize=256)
def read_organisation(text: str) -> Organisation:
    """The structure of an XON, whose number is the tenth component."""
    parts = _parts(text, 10)
    return Organisation(number=parts[9], name=parts[0])


def write_traits(traits: PatientTraits) -> list[str]:
    """The values of sourcePatientInfo: name of birth, date of birth, sex."""
    name = "^".join([_escape(traits.birth_name), _escape(traits.given_name), *[""] * 4, "L"])
    date = [f"PID-7|{_escape(traits.birth_date)}"] if traits.birth_date else []
    return [f"PID-5|{name}", *date, f"PID-8|{_escape(traits.sex)}"]


def read_traits(fields: Iterable[str]) -> PatientTraits:
    """The traits that sourcePatientInfo tells; sex is U where it is none of M and F."""
    told: dict[str, str] = {}
    for field in fields:
        name, _, value = field.partition("|")
        told.setdefault(name.strip(), value)
    family, given = _parts(told.get("PID-5", ""), 2)
    sex = told.get("PID-8", "").strip()
    born = _DATE.match(told.get("PID-7", ""))
    return PatientTraits(
        birth_name=family,
        given_name=given,
        birth_date=born[0] if born else "",  # a part of a date is none that FHIR's form can tell
        sex=sex if sex in {"M", "F"} else "U",
    )


def _write_cx(value: str, authority: str, kind: str) -> str:
    assigned = f"&{_escape(authority)}&ISO" if authority else ""
    return "^".join([_escape(value), "", "", assigned, kind])


def _read_cx(text: str) -> tuple[str, str, str]:
    """Value, OID of its authority, and type."""
    components = [*text.split("^"), *[""] * 5]
    assigned = [*components[3].split("&"), "", ""]
    return _unescape(components[0]), _unescape(assigned[1]), components[4]


def _parts(text: str, count: int) -> list[str]:
    """The first components, as many as asked for; of one with subcomponents, the first."""
    components = [*text.split("^"), *[""] * count][:count]
    return [_unescape(one.partition("&")[0]) for one in components]


def _escape(text: str) -> str:
    if text.isalnum():  # as most values are
        return text
    return text.translate(_ESCAPING)


def _unescape(text: str) -> str:
    if "\\" not in text:  # as most values are
        return text
    return _ESCAPED.sub(lambda found: _UNESCAPES[found[0]], text)
