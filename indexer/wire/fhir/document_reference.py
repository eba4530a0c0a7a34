"""A document entry as a DocumentReference (MHD Comprehensive with PDSm's rules), both ways.

The patient is named by the national identifier alone; what the centre knows of the patient goes
into a contained Patient, as sourcePatientInfo does in XDS.
"""

import base64
import re
from collections.abc import Iterator, Sequence
from datetime import date

from indexer.contract.document import (
    DocumentEntry,
    EntryStatus,
    Identifier,
    PatientTraits,
    ReferenceId,
    ReferenceKind,
    authors_in_full,
)
from indexer.contract.document_set import Association
from indexer.contract.errors import InvalidValue
from indexer.contract.identifiers import Ins, Oid, Uid
from indexer.framing.media_types import checked_media_type
from indexer.wire.fhir.authors import authors, read_authors
from indexer.wire.fhir.contained import (
    ORGANISATION,
    Contained,
    first_identifier,
    local,
    practitioner,
    read_name,
    read_professional,
)
from indexer.wire.fhir.elements import (
    Element,
    coding,
    compact,
    concept,
    identifier,
    read_base64,
    read_coding,
    read_concept,
    read_system,
    read_uri_oid,
    read_uuid,
    uri_identifier,
    uris_with,
    write_moment,
    write_system,
)
from indexer.wire.outcome import IssueCode, Json
from indexer.wire.vocabulary import (
    DCM,
    DOCUMENT_REFERENCE_PROFILE,
    OID_PREFIX,
    ORIGINAL_TEXT,
    REFERENCE_DCM_CODE,
    URI_SYSTEM,
    UUID_PREFIX,
)

SOURCE_PATIENT = "source-patient"
AUTHENTICATOR = "authenticator"

SHA1_BYTES = 20
_SEX_TO_GENDER = {"M": "male", "F": "female", "U": "unknown"}
_GENDER_TO_SEX = {"male": "M", "female": "F", "unknown": "U", "other": "U"}
_ORIGINAL_DATE = re.compile(r"[0-9]{8}", re.ASCII)
_DATE = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})", re.ASCII)


def document_reference(
    entry: DocumentEntry, *, attachment_url: str, relations: Sequence[Association] = ()
) -> Json:
    """The entry as a resource, whose document lies at `attachment_url`.

    Args:
        entry: the entry; one without an `entry_id` gives a resource without `id`.
        attachment_url: where the document lies, or its Binary's place in the same Bundle.
        relations: what this entry is to others that the index holds.
    """
    who, references = authors(entry.every_author)
    unique_id = uri_identifier(OID_PREFIX + entry.unique_id, use="usual")
    identifiers = [unique_id]
    if entry.entry_id:
        identifiers.append(uri_identifier(UUID_PREFIX + entry.entry_id, use="official"))
    return compact(
        resourceType="DocumentReference",
        id=entry.entry_id,
        meta={"profile": [DOCUMENT_REFERENCE_PROFILE]},
        contained=_contained(entry, who),
        masterIdentifier=unique_id,
        identifier=identifiers,
        status=entry.status.value,
        type=concept(entry.type_code),
        category=[concept(entry.class_code)],
        subject=subject(entry.patient),
        date=write_moment(entry.created_at),
        author=references,
        authenticator=local(AUTHENTICATOR) if entry.legal_authenticator else None,
        custodian=local(ORGANISATION),
        relatesTo=[relation for one in relations for relation in _relates_to(one)],
        description=entry.comments,
        securityLabel=[concept(code) for code in entry.confidentiality],
        content=[_content(entry, attachment_url)],
        context=_context(entry),
    )


def subject(patient: Ins) -> Json:
    """A logical reference to the patient: the index keeps no Patient resources."""
    who = identifier(Identifier(value=patient.value, authority=patient.oid))
    return {"type": "Patient", "identifier": who}


def _relates_to(association: Association) -> Iterator[Json]:
    """FHIR has a word for each half of a transformation that replaces, and none for both."""
    target = {"reference": f"DocumentReference/{association.target}"}
    for code in association.relation.value.split("-and-"):
        yield {"code": code, "target": target}


