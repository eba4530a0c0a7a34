"""The DMP's own transactions by SOAP: TD0.2 at /xds/patients, TD0.3 at /xds/habilitations."""

from datetime import UTC, datetime

from fastapi import FastAPI

from indexer.server.access.policy import AccessPolicy
from indexer.server.custody.record_keeper import RecordKeeper
from indexer.server.web.xds_endpoint import Answer, Asked, Operation, XdsEndpoint
from indexer.wire.dmp.declaration import (
    DECLARE_ACTION,
    DONE,
    declaration_response,
    read_declaration,
)
from indexer.wire.dmp.existence import (
    ANSWER_ACTION,
    QUERY_ACTION,
    existence_answer,
    existence_failure,
    read_existence_query,
)
from indexer.wire.outcome import Refusal, XdsError

BODY_BYTES_MAX = 256 * 1024


class DmpRoutes:
    """The two addresses. The DMP's codes of failure are not public: those of XDS.b are told."""

    def __init__(self, keeper: RecordKeeper, policy: AccessPolicy) -> None:
        self._keeper = keeper
        self._policy = policy

    def add_to(self, app: FastAPI) -> None:
        """Put the endpoints at their addresses."""
        test = Operation(
            run=self.test,
            failed=lambda errors: existence_failure(errors[0].error, errors[0].context),
            invalid=XdsError.REGISTRY_ERROR,
            busy=XdsError.REGISTRY_BUSY,
            broken=XdsError.REGISTRY_ERROR,
            answers_as=ANSWER_ACTION,
        )
        declare = Operation(
            run=self.declare,
            failed=lambda errors: declaration_response(errors[0].error, errors[0].context),
            invalid=XdsError.REGISTRY_ERROR,
            busy=XdsError.REGISTRY_BUSY,
            broken=XdsError.REGISTRY_ERROR,
        )
        for path, operations, summary in (
            ("/xds/patients", {QUERY_ACTION: test}, "TD0.2"),
            ("/xds/habilitations", {DECLARE_ACTION: declare}, "TD0.3"),
        ):
            endpoint = XdsEndpoint(operations, self._policy, body_bytes_max=BODY_BYTES_MAX)
            endpoint.add_to(app, path, summary)

    async def test(self, asked: Asked) -> Answer:
        """Whether there is a record, and whether who asks may open it (TD0.2)."""
        query = read_existence_query(asked.body)
        try:
            found = await self._keeper.existence(asked.caller, query.patient)
        except Refusal as error:
            return Answer(body=existence_failure(XdsError.REGISTRY_ERROR, error.reason, query))
        return Answer(body=existence_answer(query, found, now=datetime.now(UTC)))

    async def declare(self, asked: Asked) -> Answer:
        """Declare that one may open a record, or take that back (TD0.3)."""
        changed = await self._keeper.declare(asked.caller, read_declaration(asked.body))
        return Answer(body=declaration_response(DONE, "" if changed else "nothing was to be done"))
