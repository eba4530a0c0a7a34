"""Reads from a report in CDA R2 what the gateway needs of it; its body is not looked at.

Levels 1 and 3 are read alike, and so are the forms that the French imaging report (IMG-CR-IMG) has
had: a study as a bare root or beside the word `studyInstanceUID`, regions under a wrong system.
What a pointer cannot do without is refused where it is missing, by the name of its element.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from gateway.errors import InvalidRequest
from gateway.intake.cda_xml import (
    Element,
    attribute,
    bounded,
    code_of,
    find_all,
    find_first,
    identifier_of,
    open_document,
    text_of,
    time_of,
)
from gateway.intake.flags import VISIBILITY_FLAGS
from gateway.intake.values import (
    INS_OIDS,
    birth_date,
    distinct,
    flag_name,
    ins_or_none,
    person_name,
    sex_letter,
)
from gateway.model.report import ReportedPatient, ReportedStudy, Visibility
from indexer.contract.document import Code, Identifier, Organisation, Person
from indexer.contract.errors import InvalidValue
from indexer.contract.identifiers import Uid

PROFESSIONALS: Final = "1.2.250.1.71.4.2.1"
STRUCTURES: Final = "1.2.250.1.71.4.2.2"
DICOM_CODES: Final = "1.2.840.10008.2.16.4"
SNOMED_CT: Final = "2.16.840.1.113883.6.96"

NOT_CONFIDENTIAL: Final = frozenset("NMLU")
"""HL7 Confidentiality (2.16.840.1.113883.5.25): normal, and what is less. An index entry says N in
any case, so a report that says more (R, V) is one for a person to look at."""

_REGIONS = (
    "113257007 38266002 53120007 61685007 63337009 67734004 737561001 76752008 774007 80891009"
)
REGIONS: Final = frozenset(_REGIONS.split())
"""SNOMED CT codes of the value set JDV_RegionAnatomique (1.2.250.1.213.1.1.5.695)."""

_MODALITY_QUALIFIER = "121139"
_REGION_QUALIFIER = "39111-0"
_STUDY_EXTENSIONS = {"", "studyinstanceuid"}

_VERSION = re.compile(r"\d{1,6}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class CdaReport:
    """What one CDA says; each field means what its namesake in `Report` means."""

    document_id: str
    set_id: str
    version: int
    replaces: tuple[str, ...]
    written_at: datetime | None
    patient: ReportedPatient
    visibility: frozenset[Visibility]
    unknown_visibilities: tuple[str, ...]
    """Confidentiality codes that ask for more than is known here."""
    accessions: tuple[Identifier, ...]
    orders: tuple[Identifier, ...]
    studies: tuple[ReportedStudy, ...]
    author: Person
    legal_authenticator: Person | None
    organisation: Organisation
    facility: Code
    practice_setting: Code


def read_cda(xml: bytes, *, time_zone: ZoneInfo) -> CdaReport:
    """Read a report.

    Args:
        time_zone: of the times that name no offset.

    Raises:
        InvalidRequest: it is no CDA, or an element that a pointer needs is missing or malformed;
            the reason names the element and no value.
    """
    root = open_document(xml)
    document_id = _document_id(root, "v3:id")
    if not document_id:
        raise InvalidRequest("the CDA has no document id")
    visibility, unknown = _visibility(root)
    legal_authenticator = _person(find_first(root, "v3:legalAuthenticator/v3:assignedEntity"))
    return CdaReport(
        document_id=document_id,
        set_id=_document_id(root, "v3:setId") or document_id,
        version=_version(root),
        replaces=_replaced(root),
        written_at=time_of(find_first(root, "v3:effectiveTime"), time_zone),
        patient=_patient(root),
        visibility=visibility,
        unknown_visibilities=unknown,
        accessions=_identifiers(root, "v3:inFulfillmentOf/v3:order/ps3-20:accessionNumber"),
        orders=_identifiers(root, "v3:inFulfillmentOf/v3:order/v3:id"),
        studies=_studies(root, time_zone),
        author=_author(root, legal_authenticator),
        legal_authenticator=legal_authenticator,
        organisation=_organisation(root),
        facility=_facility(root),
        practice_setting=_practice_setting(root),
    )


def _document_id(element: Element, path: str) -> str:
    """Root, or root^extension, as XDS writes a document's unique id (ITI TF-3 §4.2.3.2.26)."""
    found = find_first(element, path)
    root, extension = attribute(found, "root"), attribute(found, "extension")
    return f"{root}^{extension}" if root and extension else root


def _version(root: Element) -> int:
    value = attribute(find_first(root, "v3:versionNumber"), "value")
    if value and not _VERSION.fullmatch(value):
        raise InvalidRequest("versionNumber is no whole number")
    return int(value or 1)


