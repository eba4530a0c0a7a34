"""A submission set as a List (MHD Comprehensive SubmissionSet), both ways."""

from collections.abc import Iterable

from indexer.contract.document import Code, Organisation, Person
from indexer.contract.document_set import SubmissionSet
from indexer.contract.identifiers import Oid, Uid
from indexer.wire.fhir.contained import (
    AUTHOR,
    ORGANISATION,
    Contained,
    local,
    organisation,
    practitioner,
    read_organisation,
    read_professional,
)
from indexer.wire.fhir.document_reference import read_subject, subject
from indexer.wire.fhir.elements import (
    Element,
    compact,
    concept,
    read_concept,
    read_uri_oid,
    read_uuid,
    uri_identifier,
    uris_with,
    write_moment,
)
from indexer.wire.outcome import IssueCode, Json
from indexer.wire.vocabulary import (
    AUTHOR_ORGANISATION,
    DESIGNATION_TYPE,
    LIST_TYPES,
    OID_PREFIX,
    SOURCE_ID,
    SUBMISSION_SET,
    SUBMISSION_SET_PROFILE,
    URI_SYSTEM,
    UUID_PREFIX,
)


def submission_set_list(
    told: SubmissionSet, *, list_url: str, document_urls: Iterable[str]
) -> Json:
    """The List that tells who submits what.

    Args:
        told: the submission set.
        list_url: the List's own `urn:uuid:`, its entryUUID.
        document_urls: what the List's entries refer to.
    """
    source = {"system": URI_SYSTEM, "value": OID_PREFIX + told.source_id}
    contained = [practitioner(AUTHOR, told.author)]
    extension: list[Json] = [
        {"url": DESIGNATION_TYPE, "valueCodeableConcept": concept(told.content_type)},
        {"url": SOURCE_ID, "valueIdentifier": source},
    ]
    if told.author_organisation != Organisation(number=""):  # an empty one breaks org-1 of FHIR R4
        contained.append(organisation(ORGANISATION, told.author_organisation))
        extension.append({"url": AUTHOR_ORGANISATION, "valueReference": local(ORGANISATION)})
    return compact(
        resourceType="List",
        id=told.set_id,
        meta={"profile": [SUBMISSION_SET_PROFILE]},
        contained=contained,
        extension=extension,
        identifier=[
            uri_identifier(OID_PREFIX + told.unique_id, use="usual"),
            uri_identifier(list_url, use="official"),
        ],
        status="current",
        mode="working",
        title=told.title,
        code={"coding": [{"system": LIST_TYPES, "code": SUBMISSION_SET}]},
        subject=subject(told.patient),
        date=write_moment(told.submitted_at),
        source=local(AUTHOR),
        note=[{"text": told.comments}] if told.comments else [],
        entry=[{"item": {"reference": one}} for one in document_urls],
    )


def read_submission_set(listed: Element) -> SubmissionSet:
    """The submission set that a List tells of; who submits may be left out.

    Raises:
        Refusal: an element that the set needs is absent, or is not what it claims to be.
    """
    listed.expect("status", "current")
    listed.expect("mode", "working")
    code = read_concept(listed.child("code"))
    if (code.scheme, code.code) != (LIST_TYPES, SUBMISSION_SET):
        raise listed.refuse("code", "is not that of a submission set", IssueCode.NOT_SUPPORTED)
    author, structure = _read_author(listed)
    source = _extension(listed, SOURCE_ID).child("valueIdentifier")
    notes = listed.children("note")
    return SubmissionSet(
        unique_id=_read_unique_id(listed),
        source_id=source.parsed("value", lambda text: Oid(read_uri_oid(text))),
        patient=read_subject(listed),
        submitted_at=listed.moment("date"),
        content_type=_read_designation(listed),
        author=author,
        author_organisation=structure,
        title=listed.text_or_empty("title"),
        comments=notes[0].text_or_empty("text") if notes else "",
        set_id=_read_set_id(listed),
    )


def _read_unique_id(listed: Element) -> Uid:
    for one in uris_with(OID_PREFIX, listed.children("identifier")):
        return one.parsed("value", lambda text: Uid(read_uri_oid(text)))
    raise listed.refuse("identifier", "names no unique id", IssueCode.REQUIRED)


def _read_set_id(listed: Element) -> str:
    for one in uris_with(UUID_PREFIX, listed.children("identifier")):
        return one.parsed("value", read_uuid)
    return ""


def _read_author(listed: Element) -> tuple[Person, Organisation]:
    contained = Contained(listed)
    person, structure = Person(number=""), Organisation(number="")
    if listed.has("source"):
        person, structures = read_professional(contained, listed, "source")
        structure = next(iter(structures), structure)
    for one in listed.children("extension"):
        if one.text("url") == AUTHOR_ORGANISATION:
            structure = read_organisation(contained.referred(one, "valueReference"))
    return person, structure


def _read_designation(listed: Element) -> Code:
    return read_concept(_extension(listed, DESIGNATION_TYPE).child("valueCodeableConcept"))


def _extension(element: Element, url: str) -> Element:
    for one in element.children("extension"):
        if one.text("url") == url:
            return one
    raise element.refuse("extension", f"lacks {url.rpartition('/')[2]}", IssueCode.REQUIRED)
