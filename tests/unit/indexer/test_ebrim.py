"""XDS metadata: what is written, what is read of others, and what is refused."""

from dataclasses import replace

import pytest
from lxml import etree

from indexer.client.xdm import read_metadata, write_metadata
from indexer.contract.document import (
    SIZE_NOT_TOLD,
    Identifier,
    Organisation,
    PatientTraits,
    Person,
    Submission,
)
from indexer.contract.document_set import document_set_of
from indexer.contract.errors import InvalidValue
from indexer.wire.xds.document_set_reader import read_document_set
from indexer.wire.xds.reader import find_objects
from indexer.wire.xds.writer import submit_objects_request
from tests.support.pointers import ANNE, PAUL, a_submission

RIM = "{urn:oasis:names:tc:ebxml-regrep:xsd:rim:3.0}"
SCHEMA_ORDER = ["Slot", "Name", "Description", "Classification", "ExternalIdentifier"]
IDENTIFIER = "urn:uuid:58a6f841-87b3-4a3e-92fd-a8ffeff98427"


def submitted(submission: Submission) -> Submission:
    """As it comes back from its metadata: all but the document."""
    return replace(submission, document=b"")


def altered(old: str, new: str, *, count: int = -1) -> bytes:
    """Metadata in which a text was replaced; it must have been there."""
    text = write_metadata(a_submission(), uri="KOS_1.DCM").decode()
    assert old in text
    return text.replace(old, new, count).encode()


def test_what_is_written_is_read_back() -> None:
    submission = a_submission()

    [found] = read_metadata(write_metadata(submission, uri="KOS_1.DCM"))

    assert found.submission == submitted(submission)
    assert found.uri == "KOS_1.DCM"


def test_the_same_submission_gives_the_same_bytes() -> None:
    first, second = (write_metadata(a_submission(), uri="KOS_1.DCM") for _ in range(2))

    assert first == second


def test_what_is_replaced_is_told_by_an_association() -> None:
    submission = a_submission(replaces="0b6a8ba5-1a4f-4f6c-8f3e-0d1f0a1b2c3d")

    found = read_document_set(find_objects(submit_objects_request(document_set_of(submission))))

    whole = document_set_of(submission)
    [document] = whole.documents
    assert found == replace(whole, documents=(replace(document, content=b""),))


@pytest.mark.parametrize("tag", ["RegistryPackage", "ExtrinsicObject"])
def test_elements_stand_in_the_order_of_the_schema(tag: str) -> None:
    request = submit_objects_request(document_set_of(a_submission()), uris=["KOS_1.DCM"])

    [described] = request.iter(f"{RIM}{tag}")
    found = [etree.QName(one).localname for one in described]
    assert found == sorted(found, key=SCHEMA_ORDER.index)


def test_ids_within_a_request_are_unique() -> None:
    request = submit_objects_request(document_set_of(a_submission(replaces="x")))

    ids = [one.get("id") for one in request.iter() if one.get("id")]
    assert len(ids) == len(set(ids))


def test_delimiters_in_a_name_part_nothing() -> None:
    entry = replace(
        a_submission().entry,
        author=Person(number="8\\1", family="D^UPONT & fils", given="~|"),
        author_organisation=Organisation(number="1^2", name="A&B\\S\\"),
        local_patient=Identifier(value="7^1&2", authority="1.2.3"),
        traits=PatientTraits(birth_name="A^B", given_name="C&D", birth_date="", sex="U"),
    )
    submission = replace(a_submission(), entry=entry)

    [found] = read_metadata(write_metadata(submission, uri="K"))

    assert found.submission.entry == entry


def test_characters_that_xml_cannot_hold_become_blanks() -> None:
    submission = a_submission()
    submission = replace(submission, entry=replace(submission.entry, title="A\x01B\ufffeC"))

    [found] = read_metadata(write_metadata(submission, uri="K"))

    assert found.submission.entry.title == "A B C"


