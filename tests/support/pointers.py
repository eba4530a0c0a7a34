"""Pointers, whole and valid, of patients who cannot be: what tests submit to an index."""

import hashlib
from dataclasses import replace
from datetime import UTC, datetime

from hypothesis import strategies as st

from indexer.contract.document import (
    Author,
    Code,
    DocumentEntry,
    EntryStatus,
    Identifier,
    Organisation,
    PatientTraits,
    Person,
    ReferenceId,
    ReferenceKind,
    Submission,
    authors_in_full,
)
from indexer.contract.identifiers import INS_NIR, INS_NIR_TEST, Ins, Oid, Uid, ins_key

ANNE = Ins(value="279035121518989", oid=Oid(INS_NIR_TEST))
PAUL = Ins(value="162018885045327", oid=Oid(INS_NIR_TEST))
STUDY = "1.2.250.1.59.40211.9.1"
KOS = b"DICM: a manifest"


def an_entry(number: int = 1, *, patient: Ins = ANNE, document: bytes = KOS) -> DocumentEntry:
    """The entry of a manifest; `number` makes its unique id and its minute."""
    return DocumentEntry(
        unique_id=Uid(f"2.25.1{number}"),
        patient=patient,
        local_patient=Identifier(value="IPP-7", authority="1.2.250.1.59.40211"),
        traits=PatientTraits(
            birth_name="DESMAUX", given_name="Anne", birth_date="19790311", sex="F"
        ),
        class_code=Code(code="31", scheme="1.2.250.1.213.1.1.4.1", display="Imagerie médicale"),
        type_code=Code(code="IMG-KOS", scheme="1.2.250.1.213.1.1.4.12"),
        format_code=Code(code="1.2.840.10008.5.1.4.1.1.88.59", scheme="1.2.840.10008.2.6.1"),
        mime_type="application/dicom",
        confidentiality=(Code(code="N", scheme="2.16.840.1.113883.5.25"),),
        facility=Code(code="SA01", scheme="1.2.250.1.71.4.2.4"),
        practice_setting=Code(code="ETABLISSEMENT", scheme="1.2.250.1.213.1.1.4.9"),
        event_codes=(Code(code="CT", scheme="1.2.840.10008.2.16.4"),),
        reference_ids=(
            ReferenceId(kind=ReferenceKind.STUDY, value=STUDY),
            ReferenceId(kind=ReferenceKind.ACCESSION, value="A|1", authority="1.2.250.1.59.1"),
            ReferenceId(kind=ReferenceKind.ORDER, value="D-1", authority="1.2.250.1.59.2"),
        ),
        created_at=datetime(2026, 11, 23, number // 60 % 24, number % 60, tzinfo=UTC),
        service_start=datetime(2026, 11, 20, 8, 15, tzinfo=UTC),
        service_stop=datetime(2026, 11, 20, 8, 40, tzinfo=UTC),
        language="fr-FR",
        title="Reference d'Objets d'un Examen d'Imagerie",
        comments="KOS",
        author=Person(number="801234567897", family="MARTIN", given="Zoé"),
        author_organisation=Organisation(number="1750803447", name="Hôpital Nord"),
        legal_authenticator=Person(number="801234567897", family="MARTIN", given="Zoé"),
        sha1=hashlib.sha1(document, usedforsecurity=False).hexdigest(),
        size_bytes=len(document),
    )


def a_submission(
    number: int = 1, *, patient: Ins = ANNE, document: bytes = KOS, replaces: str | None = None
) -> Submission:
    """The submission of that entry."""
    return submitting(
        an_entry(number, patient=patient, document=document), document, replaces=replaces
    )


def submitting(entry: DocumentEntry, document: bytes, *, replaces: str | None = None) -> Submission:
    """A submission of an entry that describes the document."""
    return Submission(
        submission_id=Uid(f"{entry.unique_id}.1"),
        source_id=Oid("1.2.250.1.59.40211"),
        submitted_at=datetime(2026, 11, 23, 9, 30, tzinfo=UTC),
        content_type=Code(code="04", scheme="1.2.250.1.213.2.2"),
        entry=entry,
        document=document,
        replaces=replaces,
    )


_texts = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=20)
_words = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), min_size=1, max_size=20)
_oids = st.from_regex(r"[0-2](\.(0|[1-9][0-9]{0,8})){1,6}", fullmatch=True)
_schemes = _oids | st.sampled_from(["http://loinc.org", "urn:ihe:rad:manifest"])
_code_texts = st.text(
    st.characters(codec="utf-8", exclude_categories=["C", "Z"]), min_size=1, max_size=20
)
_codes = st.builds(Code, code=_code_texts, scheme=_schemes, display=_texts)
_identifiers = st.builds(Identifier, value=_words, authority=st.just("") | _oids)
_patient_ids = st.builds(
    Identifier, value=_words, authority=st.just("") | _oids, kind=st.sampled_from(["", "NH"])
)
_kinds = st.sampled_from(["", "EI", "NH"])
_strangers = st.builds(
    Person, number=_words, family=_texts, given=_texts, authority=st.just("") | _oids, kind=_kinds
)
_people = st.builds(Person, number=_texts, family=_texts, given=_texts) | _strangers
_structures = st.builds(Organisation, number=_texts, name=_words)
_authors = st.builds(
    Author,
    person=_people,
    organisations=st.lists(_structures, max_size=3, unique=True).map(tuple),
    roles=st.lists(_words, max_size=2).map(tuple),
    specialities=st.lists(_words, max_size=2).map(tuple),
)
_moments = st.datetimes(timezones=st.just(UTC))
_uuids = st.uuids().map(str)


