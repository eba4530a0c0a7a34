"""The index's XDS.b interface: ITI-41 and ITI-43 at its repository, ITI-18 and ITI-57 at its
registry."""

import logging
from typing import Final

from fastapi import FastAPI

from indexer.contract.errors import InvalidValue
from indexer.server.access.policy import AccessPolicy
from indexer.server.acts import Exchange
from indexer.server.custody.custodian import Custodian
from indexer.server.custody.stored_queries import Found
from indexer.server.web.xds_endpoint import Answer, Asked, Operation, XdsEndpoint
from indexer.wire.outcome import XdsError
from indexer.wire.xds import vocabulary as names
from indexer.wire.xds.document_set_reader import read_status_changes
from indexer.wire.xds.provide_request import read_provide_request
from indexer.wire.xds.registry_messages import (
    PROVIDE,
    QUERY,
    RETRIEVE,
    UPDATE,
    DocumentRequest,
    RegistryError,
    RetrievedDocument,
    query_response,
    read_document_requests,
    registry_response,
    retrieve_response,
)
from indexer.wire.xds.stored_query import read_stored_query
from indexer.wire.xds.writer import add_association, add_entry, add_reference, add_submission_set
from indexer.wire.xml import Element

log = logging.getLogger(__name__)

REPOSITORY_UID: Final = "2.25.116364843137264396833314896833774897206"
"""repositoryUniqueId of every such index: it is a mock, and there is one in a world."""


class XdsRoutes:
    """The two addresses, with what they share."""

    def __init__(
        self,
        custodian: Custodian,
        policy: AccessPolicy,
        *,
        body_bytes_max: int,
    ) -> None:
        self._custodian = custodian
        self._policy = policy
        self._body_bytes_max = body_bytes_max

    def add_to(self, app: FastAPI) -> None:
        """Put the endpoints at their addresses."""
        for path, operations, summary in (
            ("/xds/repository", self._repository(), "ITI-41 and ITI-43"),
            ("/xds/registry", self._of_registry(), "ITI-18 and ITI-57"),
        ):
            endpoint = XdsEndpoint(operations, self._policy, body_bytes_max=self._body_bytes_max)
            endpoint.add_to(app, path, summary)

    def _repository(self) -> dict[str, Operation]:
        return {
            PROVIDE: Operation(
                run=self.provide,
                failed=registry_response,
                invalid=XdsError.REPOSITORY_METADATA,
                busy=XdsError.REPOSITORY_BUSY,
                broken=XdsError.REPOSITORY_ERROR,
            ),
            RETRIEVE: Operation(
                run=self.retrieve,
                failed=lambda errors: retrieve_response([], errors),
                invalid=XdsError.REPOSITORY_ERROR,
                busy=XdsError.REPOSITORY_BUSY,
                broken=XdsError.REPOSITORY_ERROR,
            ),
        }

    def _of_registry(self) -> dict[str, Operation]:
        return {
            QUERY: Operation(
                run=self.query,
                failed=lambda errors: query_response(errors)[0],
                invalid=XdsError.REGISTRY_ERROR,
                busy=XdsError.REGISTRY_BUSY,
                broken=XdsError.REGISTRY_ERROR,
            ),
            UPDATE: Operation(
                run=self.update,
                failed=registry_response,
                invalid=XdsError.REGISTRY_METADATA,
                busy=XdsError.REGISTRY_BUSY,
                broken=XdsError.REGISTRY_ERROR,
            ),
        }

    async def provide(self, asked: Asked) -> Answer:
        """Provide and Register Document Set-b (ITI-41): all of it is held, or nothing is."""
        submitted, lost = read_provide_request(asked.body, asked.package)
        asked.let_go()
        held = await self._custodian.provide(asked.caller, submitted, exchange=Exchange.PROVIDE)
        entries = [one.entry.entry_id for one in held.documents]
        log.info("submission_held", extra={"entries": entries, "set": held.submission_set.set_id})
        if not lost:
            return Answer(body=registry_response())
        told = f"not saved: {', '.join(lost)}"
        warning = RegistryError(error=XdsError.EXTRA_METADATA, context=told, warning=True)
        return Answer(body=registry_response([warning]))

    async def retrieve(self, asked: Asked) -> Answer:
        """Retrieve Document Set (ITI-43): of what is asked for, what there is.

        A deprecated document is given too, as by ITI-68.
        """
        requests = read_document_requests(asked.body)
        ours = sorted({one.unique_id for one in requests if one.repository == REPOSITORY_UID})
        held = await self._custodian.documents(asked.caller, ours, bytes_max=self._body_bytes_max)
        found, errors = [], []
        for number, request in enumerate(dict.fromkeys(requests)):
            document = held.get(request.unique_id)
            if document is None or request.repository != REPOSITORY_UID:
                errors.append(_not_retrieved(request, too_much=request.unique_id in held))
                continue
            found.append(
                RetrievedDocument(
                    request=request,
                    mime_type=document.mime_type,
                    content=document.content,
                    content_id=f"document-{number}",
                )
            )
        parts = [(one.content_id, one.mime_type, one.content) for one in found]
        return Answer(body=retrieve_response(found, errors), parts=parts)

    async def query(self, asked: Asked) -> Answer:
        """Registry Stored Query (ITI-18)."""
        query = read_stored_query(asked.body)
        found = await self._custodian.query(asked.caller, query)
        response, objects = query_response()
        if query.whole:
            _tell_whole(objects, found)
        else:
            _tell_ids(objects, found)
        return Answer(body=response)

    async def update(self, asked: Asked) -> Answer:
        """Update Document Set (ITI-57): entries get another status, all of them or none."""
        if asked.body.tag != f"{{{names.LCM}}}SubmitObjectsRequest":
            raise InvalidValue("the body is no SubmitObjectsRequest")
        changes = read_status_changes(asked.body)
        await self._custodian.change_statuses(asked.caller, changes)
        for one in changes:
            log.info("status_changed", extra={"entry": one.target, "status": one.status.value})
        return Answer(body=registry_response())


def _not_retrieved(request: DocumentRequest, *, too_much: bool) -> RegistryError:
    if request.repository != REPOSITORY_UID:
        error, context = XdsError.UNKNOWN_REPOSITORY, "the repository is none of this index"
    elif too_much:
        error = XdsError.REPOSITORY_RESOURCES
        context = "the documents before it are as much as one answer may hold: ask for it alone"
    else:
        error, context = XdsError.DOCUMENT_UNIQUE_ID, "there is no such document"
    return RegistryError(error=error, context=context, location=request.unique_id)


def _tell_whole(objects: Element, found: Found) -> None:
    for told in found.sets:
        add_submission_set(objects, told)
    for entry in found.entries:
        add_entry(objects, entry, repository=REPOSITORY_UID)
    for association, original in found.associations:
        add_association(objects, association, original=original)


def _tell_ids(objects: Element, found: Found) -> None:
    associations = (one.association_id for one, _ in found.associations)
    for one in (*(s.set_id for s in found.sets), *(e.entry_id for e in found.entries)):
        add_reference(objects, one)
    for one in associations:
        add_reference(objects, one)
