"""A document entry as MHD and PDSm write it."""

import base64
from dataclasses import replace
from typing import Any

import orjson
import pytest
from hypothesis import given

from indexer.contract.document import DocumentEntry
from indexer.contract.document_set import Association, Relation
from indexer.wire.fhir.document_reference import document_reference, read_document_reference
from indexer.wire.fhir.elements import Element
from indexer.wire.outcome import IssueCode, Json, Refusal
from tests.support.pointers import ANNE, STUDY, an_entry, entries


def written(entry: DocumentEntry) -> Json:
    """The entry's resource after a trip over the wire."""
    resource = document_reference(entry, attachment_url=entry.document_url or "urn:uuid:1")
    read: Json = orjson.loads(orjson.dumps(resource))
    return read


def read(resource: Json) -> DocumentEntry:
    return read_document_reference(Element(resource, "DocumentReference"))


@given(entries())
def test_an_entry_survives_the_wire(entry: DocumentEntry) -> None:
    assert read(written(entry)) == entry


@given(entries())
def test_no_element_is_empty(entry: DocumentEntry) -> None:
    assert_nothing_empty(written(entry))


def assert_nothing_empty(value: object) -> None:
    """FHIR R4 §2.6.2: an element has a value or is left out."""
    assert value not in ("", None, [], {})
    if isinstance(value, dict):
        value = list(value.values())
    for one in value if isinstance(value, list) else ():
        assert_nothing_empty(one)


def test_the_patient_is_named_by_the_national_identity_alone() -> None:
    resource = written(an_entry())

    assert resource["subject"] == {
        "type": "Patient",
        "identifier": {"system": f"urn:oid:{ANNE.oid}", "value": ANNE.value},
    }


def test_what_the_centre_knows_of_the_patient_is_contained() -> None:
    resource = written(an_entry())

    [patient] = [one for one in resource["contained"] if one["resourceType"] == "Patient"]
    assert resource["context"]["sourcePatientInfo"] == {"reference": f"#{patient['id']}"}
    assert patient["identifier"] == [{"system": "urn:oid:1.2.250.1.59.40211", "value": "IPP-7"}]
    assert patient["name"] == [{"use": "official", "family": "DESMAUX", "given": ["Anne"]}]
    assert (patient["birthDate"], patient["gender"]) == ("1979-03-11", "female")


@pytest.mark.parametrize("born, told", [
    ("19790311", "1979-03-11"),
    ("19790231", "1979-02"),
    ("19790000", "1979"),
    ("00000000", None),
])  # fmt: skip
def test_a_birth_date_is_one_of_the_calendar_with_the_original_beside_it(
    born: str, told: str | None
) -> None:
    entry = replace(an_entry(), traits=replace(an_entry().traits, birth_date=born))

    resource = written(entry)

    patient = resource["contained"][0]
    assert patient.get("birthDate") == told
    assert ("_birthDate" in patient) == (told != "1979-03-11")
    assert read(resource).traits.birth_date == born


def test_the_unique_id_is_repeated_among_the_identifiers() -> None:
    resource = written(replace(an_entry(), entry_id="5e9bd1c0-0000-4000-8000-000000000001"))

    values = [one["value"] for one in resource["identifier"]]
    assert values == ["urn:oid:2.25.11", "urn:uuid:5e9bd1c0-0000-4000-8000-000000000001"]
    assert resource["masterIdentifier"]["value"] == values[0]


def test_the_hash_is_base64_of_the_raw_sha1() -> None:
    entry = an_entry()

    attachment = written(entry)["content"][0]["attachment"]

    assert base64.b64decode(attachment["hash"]).hex() == entry.sha1
    assert attachment["size"] == entry.size_bytes


def test_reference_ids_are_typed_by_urn_and_for_mado_by_dicom_code() -> None:
    study, accession, order = (
        one["identifier"] for one in written(an_entry())["context"]["related"]
    )

    assert (study["value"], "system" in study) == (STUDY, False)
    assert codes(study) == ["urn:ihe:iti:xds:2016:studyInstanceUID", "110180"]
    assert codes(accession) == ["urn:ihe:iti:xds:2013:accession", "121022"]
    assert codes(order) == ["urn:ihe:iti:xds:2013:order"]
    assert accession["system"] == "urn:oid:1.2.250.1.59.1"


