"""The other side of `soap`: requests, and what an index answers to them."""

from lxml import etree

from indexer.contract.errors import InvalidValue
from indexer.wire.soap.envelope import (
    ADDRESSING,
    ANONYMOUS,
    ENVELOPE,
    SECURITY,
    SOAP_BYTES_MAX,
    FaultCode,
    SoapFault,
)
from indexer.wire.xml import Element, open_xml

_NAMESPACES = {"env": ENVELOPE, "wsa": ADDRESSING}


def write_request(
    action: str, body: Element, *, to: str, message_id: str, assertion: bytes | None = None
) -> bytes:
    """The envelope of a request, whose answer comes back on its connection.

    Args:
        to: the address that it is sent to (WS-Addressing 1.0 core §3.2).
        assertion: of who asks, as XML of its own (WSS SAML token profile 1.1.1); None for none.
    """
    envelope = etree.Element(_env("Envelope"), nsmap=_NAMESPACES)
    header = etree.SubElement(envelope, _env("Header"))
    told = etree.SubElement(header, _wsa("Action"))
    told.set(_env("mustUnderstand"), "1")
    told.text = action
    etree.SubElement(header, _wsa("MessageID")).text = message_id
    reply_to = etree.SubElement(header, _wsa("ReplyTo"))
    etree.SubElement(reply_to, _wsa("Address")).text = ANONYMOUS
    etree.SubElement(header, _wsa("To")).text = to
    if assertion is not None:
        security = etree.SubElement(header, f"{{{SECURITY}}}Security", nsmap={"wsse": SECURITY})
        security.set(_env("mustUnderstand"), "1")
        security.append(open_xml(assertion))
    etree.SubElement(envelope, _env("Body")).append(body)
    return etree.tostring(envelope, xml_declaration=True, encoding="UTF-8")


def read_reply(data: bytes, *, message_id: str) -> Element:
    """The one element of an answer's body.

    Raises:
        SoapFault: the answer is a fault; nothing of its words is kept, for they may name a patient.
        InvalidValue: it is no answer to this message.
    """
    root = open_xml(data, bytes_max=SOAP_BYTES_MAX)
    bodies = root.findall("env:Body", _NAMESPACES)
    if root.tag != _env("Envelope") or len(bodies) != 1 or len(bodies[0]) != 1:
        raise InvalidValue("the answer is no envelope of SOAP 1.2 with one body")
    body = bodies[0][0]
    if body.tag == _env("Fault"):
        raise _fault(body)
    relates_to = root.findtext("env:Header/wsa:RelatesTo", "", _NAMESPACES)
    if (relates_to or "").strip() not in ("", message_id):
        raise InvalidValue("the answer is to another message")
    return body


def _fault(body: Element) -> SoapFault:
    code = _local(body.findtext("env:Code/env:Value", "", _NAMESPACES))
    subcode = _local(body.findtext("env:Code/env:Subcode/env:Value", "", _NAMESPACES))
    known = {one.value: one for one in FaultCode}
    return SoapFault(
        "the index answers with a fault", code=known.get(code, FaultCode.RECEIVER), subcode=subcode
    )


def _local(name: str | None) -> str:
    return (name or "").strip().rpartition(":")[2]


def _env(tag: str) -> str:
    return f"{{{ENVELOPE}}}{tag}"


def _wsa(tag: str) -> str:
    return f"{{{ADDRESSING}}}{tag}"