def _replaced(root: Element) -> tuple[str, ...]:
    parents = [
        _document_id(parent, "v3:id")
        for related in find_all(root, "v3:relatedDocument")
        if attribute(related, "typeCode") == "RPLC"
        for parent in find_all(related, "v3:parentDocument")
    ]
    return tuple(distinct((parent for parent in parents if parent), "relatedDocument"))


def _patient(root: Element) -> ReportedPatient:
    roles = list(find_all(root, "v3:recordTarget/v3:patientRole"))
    if len(roles) != 1:
        raise InvalidRequest("the CDA must name one patient: one recordTarget with a patientRole")
    [role] = roles
    ids = [(id_, attribute(id_, "root")) for id_ in find_all(role, "v3:id")]
    numbers = [(attribute(id_, "extension"), oid) for id_, oid in ids if oid in INS_OIDS]
    national = (ins_or_none(value, oid) for value, oid in numbers)
    local = (identifier_of(id_) for id_, oid in ids if oid not in INS_OIDS)
    patient = find_first(role, "v3:patient")
    if patient is None:
        raise InvalidRequest("the CDA's recordTarget has no patient element")
    families, givens = _names(patient)
    first = givens["BR"] or givens[""].split(" ")[0]
    return ReportedPatient(
        ins=next((ins for ins in national if ins is not None), None),
        local_ids=tuple(distinct((one for one in local if one), "patientRole/id")),
        birth_name=families["BR"] or families[""],
        first_given_name=first,
        given_names=givens[""] or givens["BR"],
        used_names=_used_names(families, givens["CL"] or givens["SP"] or first),
        birth_date=_birth_date(patient),
        sex=sex_letter(attribute(find_first(patient, "v3:administrativeGenderCode"), "code")),
        birth_place=text_of(find_first(patient, "v3:birthplace/v3:place/v3:addr/v3:county")),
    )


def _names(patient: Element) -> tuple[dict[str, str], dict[str, str]]:
    """Family and given names by qualifier: BR of birth, CL or SP in use, none where it has none."""
    families = dict.fromkeys(("BR", "CL", "SP", ""), "")
    givens = dict(families)
    for part in find_all(patient, "v3:name/*"):
        names = {"family": families, "given": givens}.get(part.tag.rpartition("}")[2])
        if names is not None and (qualifier := attribute(part, "qualifier")) in names:
            names[qualifier] = bounded(f"{names[qualifier]} {text_of(part)}", part)
    return families, givens


def _used_names(families: dict[str, str], given: str) -> tuple[str, ...]:
    used = [families[qualifier] for qualifier in ("CL", "SP") if families[qualifier]]
    return tuple(dict.fromkeys(person_name(family, given) for family in used))


def _birth_date(patient: Element) -> str:
    value = attribute(find_first(patient, "v3:birthTime"), "value")
    try:
        return birth_date(value)
    except ValueError:
        raise InvalidRequest("birthTime is no date") from None


def _visibility(root: Element) -> tuple[frozenset[Visibility], tuple[str, ...]]:
    codes = [attribute(found, "code").upper() for found in find_all(root, "v3:confidentialityCode")]
    known = frozenset(VISIBILITY_FLAGS[code] for code in codes if code in VISIBILITY_FLAGS)
    others = (
        code for code in codes if code and code not in NOT_CONFIDENTIAL | VISIBILITY_FLAGS.keys()
    )
    return known, tuple(distinct(map(flag_name, others), "confidentialityCode"))


def _identifiers(root: Element, path: str) -> tuple[Identifier, ...]:
    found = (identifier_of(one) for one in find_all(root, path))
    return tuple(distinct((one for one in found if one), path.rpartition(":")[2]))


def _studies(root: Element, time_zone: ZoneInfo) -> tuple[ReportedStudy, ...]:
    """One per Study UID, in the order of the document; several acts may be done in one study."""
    studies: dict[Uid, ReportedStudy] = {}
    for event in find_all(root, "v3:documentationOf/v3:serviceEvent"):
        for study in dict.fromkeys(_study_uids(event)):
            told = _study(study, event, time_zone)
            studies[study] = _merged(studies[study], told) if study in studies else told
    if not studies:
        raise InvalidRequest("the CDA names no study: no serviceEvent/id is a Study Instance UID")
    return tuple(distinct(studies.values(), "serviceEvent"))


def _study_uids(event: Element) -> Iterator[Uid]:
    for found in find_all(event, "v3:id"):
        if attribute(found, "extension").lower() in _STUDY_EXTENSIONS:
            try:
                yield Uid(attribute(found, "root"))
            except InvalidValue:
                continue  # another kind of id, such as a UUID