def codes(identifier: Json) -> list[str]:
    return [coding["code"] for coding in identifier["type"]["coding"]]


def test_a_replacement_names_what_it_replaces() -> None:
    replaces = Association(relation=Relation.REPLACES, source="1", target="abc")

    resource = document_reference(an_entry(), attachment_url="urn:uuid:1", relations=[replaces])

    assert resource["relatesTo"] == [
        {"code": "replaces", "target": {"reference": "DocumentReference/abc"}}
    ]


def test_a_transformation_that_replaces_is_told_in_two_words() -> None:
    both = Association(relation=Relation.TRANSFORMS_AND_REPLACES, source="1", target="abc")

    resource = document_reference(an_entry(), attachment_url="urn:uuid:1", relations=[both])

    assert [one["code"] for one in resource["relatesTo"]] == ["transforms", "replaces"]


def test_times_of_another_zone_are_read_in_utc() -> None:
    resource = written(an_entry())
    resource["content"][0]["attachment"]["creation"] = "2026-11-23T01:01:00+01:00"

    assert read(resource).created_at == an_entry(1).created_at


@pytest.mark.parametrize("path, value, code", [
    ("masterIdentifier.value", "urn:oid:1..2", IssueCode.VALUE),
    ("masterIdentifier.system", "urn:oid:1.2", IssueCode.VALUE),
    ("masterIdentifier", None, IssueCode.REQUIRED),
    ("status", "draft", IssueCode.VALUE),
    ("subject.identifier.value", "279035121518988", IssueCode.VALUE),
    ("subject.identifier.system", "http://example", IssueCode.VALUE),
    ("category", [], IssueCode.REQUIRED),
    ("type.coding.0.code", "", IssueCode.VALUE),
    ("type.coding", "text", IssueCode.STRUCTURE),
    ("author", None, IssueCode.REQUIRED),
    ("contained.1.name.0.family", "A" * 1025, IssueCode.TOO_LONG),
    ("contained.1.name.0.given", ["A"] * 1025, IssueCode.TOO_LONG),
    ("contained.1.identifier.0.value", "8" * 1025, IssueCode.TOO_LONG),
    ("contained.0.birthDate", "1979-3-11", IssueCode.VALUE),
    ("contained.0.gender", "femme", IssueCode.VALUE),
    ("context.sourcePatientInfo.reference", "Patient/1", IssueCode.NOT_SUPPORTED),
    ("context.period.start", "2026-11-20", IssueCode.VALUE),
    ("context.period.start", "2026-11-20T08:00:00", IssueCode.VALUE),
    ("context.period.start", "2026-02-30T08:00:00Z", IssueCode.VALUE),
    ("context.related.0.identifier.type.coding", [], IssueCode.VALUE),
    ("content.0.attachment.contentType", "a/b\r\nX: y", IssueCode.VALUE),
    ("content.0.attachment.hash", "AAAA", IssueCode.VALUE),
    ("content.0.attachment.hash", "é", IssueCode.VALUE),
    ("content.0.attachment.size", True, IssueCode.VALUE),
    ("content.0.attachment.size", -1, IssueCode.VALUE),
    ("content.0.attachment.title", "a\x00b", IssueCode.VALUE),
    ("content.0.attachment.url", None, IssueCode.REQUIRED),
    ("content", {}, IssueCode.STRUCTURE),
])  # fmt: skip
def test_what_is_wrong_is_refused_by_its_path(path: str, value: object, code: IssueCode) -> None:
    resource = written(an_entry())
    change(resource, path, value)

    with pytest.raises(Refusal) as refusal:
        read(resource)

    assert refusal.value.code == code
    assert refusal.value.expression.startswith("DocumentReference.")
    assert ANNE.value not in refusal.value.reason


def test_a_missing_author_is_not_told_as_a_wrong_one() -> None:
    resource = written(an_entry())
    change(resource, "author", None)

    with pytest.raises(Refusal, match=r"^DocumentReference\.author is missing$"):
        read(resource)


def change(resource: Json, path: str, value: object) -> None:
    """Set the element at a path, or take it away."""
    *way, last = path.split(".")
    place: Any = resource
    for step in way:
        place = place[int(step)] if isinstance(place, list) else place[step]
    if value is None:
        del place[last]
    else:
        place[last] = value
