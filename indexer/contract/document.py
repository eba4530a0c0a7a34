"""A document as the index knows it: its metadata, its submission and the search for it.

The attributes are those of an XDS DocumentEntry (ITI TF-3 §4.2.3.2) with the French rules of the
CI-SIS; the FHIR (ITI-65) and ebRIM (ITI-41) forms are made from them in `indexer.wire`.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Final

from indexer.contract.errors import InvalidValue
from indexer.contract.identifiers import Ins, Oid, Uid


@dataclass(frozen=True, slots=True, kw_only=True)
class Code:
    """A coded value; `scheme` is the code system's OID or URI."""

    code: str
    scheme: str
    display: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Identifier:
    """A value within its authority: a local patient id, an accession, an order number."""

    value: str
    authority: str = ""
    """OID of who gave the value; empty where the sender names none."""
    kind: str = ""
    """What it is, of HL7 table 0203; empty for what identifiers of its place are."""


class ReferenceKind(StrEnum):
    """What a reference id refers to: the CXi.5 of ITI TF-3 §4.2.3.1.7 that the DMP admits."""

    ACCESSION = "urn:ihe:iti:xds:2013:accession"
    ORDER = "urn:ihe:iti:xds:2013:order"
    STUDY = "urn:ihe:iti:xds:2016:studyInstanceUID"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferenceId:
    """One value of referenceIdList; `authority` is empty for a Study Instance UID."""

    kind: ReferenceKind
    value: str
    authority: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Organisation:
    """A structure by its national number (authority 1.2.250.1.71.4.2.2)."""

    number: str
    name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """A professional by national number, or whoever acts in their place."""

    number: str
    family: str = ""
    given: str = ""
    authority: str = ""
    """OID of who gave the number; empty for the register of professionals, 1.2.250.1.71.4.2.1."""
    kind: str = ""
    """What the number is, of HL7 table 0203, such as EI for a system's; empty for IDNPS."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Author:
    """Who made a document, with all that is told of them (ITI TF-3 §4.2.3.2.1)."""

    person: Person
    organisations: tuple[Organisation, ...] = ()
    """In whose name they act; the first is the one that answers for the document."""
    roles: tuple[str, ...] = ()
    specialities: tuple[str, ...] = ()

    @property
    def organisation(self) -> Organisation:
        """The first structure; empty where none is told."""
        return next(iter(self.organisations), Organisation(number=""))


@dataclass(frozen=True, slots=True, kw_only=True)
class PatientTraits:
    """Identity traits that go with a document (sourcePatientInfo)."""

    birth_name: str
    given_name: str
    birth_date: str
    """YYYYMMDD, or empty where unknown."""
    sex: str
    """M, F or U."""


class EntryStatus(StrEnum):
    """availabilityStatus of an entry, in the words of FHIR (DocumentReference.status)."""

    APPROVED = "current"
    DEPRECATED = "superseded"
    """Another entry replaces it."""
    WITHDRAWN = "entered-in-error"
    """What the DMP calls Deleted: kept, and shown to nobody who does not ask for it."""


def authors_in_full(authors: Sequence[Author]) -> tuple[Author, ...]:
    """What `DocumentEntry.authors` is of authors, of whom there is at least one."""
    [first, *others] = authors
    plain = len(first.organisations) < 2 and not (first.roles or first.specialities or others)
    return () if plain else tuple(authors)


SIZE_NOT_TOLD: Final = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentEntry:
    """Index metadata of one document. All times are aware and in UTC."""

    unique_id: Uid
    patient: Ins
    local_patient: Identifier
    traits: PatientTraits
    class_code: Code
    type_code: Code
    format_code: Code
    mime_type: str
    confidentiality: tuple[Code, ...]
    facility: Code
    practice_setting: Code
    event_codes: tuple[Code, ...]
    reference_ids: tuple[ReferenceId, ...]
    created_at: datetime
    service_start: datetime | None
    service_stop: datetime | None
    language: str
    title: str
    comments: str
    author: Person
    author_organisation: Organisation
    authors: tuple[Author, ...] = ()
    """All authors in full, where there is more of them than `author` in the name of
    `author_organisation`, who are the first; else empty."""
    legal_authenticator: Person | None
    sha1: str
    """SHA-1 of the document's bytes in lower-case hex: what XDS and MHD prescribe.

    Empty where its sender leaves it to who has the document."""
    size_bytes: int
    """`SIZE_NOT_TOLD` where its sender leaves it to who has the document."""
    entry_id: str = ""
    """entryUUID without its urn prefix; allotted by the index, empty before."""
    status: EntryStatus = EntryStatus.APPROVED
    document_url: str = ""
    """Where the index serves the document: an address, or by XDS.b the URN of its repository; empty
    before it holds it."""

    @property
    def every_author(self) -> tuple[Author, ...]:
        """All authors, whether or not there is more of them than a name and a structure."""
        first = Author(person=self.author, organisations=(self.author_organisation,))
        return self.authors or (first,)


def of_document(entry: DocumentEntry, document: bytes) -> DocumentEntry:
    """The entry with the hash and the size that its document has.

    Raises:
        InvalidValue: it tells others.
    """
    sha1 = hashlib.sha1(document, usedforsecurity=False).hexdigest()
    if entry.sha1 not in ("", sha1):
        raise InvalidValue("the document's hash is not the one that its metadata tells")
    if entry.size_bytes not in (SIZE_NOT_TOLD, len(document)):
        raise InvalidValue("the document is not of the size that its metadata tells")
    if entry.sha1 and entry.size_bytes != SIZE_NOT_TOLD:
        return entry
    return replace(entry, sha1=sha1, size_bytes=len(document))


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """One document on its way to the index, with its submission set."""

    submission_id: Uid
    source_id: Oid
    submitted_at: datetime
    content_type: Code
    entry: DocumentEntry
    document: bytes
    replaces: str | None = None
    """entry_id of the entry that this one replaces (RPLC)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What the index answers to a submission that it holds."""

    entry_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentQuery:
    """Search of a patient's entries; `None` and empty mean any."""

    patient: Ins
    statuses: frozenset[EntryStatus] = frozenset({EntryStatus.APPROVED})
    type_code: Code | None = None
    study: Uid | None = None
