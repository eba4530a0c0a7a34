"""Requests as they go over the wire, built before anything is timed."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import urlencode

import orjson

from indexer.contract.document import Submission
from indexer.contract.document_set import document_set_of
from indexer.contract.identifiers import Ins
from indexer.wire.fhir.bundles import provide_bundle
from tests.support.xds import package, provide_body


class Protocol(StrEnum):
    """How a submission travels."""

    ITI_65 = "ITI-65"
    ITI_41 = "ITI-41"


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A request's path, media type and body."""

    path: str
    content_type: str
    body: bytes

    def request(self) -> bytes:
        """The whole request (RFC 9112), on a connection that is kept."""
        head = (
            f"POST {self.path} HTTP/1.1\r\nHost: 127.0.0.1\r\n"
            f"Content-Type: {self.content_type}\r\nContent-Length: {len(self.body)}\r\n\r\n"
        )
        return head.encode("ascii") + self.body


def _provide_by_fhir(submission: Submission) -> Message:
    body = orjson.dumps(provide_bundle(submission))
    return Message(path="/fhir", content_type="application/fhir+json", body=body)


def _provide_by_xds(submission: Submission) -> Message:
    submitted = document_set_of(submission)
    content_type, body = package(submitted, provide_body(submitted, inline=False))
    return Message(path="/xds/repository", content_type=content_type, body=body)


PROVIDE: dict[Protocol, Callable[[Submission], Message]] = {
    Protocol.ITI_65: _provide_by_fhir,
    Protocol.ITI_41: _provide_by_xds,
}


def is_held(answer: bytes) -> bool:
    """Whether the answer to a submission says that it is held, in either protocol."""
    return b"transaction-response" in answer or b"ResponseStatusType:Success" in answer


def search_of(patient: Ins) -> bytes:
    """The request by which a patient's documents are searched for (ITI-67)."""
    form = {"patient.identifier": f"urn:oid:{patient.oid}|{patient.value}", "status": "current"}
    return Message(
        path="/fhir/DocumentReference/_search",
        content_type="application/x-www-form-urlencoded",
        body=urlencode(form).encode("ascii"),
    ).request()


def is_found(answer: bytes) -> bool:
    """Whether the answer to a search names a document at least."""
    return b'"searchset"' in answer and b'"DocumentReference"' in answer
