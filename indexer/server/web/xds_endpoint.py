"""Takes SOAP messages, has an operation answer each, and sends its answer back as it was asked.

What a message is at fault in before its operation is known is told by a SOAP fault; all that comes
after by the operation's own response, with an error code of XDS.b (ITI TF-3 §4.2.4).
"""

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from fastapi import FastAPI
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from gateway.errors import Unavailable
from gateway.telemetry import NamedRoute
from indexer.contract.access import Caller
from indexer.contract.errors import InvalidValue
from indexer.server.access.policy import AccessPolicy, caller_of
from indexer.server.web.http import take_body
from indexer.server.web.http_errors import BUSY, REFUSAL_STATUS
from indexer.server.web.reception import Reception
from indexer.wire.outcome import IssueCode, Refusal, XdsError
from indexer.wire.soap.envelope import (
    SOAP_MEDIA_TYPE,
    Addressed,
    FaultCode,
    SecurityFault,
    SoapFault,
    fault,
    read_call,
    reply,
)
from indexer.wire.soap.mtom import Package, write_package
from indexer.wire.xds.registry_messages import RegistryError
from indexer.wire.xml import Element

log = logging.getLogger(__name__)


@dataclass(slots=True, kw_only=True)
class Asked:
    """What an operation is asked, and by whom."""

    body: Element
    package: Package
    caller: Caller | None
    """None where nobody had to say who they are."""

    def let_go(self) -> None:
        """Free the message, of which all is read: now, while it is in the processor's caches, and
        not when what came of it is durable."""
        del self.body, self.package


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A response, with the documents that go beside it."""

    body: Element
    parts: Sequence[tuple[str, str, bytes]] = field(default=())
    """Content-ID, media type and bytes of each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """What one action does, and what it says where it cannot."""

    run: Callable[[Asked], Awaitable[Answer]]
    failed: Callable[[Sequence[RegistryError]], Element]
    invalid: XdsError
    """For what cannot be read and has no code of its own."""
    busy: XdsError
    broken: XdsError
    answers_as: str = ""
    """Action of its answer, where that is not the request's own with `Response` at its end."""


class XdsEndpoint:
    """One address.

    Args:
        operations: by WS-Addressing action.
        policy: asked who sends a message, before they are told what is wrong with it.
        body_bytes_max: of a whole message.
    """

    def __init__(
        self,
        operations: Mapping[str, Operation],
        policy: AccessPolicy,
        *,
        body_bytes_max: int,
    ) -> None:
        self._operations = operations
        self._policy = policy
        self._body_bytes_max = body_bytes_max

    def add_to(self, app: FastAPI, path: str, summary: str) -> None:
        """Put it at its address; what SOAP carries is described by hand.

        Before all others, each of which would else be asked whether it is meant.
        """
        app.router.routes.insert(0, NamedRoute(path, self.answer, methods=["POST"]))
        described = {"summary": summary, "responses": {"200": {"description": "SOAP 1.2"}}}
        app.openapi()["paths"][path] = {"post": described}

    async def answer(self, request: Request) -> Response:
        """Answer one message."""
        reception = Reception(self._policy, known=caller_of(request))
        try:
            package, caller = await self._receive(request, reception)
            call = read_call(package.root)
        except SoapFault as error:
            return _fault(error, status=_status(error))
        except Refusal as error:  # too long, or too slow
            return _fault(SoapFault(error.reason), status=REFUSAL_STATUS[error.code])
        operation = self._operations.get(call.action)
        if operation is None:
            unknown = SoapFault("the action is none of this address", subcode="ActionNotSupported")
            return _fault(unknown, status=400, relates_to=call.message_id)
        asked = Asked(body=call.body, package=package, caller=caller)
        addressed = Addressed(action=call.action, message_id=call.message_id)
        optimised = package.optimised
        del call, package  # no more than `asked` holds the message
        answer = await _run(operation, addressed.action, asked)
        written = reply(addressed, answer.body, action=operation.answers_as)
        if not answer.parts and not optimised:
            return Response(written, media_type=f"{SOAP_MEDIA_TYPE}; charset=UTF-8")
        content_type, chunks = write_package(written, answer.parts)
        return Response(b"".join(chunks), headers={"Content-Type": content_type})

    async def _receive(
        self, request: Request, reception: Reception
    ) -> tuple[Package, Caller | None]:
        """The message, and who sends it.

        Raises:
            SoapFault, Refusal: it cannot be taken; who does not prove themselves hears no more.
        """
        try:
            reception.begin(request.headers.get("content-type", ""))
            await take_body(request, reception.take, bytes_max=self._body_bytes_max)
            return await reception.end()
        except ClientDisconnect:
            trouble: SoapFault | Refusal = SoapFault("the body broke off")
        except Unavailable:
            trouble = SoapFault(BUSY, code=FaultCode.RECEIVER)
        except (SoapFault, Refusal) as error:
            trouble = error
        await reception.ask()
        raise trouble


async def _run(operation: Operation, action: str, asked: Asked) -> Answer:
    try:
        return await operation.run(asked)
    except InvalidValue as error:
        told = RegistryError(error=_code(operation, error), context=str(error))
    except Unavailable:
        told = RegistryError(error=operation.busy, context=BUSY)
    except Exception:  # a bug of ours is told as the standard has it, and never as a success
        log.exception("xds_failed", extra={"action": action})
        told = RegistryError(error=operation.broken, context="the index failed")
    return Answer(body=operation.failed([told]))


def _code(operation: Operation, error: InvalidValue) -> XdsError:
    if not isinstance(error, Refusal):
        return operation.invalid
    if error.code is IssueCode.FORBIDDEN:  # XDS.b has no code for it but the general one
        return operation.broken
    return error.error or operation.invalid


def _status(error: SoapFault) -> int:
    """The status of a fault (SOAP 1.2 part 2 §7.5.2.2), but for who is not let in: 401, as of
    every other address."""
    if isinstance(error.subcode, SecurityFault):
        return 401
    return {FaultCode.SENDER: 400, FaultCode.RECEIVER: 503}.get(error.code, 500)


_HEADERS: Final = {401: {"WWW-Authenticate": "WSSE"}, 503: {"Retry-After": "1"}}


def _fault(error: SoapFault, *, status: int, relates_to: str = "") -> Response:
    return Response(
        fault(error, relates_to=relates_to),
        status_code=status,
        headers=_HEADERS.get(status),
        media_type=f"{SOAP_MEDIA_TYPE}; charset=UTF-8",
    )
