"""Asks an index by SOAP: one message, its answer, and what a fault means."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from indexer.client.http import ANSWER_BYTES_MAX, HttpAnswer, HttpAsker
from indexer.client.proof import Proof
from indexer.contract.access import Caller
from indexer.contract.errors import IndexUnavailable, InvalidValue, SubmissionRejected
from indexer.wire.soap.client import read_reply, write_request
from indexer.wire.soap.envelope import (
    SOAP_MEDIA_TYPE,
    FaultCode,
    SecurityFault,
    SoapFault,
    new_message_id,
)
from indexer.wire.soap.mtom import Package, PackageReader, write_package
from indexer.wire.xml import Element

_FAULTS = frozenset({400, 500})
"""Statuses of a fault (SOAP 1.2 part 2 §7.5.2.2); many stacks send 500 for each."""
_REFUSALS = frozenset({413, 415})
"""Statuses that speak of the message itself, whatever comes with them."""

_NOT_SPOKEN = frozenset({404, 405, 501})
_NO_SUCH_ACTION = "ActionNotSupported"

Parts = Sequence[tuple[str, str, bytes]]
"""Content-ID, media type and bytes of each document beside a message."""


class NotSpoken(IndexUnavailable):
    """The index does not know what is asked, at this address."""


@dataclass(frozen=True, slots=True)
class SoapAnswer:
    """What came back."""

    http: HttpAnswer
    package: Package
    body: Element


class SoapAsker:
    """Sends messages, each with a proof of who asks, and reads what is answered to them."""

    def __init__(self, http: HttpAsker, proof: Proof) -> None:
        self._http = http
        self.proof = proof

    def acting_for(self, caller: Caller) -> "SoapAsker":
        """The same, for somebody else."""
        return SoapAsker(self._http, replace(self.proof, caller=caller))

    async def ask(
        self,
        url: str,
        action: str,
        body: Element,
        *,
        parts: Parts | None = None,
        bytes_max: int = ANSWER_BYTES_MAX,
    ) -> SoapAnswer:
        """One message that changes nothing, and its answer.

        Args:
            parts: documents beside the message, which goes as MTOM even if there are none; None for
                a message that goes as it is.

        Raises:
            IndexUnavailable: there is no answer that is understood.
        """
        try:
            return await self.change(url, action, body, parts=parts, bytes_max=bytes_max)
        except SubmissionRejected as error:
            raise IndexUnavailable(str(error)) from error

    async def change(
        self,
        url: str,
        action: str,
        body: Element,
        *,
        parts: Parts | None = None,
        bytes_max: int = ANSWER_BYTES_MAX,
    ) -> SoapAnswer:
        """The same of a message that is to change something.

        Raises:
            IndexUnavailable: there is no answer that is understood.
            SubmissionRejected: the message itself is refused, and would be again.
        """
        message_id = new_message_id()
        assertion = await self.proof.assertion()
        envelope = write_request(action, body, to=url, message_id=message_id, assertion=assertion)
        content_type, content = _message(envelope, action, parts)
        headers = {"Content-Type": content_type}
        answer = await self._http.ask("POST", url, headers, body=content, bytes_max=bytes_max)
        if answer.status in _REFUSALS:
            raise _rejected(answer, f"http-{answer.status}")
        if answer.status in _NOT_SPOKEN:
            later = answer.unavailable(f"the index answered with status {answer.status}")
            raise NotSpoken(str(later), retry_after_s=later.retry_after_s)
        answer.expect(_FAULTS | {200})
        package = _package(answer)
        try:
            told = read_reply(package.root, message_id=message_id)
        except SoapFault as fault:
            # One with a subcode is of addressing or of security: it speaks of how the two sides are
            # set up, which a person mends for all messages at once.
            if fault.code is FaultCode.SENDER and not fault.subcode:
                raise _rejected(answer, "soap-sender") from fault
            if fault.subcode == _NO_SUCH_ACTION:
                raise NotSpoken("the index does not know the action") from fault
            # Only a subcode that is known is repeated: what a peer wrote may end in a log.
            known = [fault.subcode] if fault.subcode in set(SecurityFault) else []
            named = ", ".join([fault.code, *known])
            raise answer.unavailable(f"the index answered with a fault: {named}") from fault
        except InvalidValue as error:
            raise answer.unavailable(f"the index's answer is not understood: {error}") from error
        answer.expect(frozenset({200}))
        return SoapAnswer(answer, package, told)


def _message(envelope: bytes, action: str, parts: Parts | None) -> tuple[str, bytes]:
    if parts is None:
        return f'{SOAP_MEDIA_TYPE}; charset=UTF-8; action="{action}"', envelope
    content_type, chunks = write_package(envelope, parts)
    return content_type, b"".join(chunks)


def _package(answer: HttpAnswer) -> Package:
    try:
        reader = PackageReader(answer.headers.get("Content-Type", ""))
        reader.feed(answer.body)
        return reader.close()
    except SoapFault as error:
        if answer.status != 200:
            raise answer.unavailable(f"the index answered with status {answer.status}") from error
        raise answer.unavailable(f"the index's answer is not understood: {error}") from error


def _rejected(answer: HttpAnswer, code: str) -> SubmissionRejected:
    return SubmissionRejected(f"the index refused with status {answer.status}", code=code)
