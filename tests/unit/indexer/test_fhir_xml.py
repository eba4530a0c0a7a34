"""Resources in XML: the same as in JSON, and the same to who knows FHIR by another program."""

from contextlib import suppress

import orjson
import pytest
from fhir.resources.R4B import get_fhir_model_class
from hypothesis import given
from hypothesis import strategies as st

from indexer.contract.document import Submission
from indexer.wire.fhir.bundles import provide_bundle
from indexer.wire.fhir.types import RESOURCE_TYPES, TYPES
from indexer.wire.fhir.xml_form import (
    DEPTH_MAX,
    FHIR_XML_BYTES_MAX,
    read_resource,
    write_resource,
)
from indexer.wire.outcome import IssueCode, Json, Refusal
from indexer.wire.xml import clean
from tests.support.pointers import a_submission, submissions

OLD = "11111111-2222-4333-8444-555555555555"
HEAD = b'<List xmlns="http://hl7.org/fhir">'
EXTENDED: Json = {
    "resourceType": "Patient",
    "id": "1",
    "text": {"status": "generated", "div": '<div xmlns="http://www.w3.org/1999/xhtml">A</div>'},
    "active": True,
    "name": [
        {
            "id": "n1",
            "family": "DESMAUX",
            "_family": {"extension": [{"url": "urn:a", "valueString": "b"}]},
            "given": ["Anne", "Marie"],
            "_given": [None, {"id": "g2"}],
        }
    ],
    "_birthDate": {"extension": [{"url": "urn:c", "valueDecimal": 1.5}]},
    "multipleBirthInteger": 2,
}


def as_json(value: object) -> Json:
    sent: Json = orjson.loads(orjson.dumps(value))
    return sent


def cleaned(value: object) -> object:
    """Without what XML cannot hold; line ends and tabs are kept by references."""
    if isinstance(value, dict):
        return {name: cleaned(one) for name, one in value.items()}
    if isinstance(value, list):
        return [cleaned(one) for one in value]
    return clean(value) if isinstance(value, str) else value


@given(submissions())
def test_a_transaction_survives_xml(submission: Submission) -> None:
    bundle = as_json(provide_bundle(submission))

    assert read_resource(write_resource(bundle)) == cleaned(bundle)


def test_what_extends_a_primitive_survives_xml() -> None:
    assert read_resource(write_resource(EXTENDED)) == EXTENDED


def test_another_program_reads_the_same_in_xml() -> None:
    bundle = as_json(provide_bundle(a_submission(replaces=OLD)))

    model = get_fhir_model_class("Bundle").model_validate_xml(write_resource(bundle))

    assert as_json(orjson.loads(model.model_dump_json())) == bundle


@pytest.mark.parametrize("kind", sorted(TYPES))
def test_each_type_has_the_elements_that_fhir_gives_it_in_their_order(kind: str) -> None:
    model = get_fhir_model_class(kind)

    known = model.elements_sequence()

    ours = list(TYPES[kind])
    assert ours == [name for name in known if name in ours]
    # Of the fifty types that an extension may have, those of other resources are left out.
    if kind not in ("Extension", "ParametersParameter"):
        assert ours == known
    fields = {field.alias or name: field for name, field in model.model_fields.items()}
    several = {name for name in ours if "List[" in str(fields[name].annotation)}
    assert {child.name for child in TYPES[kind].values() if child.several} == several


def test_each_resource_type_is_one_of_fhir() -> None:
    for kind in RESOURCE_TYPES:
        assert get_fhir_model_class(kind).get_resource_type() == kind


def test_comments_and_the_place_of_a_schema_do_not_matter() -> None:
    data = (
        b'<?xml version="1.0"?><!-- a --><f:List xmlns:f="http://hl7.org/fhir" '
        b'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:schemaLocation="a b">'
        b'<f:id value="1"/><!-- b --></f:List>'
    )

    assert read_resource(data) == {"resourceType": "List", "id": "1"}


@pytest.mark.parametrize("data", [
    b"",
    b"<List/>",
    b'<Nothing xmlns="http://hl7.org/fhir"/>',
    b'<!DOCTYPE List [<!ENTITY a "b">]>' + HEAD + b'<id value="&a;"/></List>',
    HEAD + b'<id value="1"/><id value="2"/></List>',
    HEAD + b'<mode value="working"/><status value="current"/></List>',
    HEAD + b'<statuz value="current"/></List>',
    HEAD + b'<status code="current"/></List>',
    HEAD + b"<status/></List>",
    HEAD + b"<status>current</status></List>",
    HEAD + b'<entry><deleted value="yes"/></entry></List>',
    HEAD + b"<contained/></List>",
    HEAD + b'<status xmlns="urn:other" value="current"/></List>',
    HEAD + b'<extension url="a">' * (DEPTH_MAX + 1) + b"</extension>" * (DEPTH_MAX + 1)
    + b"</List>",
])  # fmt: skip
def test_what_fhir_does_not_have_is_refused(data: bytes) -> None:
    with pytest.raises(Refusal) as refusal:
        read_resource(data)

    assert refusal.value.code == IssueCode.STRUCTURE


@given(st.binary(max_size=200))
def test_whatever_comes_is_read_or_refused(noise: bytes) -> None:
    with suppress(Refusal):
        read_resource(noise)
    with suppress(Refusal):
        read_resource(HEAD + noise + b"</List>")


def test_what_is_longer_than_a_resource_in_xml_may_be_is_too_long() -> None:
    with pytest.raises(Refusal) as refused:
        read_resource(b" " * (FHIR_XML_BYTES_MAX + 1))

    assert refused.value.code is IssueCode.TOO_LONG