@st.composite
def patients(draw: st.DrawFn) -> Ins:
    """National identities with a true key, of either kind of department."""
    department = draw(st.sampled_from(["59", "2A", "2B"]))
    number = f"{draw(st.integers(10101, 29912))}{department}{draw(st.integers(0, 999_999)):06}"
    oid = draw(st.sampled_from([INS_NIR, INS_NIR_TEST]))
    return Ins(value=f"{number}{ins_key(number):02}", oid=Oid(oid))


@st.composite
def entries(draw: st.DrawFn) -> DocumentEntry:
    """Entries of all kinds, with texts that nobody would write."""
    who = draw(st.lists(_authors, min_size=1, max_size=3))
    dates = st.dates().map(lambda day: day.strftime("%Y%m%d").rjust(8, "0"))
    return DocumentEntry(
        unique_id=Uid(draw(_oids)),
        patient=draw(patients()),
        local_patient=draw(st.just(Identifier(value="")) | _patient_ids),
        traits=PatientTraits(
            birth_name=draw(_texts),
            given_name=draw(_texts),
            birth_date=draw(st.just("") | dates),
            sex=draw(st.sampled_from("MFU")),
        ),
        class_code=draw(_codes),
        type_code=draw(_codes),
        format_code=draw(_codes),
        mime_type=draw(st.sampled_from(["application/dicom", "text/xml; charset=utf-8"])),
        confidentiality=tuple(draw(st.lists(_codes, max_size=3))),
        facility=draw(_codes),
        practice_setting=draw(_codes),
        event_codes=tuple(draw(st.lists(_codes, max_size=3))),
        reference_ids=tuple(
            ReferenceId(kind=kind, value=one.value, authority=one.authority)
            for kind, one in draw(
                st.lists(st.tuples(st.sampled_from(ReferenceKind), _identifiers), max_size=4)
            )
        ),
        created_at=draw(_moments),
        service_start=draw(st.none() | _moments),
        service_stop=draw(st.none() | _moments),
        language=draw(_texts),
        title=draw(_texts),
        comments=draw(_texts),
        author=who[0].person,
        author_organisation=who[0].organisation,
        authors=authors_in_full(who),
        legal_authenticator=draw(st.none() | _people),
        sha1=draw(st.binary(min_size=20, max_size=20)).hex(),
        size_bytes=draw(st.integers(0, 2**31 - 1)),
        entry_id=draw(st.just("") | _uuids),
        status=draw(st.sampled_from(EntryStatus)),
        document_url="https://index.example/fhir/Binary/1",
    )


@st.composite
def submissions(draw: st.DrawFn) -> Submission:
    """Submissions whose documents are what their entries describe."""
    document = draw(st.binary(min_size=1, max_size=200))
    entry = replace(
        draw(entries()),
        sha1=hashlib.sha1(document, usedforsecurity=False).hexdigest(),
        size_bytes=len(document),
        entry_id="",
        document_url="",
        status=EntryStatus.APPROVED,
    )
    return replace(
        submitting(entry, document, replaces=draw(st.none() | _uuids)),
        submission_id=Uid(draw(_oids)),
        submitted_at=draw(_moments),
        content_type=draw(_codes),
    )
