"""What of an entry may change once it is held, and the three forms in which a patch may say so."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.wire.fhir.document_reference import document_reference
from indexer.wire.fhir.elements import Element
from indexer.wire.fhir.fhirpath_patch import read_fhirpath_patch
from indexer.wire.fhir.patch import NotChangeable, patched, read_json_patch, withdrawal_patch
from indexer.wire.fhir.xml_form import read_resource, write_resource
from indexer.wire.fhir.xml_patch import read_xml_patch
from indexer.wire.outcome import IssueCode, Json, Refusal
from tests.support.pointers import an_entry

STATUS = {"op": "replace", "path": "/status", "value": "entered-in-error"}
NORMAL = {"coding": [{"system": "urn:oid:2.16.840.1.113883.5.25", "code": "N"}]}
MASKED = {"coding": [{"system": "urn:oid:1.2.250.1.213.1.1.4.13", "code": "MASQUE_PS"}]}
IN_XML = (
    b'<f:securityLabel xmlns:f="http://hl7.org/fhir"><f:coding>'
    b'<f:system value="urn:oid:1.2.250.1.213.1.1.4.13"/><f:code value="MASQUE_PS"/>'
    b"</f:coding></f:securityLabel>"
)
_values = st.none() | st.booleans() | st.integers() | st.text(max_size=9)
_paths = st.sampled_from(
    ["/status", "/securityLabel", "/securityLabel/0", "/securityLabel/-", "/securityLabel/0/coding"]
)
_operations = st.fixed_dictionaries(
    {"op": st.sampled_from(["add", "remove", "replace", "move", "copy", "test"]), "path": _paths},
    optional={"value": _values | st.just([MASKED]) | st.just(MASKED), "from": _paths},
)


def an_entry_resource() -> Json:
    return document_reference(an_entry(), attachment_url="urn:uuid:1")


def after(patch: object) -> Json:
    return patched(read_json_patch(patch), an_entry_resource())


def labels(resource: Json) -> list[str]:
    return [one["coding"][0]["code"] for one in resource["securityLabel"]]


def parameters(*operations: dict[str, Any]) -> Json:
    """A FHIRPath Patch; the name of each part tells the type of its value."""
    types = {"type": "valueCode", "path": "valueString", "name": "valueString"}
    return {
        "resourceType": "Parameters",
        "parameter": [
            {
                "name": "operation",
                "part": [
                    {"name": name, types.get(name, _value_name(value)): value}
                    for name, value in one.items()
                ],
            }
            for one in operations
        ],
    }


def _value_name(value: object) -> str:
    if isinstance(value, dict):
        return "valueCodeableConcept"
    return "valueInteger" if isinstance(value, int) else "valueCode"


def test_a_withdrawal_is_written_as_the_national_guide_shows_it() -> None:
    assert withdrawal_patch() == [STATUS]


def test_a_withdrawal_changes_the_status_alone_however_often_it_is_said() -> None:
    once = after(withdrawal_patch())
    twice = patched(read_json_patch(withdrawal_patch() * 2), once)

    assert once == an_entry_resource() | {"status": "entered-in-error"}
    assert twice == once


@pytest.mark.parametrize("patch", [
    [{"op": "replace", "path": "/securityLabel", "value": [NORMAL, MASKED]}],
    [{"op": "add", "path": "/securityLabel/-", "value": MASKED}],
    [{"op": "add", "path": "/securityLabel/1", "value": MASKED}],
    [{"op": "add", "path": "/securityLabel/0", "value": MASKED},
     {"op": "move", "from": "/securityLabel/1", "path": "/securityLabel/0"}],
    [{"op": "copy", "from": "/securityLabel/0", "path": "/securityLabel/-"},
     {"op": "replace", "path": "/securityLabel/1/coding/0/code", "value": "MASQUE_PS"}],
    [{"op": "test", "path": "/status", "value": "current"},
     {"op": "replace", "path": "/securityLabel/0", "value": MASKED},
     {"op": "add", "path": "/securityLabel/0", "value": NORMAL}],
])  # fmt: skip
def test_a_label_is_added_by_whatever_operations_lead_to_it(patch: object) -> None:
    assert labels(after(patch)) == ["N", "MASQUE_PS"]


@pytest.mark.parametrize("operations", [
    [{"type": "add", "path": "DocumentReference", "name": "securityLabel", "value": MASKED}],
    [{"type": "insert", "path": "DocumentReference.securityLabel", "index": 1, "value": MASKED}],
    [{"type": "insert", "path": "DocumentReference.securityLabel", "index": 0, "value": MASKED},
     {"type": "move", "path": "DocumentReference.securityLabel", "source": 1, "destination": 0}],
])  # fmt: skip
@pytest.mark.parametrize("in_xml", [False, True])
def test_a_label_is_added_by_a_fhirpath_patch(operations: list[Json], in_xml: bool) -> None:
    resource = parameters(*operations)
    if in_xml:
        resource = read_resource(write_resource(resource))

    read = read_fhirpath_patch(Element(resource, "Parameters"))

    assert labels(patched(read, an_entry_resource())) == ["N", "MASQUE_PS"]


def test_a_label_is_removed_and_a_status_replaced_by_a_fhirpath_patch() -> None:
    masked = after([{"op": "add", "path": "/securityLabel/-", "value": MASKED}])
    resource = parameters(
        {"type": "delete", "path": "DocumentReference.securityLabel[1]"},
        {"type": "replace", "path": "DocumentReference.status", "value": "superseded"},
    )

    left = patched(read_fhirpath_patch(Element(resource, "Parameters")), masked)

    assert (labels(left), left["status"]) == (["N"], "superseded")


@pytest.mark.parametrize("operation", [
    b'<add sel="/f:DocumentReference">' + IN_XML + b"</add>",
    b'<add sel="f:DocumentReference/f:securityLabel[1]" pos="after">' + IN_XML + b"</add>",
    b'<add sel="*/f:securityLabel" pos="before">' + IN_XML + b"</add>"
    b'<remove sel="*/f:securityLabel[2]"/><add sel="*/f:securityLabel" pos="before">'
    + IN_XML.replace(b"1.2.250.1.213.1.1.4.13", b"2.16.840.1.113883.5.25")
    .replace(b"MASQUE_PS", b"N") + b"</add>",
])  # fmt: skip
def test_a_label_is_added_by_an_xml_patch(operation: bytes) -> None:
    data = b'<diff xmlns:f="http://hl7.org/fhir">' + operation + b"</diff>"

    assert labels(patched(read_xml_patch(data), an_entry_resource())) == ["N", "MASQUE_PS"]


@pytest.mark.parametrize("operation", [
    b'<replace sel="/f:DocumentReference/f:status/@value">entered-in-error</replace>',
    b'<replace sel="/f:DocumentReference/f:status">'
    b'<status xmlns="http://hl7.org/fhir" value="entered-in-error"/></replace>',
])  # fmt: skip
def test_an_entry_is_withdrawn_by_an_xml_patch(operation: bytes) -> None:
    data = b'<diff xmlns:f="http://hl7.org/fhir">' + operation + b"</diff>"

    assert patched(read_xml_patch(data), an_entry_resource()) == after([STATUS])


@pytest.mark.parametrize("path", ["/description", "/extension/0/valueBoolean", "/date", ""])
def test_no_other_element_can_be_changed(path: str) -> None:
    with pytest.raises(NotChangeable):
        read_json_patch([STATUS, STATUS | {"path": path}])


@pytest.mark.parametrize("resource", [
    parameters({"type": "delete", "path": "DocumentReference.type"}),
    parameters({"type": "add", "path": "DocumentReference", "name": "author", "value": MASKED}),
])  # fmt: skip
def test_no_other_element_can_be_changed_by_fhirpath(resource: Json) -> None:
    with pytest.raises(NotChangeable):
        read_fhirpath_patch(Element(resource, "Parameters"))


def test_no_other_element_can_be_changed_by_xml() -> None:
    with pytest.raises(NotChangeable):
        read_xml_patch(b'<diff><remove sel="/DocumentReference/author[1]"/></diff>')


@pytest.mark.parametrize("operation, code", [
    (STATUS | {"value": "draft"}, IssueCode.VALUE),
    (STATUS | {"value": ["entered-in-error"]}, IssueCode.STRUCTURE),
    (STATUS | {"op": "test"}, IssueCode.BUSINESS_RULE),
    (STATUS | {"path": "/status/0"}, IssueCode.BUSINESS_RULE),
    ({"op": "remove", "path": "/status"}, IssueCode.REQUIRED),
    ({"op": "remove", "path": "/securityLabel"}, IssueCode.BUSINESS_RULE),
    ({"op": "remove", "path": "/securityLabel/0"}, IssueCode.BUSINESS_RULE),
    ({"op": "remove", "path": "/securityLabel/7"}, IssueCode.BUSINESS_RULE),
    ({"op": "replace", "path": "/securityLabel", "value": [NORMAL] * 17}, IssueCode.BUSINESS_RULE),
    ({"op": "replace", "path": "/securityLabel", "value": "N"}, IssueCode.STRUCTURE),
    ({"op": "add", "path": "/securityLabel/9", "value": MASKED}, IssueCode.BUSINESS_RULE),
    ({"op": "add", "path": "/securityLabel/-", "value": {}}, IssueCode.REQUIRED),
])  # fmt: skip
def test_an_entry_becomes_nothing_that_it_may_not_be(operation: Json, code: IssueCode) -> None:
    with pytest.raises(Refusal) as refusal:
        after([operation])

    assert refusal.value.code == code


@pytest.mark.parametrize("before, later", [
    ("superseded", "current"), ("entered-in-error", "current"), ("entered-in-error", "superseded"),
])  # fmt: skip
def test_a_status_never_goes_back(before: str, later: str) -> None:
    entry = an_entry_resource() | {"status": before}

    with pytest.raises(Refusal) as refusal:
        patched(read_json_patch([STATUS | {"value": later}]), entry)

    assert refusal.value.code == IssueCode.BUSINESS_RULE


@pytest.mark.parametrize("patch", [
    {}, [], None, "x", [STATUS] * 17, [None], [[]], [{"op": "replace"}], [{"path": "/status"}],
    [{"op": "erase", "path": "/status"}], [{"op": 1, "path": "/status"}],
    [{"op": "replace", "path": "/status"}], [{"op": "move", "path": "/status"}],
    [{"op": "remove", "path": "status"}], [{"op": "remove", "path": "/status~2"}],
])  # fmt: skip
def test_what_is_no_patch_is_refused(patch: object) -> None:
    with pytest.raises(Refusal) as refusal:
        read_json_patch(patch)

    assert refusal.value.code == IssueCode.STRUCTURE


@pytest.mark.parametrize("resource", [
    {"resourceType": "Patient"},
    {"resourceType": "Parameters"},
    parameters({"path": "DocumentReference.status"}),
    parameters({"type": "erase", "path": "DocumentReference.status"}),
    parameters({"type": "replace", "path": "DocumentReference.status"}),
    parameters({"type": "delete", "path": "DocumentReference.where(true)"}),
    parameters(*[{"type": "delete", "path": "DocumentReference.status"}] * 17),
])  # fmt: skip
def test_what_is_no_fhirpath_patch_is_refused(resource: Json) -> None:
    with pytest.raises(Refusal):
        read_fhirpath_patch(Element(resource, "Parameters"))


@pytest.mark.parametrize("operations", [
    b"",
    b'<erase sel="/DocumentReference/status"/>',
    b"<remove/>",
    b'<remove sel="//status"/>',
    b'<remove sel="/DocumentReference/status/@value"/>',
    b'<replace sel="/DocumentReference/securityLabel/@value">x</replace>',
    b'<replace sel="/DocumentReference/status"/>',
    b'<replace sel="/DocumentReference/status"><a/></replace>',
    b'<add sel="/DocumentReference/status" pos="after">' + IN_XML + b"</add>",
    b'<add sel="/DocumentReference" pos="within">' + IN_XML + b"</add>",
])  # fmt: skip
def test_what_is_no_xml_patch_is_refused(operations: bytes) -> None:
    with pytest.raises(Refusal):
        read_xml_patch(b"<diff>" + operations + b"</diff>")


@given(st.lists(_operations | _values, max_size=4))
def test_whatever_is_sent_makes_an_entry_or_is_refused(patch: list[object]) -> None:
    try:
        resource = after(patch)
    except Refusal:
        return
    rest = {"status": "current", "securityLabel": [NORMAL]}
    assert resource | rest == an_entry_resource()
    assert len(labels(resource)) == len(resource["securityLabel"]) >= 1


def test_a_patch_makes_no_more_of_an_entry_than_it_brings() -> None:
    """Each copy of the labels into themselves doubles them."""
    doubling = {"op": "copy", "from": "/securityLabel", "path": "/securityLabel/-"}
    brought = {"op": "add", "path": "/securityLabel/-", "value": {"text": "x" * 14_000}}

    with pytest.raises(Refusal) as refusal:
        after([brought, *[doubling] * 15])

    assert refusal.value.code is IssueCode.TOO_LONG
