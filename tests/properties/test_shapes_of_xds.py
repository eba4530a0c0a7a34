"""Whatever is said by XDS.b is said in the shape that the standards give it."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from indexer.client.signature_document import sign_set
from indexer.contract.document import DocumentEntry, EntryStatus, Submission
from indexer.contract.document_set import document_set_of
from indexer.contract.identifiers import Ins, Uid
from indexer.wire.xds import vocabulary as names
from indexer.wire.xds.registry_messages import DocumentRequest, query_response
from indexer.wire.xds.registry_requests import (
    find_request,
    get_by_unique_id_request,
    get_request,
    provide_request,
    retrieve_request,
)
from indexer.wire.xds.writer import add_entry, add_reference, withdraw_objects_request
from indexer.wire.xml import Element
from tests.support.health_pki import a_structure
from tests.support.peers import shared_data
from tests.support.pointers import a_submission, entries, patients, submissions
from tests.support.xds_shapes import faults_of

ID = "11111111-2222-4333-8444-555555555555"
RIM = f"{{{names.RIM}}}"


@given(submissions())
def test_what_is_submitted_has_its_shape(submission: Submission) -> None:
    body, _ = provide_request(document_set_of(submission))

    assert faults_of(body) == []


def test_what_is_signed_has_its_shape() -> None:
    signed = sign_set(
        document_set_of(a_submission()),
        a_structure().key,
        document_id=Uid("2.25.7"),
        now=datetime.now(UTC),
    )

    body, parts = provide_request(signed)

    assert (faults_of(body), len(parts)) == ([], 2)


@given(st.sampled_from([*names.STATUSES.values(), names.ARCHIVED]))
def test_what_is_withdrawn_has_its_shape(status: str) -> None:
    told = document_set_of(a_submission()).submission_set

    assert faults_of(withdraw_objects_request(told, ID, original=status)) == []


@given(patients(), st.frozensets(st.sampled_from(EntryStatus), min_size=1), st.lists(st.uuids()))
def test_what_is_asked_has_its_shape(patient: Ins, statuses: frozenset[EntryStatus], ids) -> None:
    kind = a_submission().entry.type_code

    for body in (
        find_request(patient, statuses, None),
        find_request(patient, statuses, kind),
        get_request(map(str, ids)),
        get_by_unique_id_request(Uid("1.2"), whole=False),
        retrieve_request(DocumentRequest(repository="1.2", unique_id="1.3")),
    ):
        assert faults_of(body) == []


@given(entries())
def test_what_is_found_has_its_shape(entry: DocumentEntry) -> None:
    response, objects = query_response()
    add_entry(objects, replace(entry, entry_id=ID), repository="1.2.3")
    add_reference(objects, ID)

    assert faults_of(response) == []


def without(tag: str, name: str) -> Element:
    """A submission in which an attribute is missing."""
    body, _ = provide_request(document_set_of(a_submission()))
    one = next(body.iter(RIM + tag))
    del one.attrib[name]
    return body


def out_of_order() -> Element:
    body, _ = provide_request(document_set_of(a_submission()))
    document = next(body.iter(f"{RIM}ExtrinsicObject"))
    document.insert(0, document[-1])
    return body


def too_long() -> Element:
    body, _ = provide_request(document_set_of(a_submission()))
    next(body.iter(f"{RIM}Value")).text = "x" * 257
    return body


def twice() -> Element:
    body, _ = provide_request(document_set_of(a_submission()))
    name = next(body.iter(f"{RIM}Name"))
    name.addnext(etree.fromstring(etree.tostring(name)))
    return body


@pytest.mark.parametrize(
    "body",
    [
        without("ExternalIdentifier", "value"),
        without("Classification", "classifiedObject"),
        without("Association", "targetObject"),
        without("Slot", "name"),
        without("ExtrinsicObject", "id"),
        out_of_order(),
        too_long(),
        twice(),
        etree.Element("nothing"),
    ],
)
def test_another_shape_is_told(body: Element) -> None:
    assert faults_of(body) != []


def test_the_agencys_own_submission_has_that_shape_once_its_late_slots_stand_first() -> None:
    """Its referenceIdList stands after the classifications, where ebRIM 3.0 has no slot."""
    data = (shared_data() / "ans" / "XDS" / "publication.xml").read_bytes()
    tag = b"ns4:ProvideAndRegisterDocumentSetRequest"
    begins, ends = data.index(b"<" + tag), data.index(b"</" + tag) + len(tag) + 3
    body = etree.fromstring(data[begins:ends])
    as_sent = faults_of(body)

    for document in body.iter(f"{RIM}ExtrinsicObject"):
        document.insert(0, document.findall(f"{RIM}Slot")[-1])

    assert as_sent != []
    assert faults_of(body) == []
