"""What the index answers in FHIR's words, as another program reads it: fhir.resources (R4B).

R4B has the resources that are spoken here as R4 has them.
"""

import orjson
import pytest
from fhir.resources.R4B import get_fhir_model_class

from indexer.server.web.negotiation import FhirResponse
from indexer.wire.fhir.xml_form import write_resource
from indexer.wire.outcome import Json


def watch_answers(monkeypatch: pytest.MonkeyPatch) -> list[Json]:
    """Every resource that an index in this process answers with from now on."""
    answered: list[Json] = []
    make = FhirResponse.__init__

    def watched(self: FhirResponse, resource: Json, **options: object) -> None:
        answered.append(resource)
        make(self, resource, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(FhirResponse, "__init__", watched)
    return answered


def expect_fhir(resource: Json) -> None:
    """Make sure that a resource is FHIR, in JSON and in XML, and the same in both."""
    told = orjson.dumps(resource)
    model = get_fhir_model_class(resource["resourceType"])
    in_json = model.model_validate_json(told)
    in_xml = model.model_validate_xml(write_resource(orjson.loads(told)))

    assert in_xml.model_dump_json() == in_json.model_dump_json()


def expect_mhd(resource: Json) -> None:
    """Make sure that a resource has what MHD wants of it: so many of each element, and no others.

    Its Comprehensive profiles are told here anew, not taken from what writes the answers.
    """
    kind = resource["resourceType"]
    if kind == "Bundle":
        _expect_bundle(resource)
    if kind == "DocumentReference":
        _expect_elements(resource, _DOCUMENT_REFERENCE)
        [content] = resource["content"]
        _expect_elements(content, {"attachment": (1, 1), "format": (1, 1)})
        _expect_elements(content["attachment"], _ATTACHMENT)
        _expect_elements(resource["context"], _CONTEXT)
        _expect_contained(resource, resource["context"]["sourcePatientInfo"], "Patient")
        uses = [(one["use"], one["value"].partition(":")[2]) for one in resource["identifier"]]
        assert [use for use, _ in uses] == ["usual", "official"]
        assert uses[1][1] == f"uuid:{resource['id']}"
        assert resource["identifier"][0] == resource["masterIdentifier"]
    if kind == "List":
        _expect_elements(resource, _LIST)
        urls = [one["url"].rpartition("/")[2] for one in resource["extension"]]
        assert urls.count("ihe-sourceId") == urls.count("ihe-designationType") == 1
        assert (resource["status"], resource["mode"]) == ("current", "working")


_ANY = 1_000_000
_RESOURCE = {"resourceType": (1, 1), "id": (1, 1), "meta": (1, 1), "contained": (1, _ANY)}
_DOCUMENT_REFERENCE = _RESOURCE | {
    "masterIdentifier": (1, 1),
    "identifier": (2, 2),
    "status": (1, 1),
    "type": (1, 1),
    "category": (1, 1),
    "subject": (1, 1),
    "date": (1, 1),
    "author": (1, _ANY),
    "authenticator": (0, 1),
    "custodian": (1, 1),
    "relatesTo": (0, _ANY),
    "description": (0, 1),
    "securityLabel": (1, _ANY),
    "content": (1, 1),
    "context": (1, 1),
}
_ATTACHMENT = {
    "contentType": (1, 1),
    "language": (1, 1),
    "url": (1, 1),
    "size": (1, 1),
    "hash": (1, 1),
    "title": (0, 1),
    "creation": (1, 1),
}
_CONTEXT = {
    "event": (0, _ANY),
    "period": (0, 1),
    "facilityType": (1, 1),
    "practiceSetting": (1, 1),
    "sourcePatientInfo": (1, 1),
    "related": (0, _ANY),
}
_LIST = _RESOURCE | {
    "contained": (0, _ANY),  # an older index kept nobody in it
    "source": (0, 1),
    "extension": (2, 3),
    "identifier": (2, 2),
    "status": (1, 1),
    "mode": (1, 1),
    "title": (0, 1),
    "code": (1, 1),
    "subject": (1, 1),
    "date": (1, 1),
    "note": (0, 1),
    "entry": (0, _ANY),
}


def _expect_elements(value: Json, profile: dict[str, tuple[int, int]]) -> None:
    counts = {name: len(one) if isinstance(one, list) else 1 for name, one in value.items()}
    for name, (least, most) in profile.items():
        assert least <= counts.pop(name, 0) <= most, name
    assert counts == {}


def _expect_contained(resource: Json, reference: Json, kind: str) -> None:
    contained = {f"#{one['id']}": one["resourceType"] for one in resource["contained"]}
    assert contained[reference["reference"]] == kind


def _expect_bundle(bundle: Json) -> None:
    entries = bundle.get("entry", [])
    if bundle["type"] == "transaction-response":
        for one in entries:
            status = one["response"]["status"]
            assert ("location" in one["response"]) == (status.startswith("201") or _is_patch(one))
        return
    links = [one["relation"] for one in bundle["link"]]
    assert links in (["self"], ["self", "next"])
    assert bundle.get("total", len(entries)) == len(entries)
    assert "entry" not in bundle or entries
    for one in entries:
        resource = one["resource"]
        assert one["fullUrl"].endswith(f"/fhir/{resource['resourceType']}/{resource['id']}")
        assert one["search"] == {"mode": "match"}
        expect_mhd(resource)


def _is_patch(entry: Json) -> bool:
    return "outcome" not in entry["response"]