def _contained(entry: DocumentEntry, who: Sequence[Json]) -> list[Json]:
    contained = [_source_patient(entry.local_patient, entry.traits), *who]
    if entry.legal_authenticator:
        contained.append(practitioner(AUTHENTICATOR, entry.legal_authenticator))
    return contained


def _source_patient(local: Identifier, traits: PatientTraits) -> Json:
    name = compact(
        use="official",
        family=traits.birth_name,
        given=[traits.given_name] if traits.given_name else [],
    )
    return compact(
        resourceType="Patient",
        id=SOURCE_PATIENT,
        identifier=[identifier(local)] if local.value else [],
        name=[name] if len(name) > 1 else [],
        gender=_SEX_TO_GENDER[traits.sex],
        **_birth_date(traits.birth_date),
    )


def _birth_date(born: str) -> Json:
    """A date of birth, as far as the calendar knows it, and else as it was told beside it.

    National identities hold dates that never were, for people whose day of birth is not known;
    FHIR has none but those of the calendar (R4 §2.24.0.1).
    """
    known = next((part for part in (born, born[:6], born[:4]) if _in_calendar(part)), "")
    told: Json = {"birthDate": "-".join(filter(None, (known[:4], known[4:6], known[6:])))}
    if known != born:
        told["_birthDate"] = {"extension": [{"url": ORIGINAL_TEXT, "valueString": born}]}
    return told


def _in_calendar(part: str) -> bool:
    try:
        return bool(date.fromisoformat(part + "00000101"[len(part) :]))
    except ValueError:
        return False


def _content(entry: DocumentEntry, attachment_url: str) -> Json:
    attachment = compact(
        contentType=entry.mime_type,
        language=entry.language,
        url=attachment_url,
        size=entry.size_bytes,
        hash=base64.b64encode(bytes.fromhex(entry.sha1)).decode("ascii"),
        title=entry.title,
        creation=write_moment(entry.created_at),
    )
    return {"attachment": attachment, "format": coding(entry.format_code)}


def _context(entry: DocumentEntry) -> Json:
    return compact(
        event=[concept(code) for code in entry.event_codes],
        period=compact(
            start=write_moment(entry.service_start) if entry.service_start else "",
            end=write_moment(entry.service_stop) if entry.service_stop else "",
        ),
        facilityType=concept(entry.facility),
        practiceSetting=concept(entry.practice_setting),
        sourcePatientInfo=local(SOURCE_PATIENT),
        related=[{"identifier": _reference_id(one)} for one in entry.reference_ids],
    )


def _reference_id(reference: ReferenceId) -> Json:
    codings = [{"system": URI_SYSTEM, "code": reference.kind.value}]
    if code := REFERENCE_DCM_CODE.get(reference.kind):
        codings.append({"system": DCM, "code": code})
    return compact(
        type={"coding": codings}, system=write_system(reference.authority), value=reference.value
    )


