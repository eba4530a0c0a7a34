"""SOAP 1.2 envelopes with WS-Addressing headers, as XDS.b wants them (ITI TF-2 Appendix V).

Answers go back on the connection of their request: no other reply address is taken.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final
from uuid import uuid4

from lxml import etree

from indexer.contract.errors import ContractError, InvalidValue
from indexer.wire.vocabulary import UUID_PREFIX
from indexer.wire.xml import Element, open_xml

SOAP_MEDIA_TYPE: Final = "application/soap+xml"

SOAP_BYTES_MAX: Final = 12 * 2**20
"""Of an envelope, with the documents inside it; see `TEXT_BYTES_MAX` for one of them."""

ENVELOPE: Final = "http://www.w3.org/2003/05/soap-envelope"
ADDRESSING: Final = "http://www.w3.org/2005/08/addressing"
SECURITY: Final = (
    "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"
)
ANONYMOUS: Final = f"{ADDRESSING}/anonymous"
_UNDERSTOOD: Final = frozenset({ADDRESSING, SECURITY})
_NAMESPACES: Final = {"env": ENVELOPE, "wsa": ADDRESSING}
_ENVELOPE, _HEADER, _BODY, _MUST_UNDERSTAND = (
    f"{{{ENVELOPE}}}{one}" for one in ("Envelope", "Header", "Body", "mustUnderstand")
)
_ACTION, _ADDRESS, _MESSAGE_ID, _RELATES_TO, _REPLY_TO = (
    f"{{{ADDRESSING}}}{one}" for one in ("Action", "Address", "MessageID", "RelatesTo", "ReplyTo")
)

HEADER_LENGTH_MAX: Final = 1024  # characters of one address or id


class FaultCode(StrEnum):
    """Who is at fault (SOAP 1.2 part 1, §5.4.6)."""

    SENDER = "Sender"
    RECEIVER = "Receiver"
    MUST_UNDERSTAND = "MustUnderstand"
    VERSION = "VersionMismatch"


class SecurityFault(StrEnum):
    """Why a message is not taken as anybody's (WSS: SOAP Message Security 1.1 §12)."""

    INVALID = "InvalidSecurity"
    """The header is not what it should be."""
    ALGORITHM = "UnsupportedAlgorithm"
    FAILED = "FailedAuthentication"
    """What it says of who asks is not to be believed."""
    TOKEN_UNAVAILABLE = "SecurityTokenUnavailable"
    """It does not say who asks."""
    EXPIRED = "MessageExpired"


class SoapFault(ContractError):
    """The message is answered with a fault: it cannot be taken as a request at all.

    Args:
        subcode: of WS-Addressing (SOAP binding §6.4), or of WS-Security; empty where none applies.
    """

    def __init__(
        self,
        reason: str,
        *,
        code: FaultCode = FaultCode.SENDER,
        subcode: SecurityFault | str = "",
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.code = code
        self.subcode = subcode


@dataclass(frozen=True, slots=True, kw_only=True)
class Addressed:
    """What of a request its answer refers to."""

    action: str
    message_id: str
    """Empty where the sender gave none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call(Addressed):
    """A request."""

    body: Element
    """The one element of the body."""


def read_call(data: bytes) -> Call:
    """The request that an envelope holds.

    Raises:
        SoapFault: it is no envelope, or asks for what is not done here.
    """
    try:
        root = open_xml(data, bytes_max=SOAP_BYTES_MAX)
    except InvalidValue as error:
        raise SoapFault(str(error)) from None
    if root.tag != _ENVELOPE and etree.QName(root).localname == "Envelope":
        raise SoapFault("the envelope is none of SOAP 1.2", code=FaultCode.VERSION)
    bodies = [one for one in root if one.tag == _BODY]
    if root.tag != _ENVELOPE or len(bodies) != 1 or len(bodies[0]) != 1:
        raise SoapFault("the message is no envelope with one request in its body")
    headers = [one for each in root if each.tag == _HEADER for one in each]
    _expect_understood(headers)
    replied_to = [one for each in headers if each.tag == _REPLY_TO for one in each]
    reply_to = _text(replied_to, _ADDRESS)
    if reply_to not in ("", ANONYMOUS):
        raise SoapFault(
            "an answer goes back on its connection alone", subcode="OnlyAnonymousAddressSupported"
        )
    action = _text(headers, _ACTION)
    if not action:
        raise SoapFault("wsa:Action is missing", subcode="MessageAddressingHeaderRequired")
    return Call(action=action, message_id=_text(headers, _MESSAGE_ID), body=bodies[0][0])


def _expect_understood(headers: Iterable[Element]) -> None:
    for header in headers:
        required = header.get(_MUST_UNDERSTAND, "false").strip()
        if required in ("true", "1") and etree.QName(header).namespace not in _UNDERSTOOD:
            raise SoapFault("a header is not understood", code=FaultCode.MUST_UNDERSTAND)


def _text(elements: Iterable[Element], tag: str) -> str:
    """What the first of them by this tag says; empty where there is none."""
    found = next((one for one in elements if one.tag == tag), None)
    text = "" if found is None else (found.text or "").strip()
    if len(text) > HEADER_LENGTH_MAX:
        raise SoapFault("a header is too long", subcode="InvalidAddressingHeader")
    return text


def reply(call: Addressed, body: Element, *, action: str = "") -> bytes:
    """The envelope that answers a request, by the action that its answer has by default."""
    return _envelope(action or f"{call.action}Response", call.message_id, body)


def fault(error: SoapFault, *, relates_to: str = "") -> bytes:
    """The envelope that says why a message could not be taken."""
    body = etree.Element(_env("Fault"), nsmap={**_NAMESPACES, "wsse": SECURITY})
    code = etree.SubElement(body, _env("Code"))
    etree.SubElement(code, _env("Value")).text = f"env:{error.code}"
    if error.subcode:
        subcode = etree.SubElement(code, _env("Subcode"))
        prefix = "wsse" if isinstance(error.subcode, SecurityFault) else "wsa"
        etree.SubElement(subcode, _env("Value")).text = f"{prefix}:{error.subcode}"
    text = etree.SubElement(etree.SubElement(body, _env("Reason")), _env("Text"))
    text.set("{http://www.w3.org/XML/1998/namespace}lang", "en")
    text.text = error.reason
    return _envelope(f"{ADDRESSING}/fault", relates_to, body)


def new_message_id() -> str:
    """A message id that nobody gave before."""
    return UUID_PREFIX + str(uuid4())


def _envelope(action: str, relates_to: str, body: Element) -> bytes:
    envelope = etree.Element(_ENVELOPE, nsmap=_NAMESPACES)
    header = etree.SubElement(envelope, _HEADER)
    etree.SubElement(header, _ACTION).text = action
    etree.SubElement(header, _MESSAGE_ID).text = new_message_id()
    if relates_to:
        etree.SubElement(header, _RELATES_TO).text = relates_to
    etree.SubElement(envelope, _BODY).append(body)
    return etree.tostring(envelope, xml_declaration=True, encoding="UTF-8")


def _env(tag: str) -> str:
    return f"{{{ENVELOPE}}}{tag}"