def test_an_author_without_a_number_keeps_their_name() -> None:
    entry = replace(a_submission().entry, author=Person(number="", given="Zoé"))

    [found] = read_metadata(write_metadata(replace(a_submission(), entry=entry), uri="K"))

    assert found.submission.entry.author == Person(number="", given="Zoé")


def test_what_may_be_missing_reads_as_empty() -> None:
    slots = ("sourcePatientId", "sourcePatientInfo", "legalAuthenticator", "hash", "size")
    data = write_metadata(a_submission(), uri="K")
    for slot in slots:
        data = data.replace(f'Slot name="{slot}"'.encode(), b'Slot name="another"')

    [found] = read_metadata(data)

    entry = found.submission.entry
    assert entry.local_patient == Identifier(value="")
    assert entry.traits == PatientTraits(birth_name="", given_name="", birth_date="", sex="U")
    assert (entry.legal_authenticator, entry.sha1, entry.size_bytes) == (None, "", SIZE_NOT_TOLD)


def test_other_documents_of_the_submission_set_are_passed_over() -> None:
    data = altered('mimeType="application/dicom"', 'mimeType="text/xml"')

    assert read_metadata(data) == []


def test_a_classification_beside_the_package_makes_it_a_submission_set() -> None:
    root = submit_objects_request(document_set_of(a_submission()))
    [inside] = [one for one in root.iter() if one.get("classificationNode")]
    [objects] = root.iter(f"{RIM}RegistryObjectList")
    objects.append(inside)

    [found] = read_metadata(etree.tostring(root))

    assert found.submission == submitted(a_submission())


@pytest.mark.parametrize(
    "encoding, mark", [("utf-8", b"\xef\xbb\xbf"), ("iso-8859-1", b""), ("ISO-8859-15", b"")]
)
def test_latin_and_marked_texts_are_read(encoding: str, mark: bytes) -> None:
    text = write_metadata(a_submission(), uri="K").decode().replace("UTF-8'?>", f"{encoding}'?>")

    [found] = read_metadata(mark + text.encode(encoding))

    assert found.submission == submitted(a_submission())


@pytest.mark.parametrize(
    "old, new, reason",
    [
        (f"{RIM[1:-1]}", "urn:another", "holds no list"),
        ('classificationNode="urn:uuid:a54d6aa5', 'classificationNode="urn:uuid:0', "not one"),
        ("20261123093000", "yesterday", "submissionTime is not a date and time"),
        ("creationTime", "created", "creationTime is missing"),
        ("urn:uuid:f0306f51", "urn:uuid:0", "typeCode is missing"),
        (ANNE.value, PAUL.value[:-1] + "0", "patientId is not an INS: its key is wrong"),
        ("KOS_1.DCM", "K" * 1025, "URI is longer than 1024 characters"),
        ("</rim:RegistryObjectList>", "", "not well formed"),
        ("UTF-8'?>", "UTF-16'?>", "encoding that is not supported"),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_reason(old: str, new: str, reason: str) -> None:
    data = altered(old, new)

    with pytest.raises(InvalidValue, match=reason) as refused:
        read_metadata(data)
    assert ANNE.value not in str(refused.value)


def test_a_submission_set_of_another_patient_is_refused() -> None:
    data = altered(ANNE.value, PAUL.value, count=1)

    with pytest.raises(InvalidValue, match="of another patient"):
        read_metadata(data)


@pytest.mark.parametrize(
    "data, reason",
    [
        (b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', "document type declaration"),
        (b"<a>&b;</a>", "not well formed"),
        (b"<a>" + b" " * 4 * 2**20 + b"</a>", "longer than"),
        (b"<a>" + b"<b/>" * 100_001 + b"</a>", "too many elements"),
        (b"<?xml version='1.0'?>\xff\xfe", "not written in the encoding"),
        (b"", "not well formed"),
    ],
)
def test_a_bomb_is_refused_before_it_is_built(data: bytes, reason: str) -> None:
    with pytest.raises(InvalidValue, match=reason):
        read_metadata(data)