def read_document_reference(element: Element) -> DocumentEntry:
    """The entry that a DocumentReference describes; the inverse of `document_reference`.

    Raises:
        Refusal: an element that the entry needs is absent, or is not what it claims to be.
    """
    element.expect("resourceType", "DocumentReference")
    content = element.only_child("content")
    attachment = content.child("attachment")
    context = element.child("context")
    period = context.child("period") if context.has("period") else Element({}, context.at("period"))
    contained = Contained(element)
    who = read_authors(element, contained)
    patient = contained.referred(context, "sourcePatientInfo")
    return DocumentEntry(
        unique_id=_read_unique_id(element),
        patient=read_subject(element),
        local_patient=first_identifier(patient),
        traits=_read_traits(patient),
        class_code=read_concept(element.only_child("category")),
        type_code=read_concept(element.child("type")),
        format_code=read_coding(content.child("format")),
        mime_type=attachment.parsed("contentType", checked_media_type),
        confidentiality=tuple(read_concept(one) for one in element.children("securityLabel")),
        facility=read_concept(context.child("facilityType")),
        practice_setting=read_concept(context.child("practiceSetting")),
        event_codes=tuple(read_concept(one) for one in context.children("event")),
        reference_ids=tuple(_read_reference_id(one) for one in context.children("related")),
        created_at=attachment.moment("creation"),
        service_start=period.moment_or_none("start"),
        service_stop=period.moment_or_none("end"),
        language=attachment.text_or_empty("language"),
        title=attachment.text_or_empty("title"),
        comments=element.text_or_empty("description"),
        author=who[0].person,
        author_organisation=who[0].organisation,
        authors=authors_in_full(who),
        legal_authenticator=(
            read_professional(contained, element, "authenticator")[0]
            if element.has("authenticator")
            else None
        ),
        sha1=attachment.parsed("hash", _read_hash),
        size_bytes=attachment.unsigned("size"),
        entry_id=_read_entry_id(element),
        status=element.parsed("status", read_status),
        document_url=attachment.text("url"),
    )


def _read_unique_id(element: Element) -> Uid:
    """The masterIdentifier, which MHD wants to be a URI and the DMP an OID."""
    master = element.child("masterIdentifier")
    master.expect("system", URI_SYSTEM)
    return master.parsed("value", lambda text: Uid(read_uri_oid(text)))


def read_subject(element: Element) -> Ins:
    """The patient whom a logical reference names."""
    named = element.child("subject").child("identifier")
    oid = named.parsed("system", lambda text: Oid(read_uri_oid(text)))
    return named.parsed("value", lambda text: Ins(value=text, oid=oid))


def _read_traits(element: Element) -> PatientTraits:
    family, given = read_name(element)
    return PatientTraits(
        birth_name=family,
        given_name=given,
        birth_date=_read_birth_date(element),
        sex=element.parsed("gender", _read_gender) if element.has("gender") else "U",
    )


def _read_reference_id(related: Element) -> ReferenceId:
    named = related.child("identifier")
    codes = {
        one.text("code")
        for one in named.child("type").children("coding")
        if one.text_or_empty("system") == URI_SYSTEM
    }
    kinds = [kind for kind in ReferenceKind if kind in codes]
    if len(kinds) != 1:
        raise named.refuse("type", "is no reference type that the DMP admits", IssueCode.VALUE)
    return ReferenceId(
        kind=kinds[0],
        value=named.text("value"),
        authority=read_system(named.text_or_empty("system")),
    )


def _read_entry_id(element: Element) -> str:
    for one in uris_with(UUID_PREFIX, element.children("identifier")):
        return one.parsed("value", read_uuid)
    return ""


def read_status(text: str) -> EntryStatus:
    """The status of an entry.

    Raises:
        InvalidValue: it is none.
    """
    try:
        return EntryStatus(text)
    except ValueError as error:
        raise InvalidValue("no status of an entry") from error


def _read_gender(text: str) -> str:
    if text not in _GENDER_TO_SEX:
        raise InvalidValue("not an administrative gender")
    return _GENDER_TO_SEX[text]


def _read_birth_date(element: Element) -> str:
    if element.has("_birthDate"):
        for one in element.child("_birthDate").children("extension"):
            if one.text("url") == ORIGINAL_TEXT:
                return one.parsed("valueString", _read_original_date)
    return element.parsed("birthDate", _read_date) if element.has("birthDate") else ""


def _read_original_date(text: str) -> str:
    if not _ORIGINAL_DATE.fullmatch(text):
        raise InvalidValue("not eight digits")
    return text


def _read_date(text: str) -> str:
    # Not checked against the calendar: so indexes of before wrote what no calendar has.
    found = _DATE.fullmatch(text)
    if found is None:
        raise InvalidValue("not a date")
    return "".join(found.groups())


def _read_hash(text: str) -> str:
    raw = read_base64(text)
    if len(raw) != SHA1_BYTES:
        raise InvalidValue("not a SHA-1")
    return raw.hex()
