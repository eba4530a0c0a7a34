"""Messages that are no requests are answered by SOAP faults, and cost no more than they may."""

import resource
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import aiohttp
import pytest

from tests.support.indexes import a_served_index
from tests.support.pointers import ANNE
from tests.support.xds import (
    PROVIDE,
    QUERY,
    SPACES,
    a_document,
    a_set,
    envelope,
    package,
    post,
    provide,
    provide_body,
    query_body,
)

PLAIN = "application/soap+xml; charset=UTF-8"
GOOD = envelope(QUERY, query_body("5c4f972b-d56b-40ac-a5fc-c8ca9b40b9d4", []))
BOMB = (
    b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "'
    + b"x" * 1000
    + b'"><!ENTITY c "&b;&b;&b;&b;">]>'
    + GOOD.replace(b"<wsa:MessageID>", b"<wsa:MessageID>&c;")
)
EXTERNAL = b'<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]>' + GOOD.replace(
    b"<wsa:MessageID>", b"<wsa:MessageID>&b;"
)


def header(text: str) -> bytes:
    return GOOD.replace(b"</env:Header>", text.encode() + b"</env:Header>")


@pytest.mark.parametrize("content, code, subcode, status", [
    (b"", "Sender", "", 400),
    (b"<a/>", "Sender", "", 400),
    (b"<a", "Sender", "", 400),
    (BOMB, "Sender", "", 400),
    (EXTERNAL, "Sender", "", 400),
    (b"<a>" * 60_000, "Sender", "", 400),
    (GOOD.replace(b"http://www.w3.org/2003/05/soap-envelope",
                  b"http://schemas.xmlsoap.org/soap/envelope/"), "VersionMismatch", "", 500),
    (GOOD.replace(b"env:Body>", b"env:Boby>"), "Sender", "", 400),
    (GOOD.replace(b' env:mustUnderstand="1"', b"").replace(b"wsa:Action", b"wsa:Auction"),
     "Sender", "wsa:MessageAddressingHeaderRequired", 400),
    (GOOD.replace(QUERY.encode(), b"urn:own"), "Sender", "wsa:ActionNotSupported", 400),
    (GOOD.replace(QUERY.encode(), PROVIDE.encode()), "Sender", "wsa:ActionNotSupported", 400),
    (header('<own xmlns="urn:own" env:mustUnderstand="true"/>'), "MustUnderstand", "", 500),
    (header("<wsa:ReplyTo><wsa:Address>http://127.0.0.1:1/</wsa:Address></wsa:ReplyTo>"),
     "Sender", "wsa:OnlyAnonymousAddressSupported", 400),
    (GOOD.replace(b"<wsa:MessageID>", b"<wsa:MessageID>" + b"x" * 2000), "Sender",
     "wsa:InvalidAddressingHeader", 400),
])  # fmt: skip
async def test_what_is_no_request_is_answered_by_a_fault(
    index_url: str, content: bytes, code: str, subcode: str, status: int
) -> None:
    reply = await post(f"{index_url}/xds/registry", content, content_type=PLAIN)

    told = reply.body.findtext("env:Code/env:Subcode/env:Value", "", SPACES)
    assert (reply.outcome, told, reply.status) == (code, subcode, status)


async def test_headers_that_need_not_be_understood_are_passed_over(index_url: str) -> None:
    address = "http://www.w3.org/2005/08/addressing/anonymous"
    reply_to = f"<wsa:ReplyTo><wsa:Address>{address}</wsa:Address></wsa:ReplyTo>"

    reply = await post(f"{index_url}/xds/registry", header(f'<own xmlns="urn:own"/>{reply_to}'))

    assert reply.errors == ["XDSStoredQueryParamNumber"]


TYPE, WHOLE = package(a_set(1), provide_body(a_set(1), inline=False))
BOUNDARY = TYPE.partition('boundary="')[2].partition('"')[0].encode()


@pytest.mark.parametrize("content_type, content", [
    ("text/xml", GOOD),
    ("", GOOD),
    ("multipart/related", WHOLE),
    (TYPE.replace('boundary="', 'boundary="x'), WHOLE),
    (TYPE.replace("<root>", "<another>"), WHOLE),
    (TYPE, WHOLE[:-40]),
    (TYPE, WHOLE.replace(b"Content-ID: <Document1@tests>", b"Content-ID: <root>")),
    (TYPE, WHOLE.replace(b"Content-ID: <Document1@tests>",
                         b"Content-ID: <Document1@tests>\r\nContent-Transfer-Encoding: uuencode")),
    (TYPE, WHOLE.replace(b"Content-ID: <Document1@tests>",
                         b"Content-ID: <Document1@tests>\r\nContent-Transfer-Encoding: base64")),
    (TYPE, b"".join(b"--%s\r\nContent-ID: <%d>\r\n\r\n\r\n" % (BOUNDARY, n) for n in range(300))),
])  # fmt: skip
async def test_a_package_that_cannot_be_taken_apart_is_a_fault(
    index_url: str, content_type: str, content: bytes
) -> None:
    reply = await post(f"{index_url}/xds/repository", content, content_type=content_type)

    assert (reply.outcome, reply.status) == ("Sender", 400)


async def test_a_message_that_is_too_long_is_refused_and_not_held(tmp_path: Path) -> None:
    def peak_kib() -> int:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    async def endless(size: int) -> AsyncIterator[bytes]:
        for _ in range(size // 65_536):
            yield bytes(65_536)

    async with a_served_index(tmp_path) as url, aiohttp.ClientSession() as session:
        before = peak_kib()
        async with session.post(
            f"{url}/xds/repository",
            data=endless(100 * 2**20),
            headers={"Content-Type": PLAIN},
        ) as answer:
            status = answer.status

    assert status == 413
    assert peak_kib() - before < 20 * 1024


async def test_a_document_too_long_to_be_inside_a_message_is_told_to_go_beside_it(
    tmp_path: Path,
) -> None:
    document = a_document(1, content=bytes(7_600_000))  # as base64 longer than a text of XML
    submitted = replace(a_set(1), documents=(document,))

    async with a_served_index(tmp_path, body_mib_max=16) as url:
        inside = await provide(url, submitted, inline=True)
        beside = await provide(url, submitted)

    reason = inside.body.findtext("env:Reason/env:Text", "", SPACES)
    assert (inside.status, inside.outcome) == (400, "Sender")
    assert "beside its message (MTOM)" in reason
    assert beside.outcome == "Success"


async def test_refusals_of_requests_name_no_patient(index_url: str) -> None:
    body = query_body(
        "14d4debf-8f97-4251-9a74-a90016b0af0d",
        [("$XDSDocumentEntryPatientId", f"{ANNE.value}"), (f"${ANNE.value}", "'1'")],
    )

    reply = await post(f"{index_url}/xds/registry", envelope(QUERY, body))

    assert reply.outcome == "Failure"
    assert ANNE.value not in str(reply.body.xpath("string(//@codeContext)"))
