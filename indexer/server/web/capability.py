"""What the index can do, as a CapabilityStatement (FHIR R4 §CapabilityStatement)."""

from collections.abc import Mapping

from indexer.server.web.http import PATCHES
from indexer.wire.fhir import search, set_search
from indexer.wire.outcome import Json
from indexer.wire.vocabulary import (
    DOCUMENT_REFERENCE_PROFILE,
    JSON_MEDIA_TYPE,
    SUBMISSION_SET_PROFILE,
    XML_MEDIA_TYPE,
)

PUBLISHED_ON = "2026-11-23"


def capability_statement(base: str) -> Json:
    """The statement of the index that is reached at `base`."""
    return {
        "resourceType": "CapabilityStatement",
        "status": "active",
        "date": PUBLISHED_ON,
        "kind": "instance",
        "software": {"name": "drim-index"},
        "implementation": {"description": "A mock of the DMP's index", "url": base},
        "fhirVersion": "4.0.1",
        "format": [JSON_MEDIA_TYPE, XML_MEDIA_TYPE],
        "patchFormat": list(PATCHES),
        "rest": [
            {
                "mode": "server",
                "documentation": "Document Recipient and Document Responder of IHE MHD",
                "interaction": [{"code": "transaction"}],
                "resource": [_document_reference(), _binary(), _list(), _audit_event()],
            }
        ],
    }


def _document_reference() -> Json:
    types = {
        **dict.fromkeys(search.TOKENS, "token"),
        **dict.fromkeys(search.DATES, "date"),
        **dict.fromkeys(search.NAMES, "string"),
        **search.OTHERS,
    }
    return {
        "type": "DocumentReference",
        "supportedProfile": [DOCUMENT_REFERENCE_PROFILE],
        "interaction": [{"code": one} for one in ("read", "search-type", "create", "patch")],
        # FHIR R4 has no word for a conditional patch; PDSm's own statement says it with this one.
        "conditionalUpdate": True,
        "searchParam": _parameters(types),
    }


def _binary() -> Json:
    return {"type": "Binary", "interaction": [{"code": "read"}]}


def _audit_event() -> Json:
    return {
        "type": "AuditEvent",
        "documentation": "The journal of a record, searched by form alone",
        "interaction": [{"code": "search-type"}],
        "searchParam": [
            {"name": "patient.identifier", "type": "token"},
            {"name": "date", "type": "date"},
        ],
    }


def _list() -> Json:
    return {
        "type": "List",
        "supportedProfile": [SUBMISSION_SET_PROFILE],
        "interaction": [{"code": "read"}, {"code": "search-type"}],
        "searchParam": _parameters(set_search.PARAMETERS),
    }


def _parameters(types: Mapping[str, str]) -> list[Json]:
    return [{"name": name, "type": types[name]} for name in sorted(types)]
