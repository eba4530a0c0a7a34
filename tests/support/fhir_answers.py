"""What the index answers in FHIR's words, as another program reads it: fhir.resources (R4B).

R4B has the resources that are spoken here as R4 has them.
"""

import orjson
import pytest
from fhir.resources.R4B import get_fhir_model_class

from indexer.server.negotiation import FhirResponse
from indexer.wire.fhir_xml import write_resource
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