def _study(study: Uid, event: Element, time_zone: ZoneInfo) -> ReportedStudy:
    acts, regions = [], []
    main = find_first(event, "v3:code")
    if (act := code_of(main)) is not None:
        acts.append(act)
        if act.code in REGIONS:
            regions.append(_region(act))
    for translation in [] if main is None else find_all(main, "v3:translation"):
        code = code_of(translation)
        qualifier = attribute(find_first(translation, "v3:qualifier/v3:name"), "code")
        if code is None or code.scheme == DICOM_CODES or qualifier == _MODALITY_QUALIFIER:
            continue  # the images tell their modalities
        if code.scheme == SNOMED_CT or qualifier == _REGION_QUALIFIER or code.code in REGIONS:
            regions.append(_region(code))
        else:
            acts.append(code)
    time = find_first(event, "v3:effectiveTime")
    low, high = (None if time is None else find_first(time, f"v3:{end}") for end in ("low", "high"))
    return ReportedStudy(
        study=study,
        acts=_codes(acts),
        regions=_codes(regions),
        started_at=time_of(low if low is not None else time, time_zone),
        ended_at=time_of(high, time_zone),
    )


def _region(code: Code) -> Code:
    scheme = SNOMED_CT if code.code in REGIONS else code.scheme
    return Code(code=code.code, scheme=scheme, display=code.display)


def _merged(one: ReportedStudy, other: ReportedStudy) -> ReportedStudy:
    return ReportedStudy(
        study=one.study,
        acts=_codes([*one.acts, *other.acts]),
        regions=_codes([*one.regions, *other.regions]),
        started_at=min(filter(None, (one.started_at, other.started_at)), default=None),
        ended_at=max(filter(None, (one.ended_at, other.ended_at)), default=None),
    )


def _codes(codes: Iterable[Code]) -> tuple[Code, ...]:
    """Each once, in the order of the document, as it was first displayed."""
    by_value: dict[tuple[str, str], Code] = {}
    for one in codes:
        by_value.setdefault((one.code, one.scheme), one)
    return tuple(distinct(by_value.values(), "serviceEvent/code"))


def _author(root: Element, legal_authenticator: Person | None) -> Person:
    """The first author who is a person; a system may stand among the authors."""
    authors = (_person(found) for found in find_all(root, "v3:author/v3:assignedAuthor"))
    author = next((one for one in authors if one is not None), legal_authenticator)
    if author is None:
        raise InvalidRequest("the CDA names no author with an id and a person")
    return author


def _person(assigned: Element | None) -> Person | None:
    if assigned is None or (name := find_first(assigned, "v3:assignedPerson/v3:name")) is None:
        return None
    if not (number := _number(assigned, PROFESSIONALS)):
        return None
    given = bounded(" ".join(text_of(part) for part in find_all(name, "v3:given")), name)
    return Person(number=number, family=text_of(find_first(name, "v3:family")), given=given)


def _organisation(root: Element) -> Organisation:
    """In whose name the report is signed: DMP access rights hang on it."""
    for path in (
        "v3:legalAuthenticator/v3:assignedEntity/v3:representedOrganization",
        "v3:author/v3:assignedAuthor/v3:representedOrganization",
        "v3:documentationOf/v3:serviceEvent/v3:performer/v3:assignedEntity"
        "/v3:representedOrganization",
        "v3:custodian/v3:assignedCustodian/v3:representedCustodianOrganization",
    ):
        for found in find_all(root, path):
            if number := _number(found, STRUCTURES):
                return Organisation(number=number, name=text_of(find_first(found, "v3:name")))
    raise InvalidRequest("the CDA names no organisation with an id: no representedOrganization/id")


def _number(element: Element, authority: str) -> str:
    """The extension of the id that this authority gave, else of the first that has one."""
    ids = list(find_all(element, "v3:id"))
    national = [one for one in ids if attribute(one, "root") == authority]
    values = (attribute(one, "extension") for one in [*national, *ids])
    return next(filter(None, values), "")


def _facility(root: Element) -> Code:
    path = "v3:componentOf/v3:encompassingEncounter/v3:location/v3:healthCareFacility/v3:code"
    if (code := code_of(find_first(root, path))) is None:
        raise InvalidRequest("the CDA names no kind of facility: no healthCareFacility/code")
    return code


def _practice_setting(root: Element) -> Code:
    author = "v3:author/v3:assignedAuthor/v3:representedOrganization/v3:standardIndustryClassCode"
    for path in (author, ".//v3:standardIndustryClassCode"):
        for found in find_all(root, path):
            if (code := code_of(found)) is not None:
                return code
    raise InvalidRequest("the CDA names no practice setting: no standardIndustryClassCode")
