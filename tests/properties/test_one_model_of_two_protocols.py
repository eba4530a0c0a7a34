"""What comes by XDS.b is kept in FHIR's form, which is FHIR: nothing that one can tell is lost in
the other."""

from dataclasses import replace

from fhir.resources.R4B.documentreference import DocumentReference
from fhir.resources.R4B.list import List
from hypothesis import assume, given

from indexer.contract.document import Identifier, Submission
from indexer.contract.document_set import DocumentSet, document_set_of
from indexer.contract.errors import InvalidValue
from indexer.wire.fhir.document_reference import document_reference, read_document_reference
from indexer.wire.fhir.elements import Element
from indexer.wire.fhir.submission_set import read_submission_set, submission_set_list
from indexer.wire.xds.document_set_reader import read_document_set
from indexer.wire.xds.reader import find_objects
from indexer.wire.xds.writer import submit_objects_request
from tests.support.pointers import an_entry, submissions

UUID = "11111111-2222-4333-8444-555555555555"


def as_told(submission: Submission) -> DocumentSet:
    """As it is read of the metadata that tells it, where XDS can tell it at all."""
    entry = replace(
        submission.entry,
        language="fr-FR",
        local_patient=Identifier(value=submission.entry.local_patient.value.strip() or "7"),
        confidentiality=submission.entry.confidentiality or an_entry().confidentiality,
    )
    request = submit_objects_request(document_set_of(replace(submission, entry=entry)))
    try:
        return read_document_set(find_objects(request))
    except InvalidValue:
        assume(False)
        raise


@given(submissions())
def test_an_entry_that_xds_tells_comes_back_out_of_fhir(submission: Submission) -> None:
    [document] = as_told(submission).documents
    entry = replace(document.entry, entry_id=UUID)

    resource = document_reference(entry, attachment_url=f"urn:uuid:{UUID}")
    DocumentReference.model_validate(resource)
    kept = read_document_reference(Element(resource, "DocumentReference"))

    assert replace(kept, document_url="") == entry


@given(submissions())
def test_a_submission_set_that_xds_tells_comes_back_out_of_fhir(submission: Submission) -> None:
    told = replace(as_told(submission).submission_set, set_id=UUID)

    listed = submission_set_list(told, list_url=f"urn:uuid:{UUID}", document_urls=[])
    List.model_validate(listed)

    assert read_submission_set(Element(listed, "List")) == told
