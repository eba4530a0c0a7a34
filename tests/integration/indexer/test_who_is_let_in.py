"""Who shows an assertion that is true is let in, by either protocol, and nobody else."""

import asyncio
import base64
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiohttp
import pytest
from fastapi import FastAPI

from gateway.errors import Unavailable
from gateway.telemetry import NamedRoute
from indexer.client.assertion import bearer, build_assertion
from indexer.contract.access import Caller
from indexer.server.access import checks
from indexer.server.access.policy import Unproved
from indexer.server.web.xds_endpoint import Answer, Asked, Operation, XdsEndpoint
from indexer.wire.outcome import XdsError
from indexer.wire.soap.head import PROOF_BYTES_MAX
from indexer.wire.xds.registry_messages import registry_response
from indexer.wire.xds.stored_query import QueryKind
from tests.support.guarded import a_guarded_index, ask_as, security
from tests.support.health_pki import a_doctor, a_structure, organisations
from tests.support.indexes import served
from tests.support.xds import QUERY, SPACES, Reply, envelope, post, query_body

DOCTOR = a_doctor()
BODY = query_body(QueryKind.GET_DOCUMENTS, [("$XDSDocumentEntryUniqueId", "('1.2')")])


@pytest.fixture
async def guarded(tmp_path: Path) -> AsyncIterator[str]:
    async with a_guarded_index(tmp_path) as url:
        yield url


def an_assertion(*, age_s: float = 0) -> bytes:
    issued = datetime.now(UTC) - timedelta(seconds=age_s)
    return build_assertion(DOCTOR, a_structure(), now=issued)


async def asked(url: str, authorization: str | None) -> tuple[int, str, str]:
    """Status, challenge and code of the answer to a request by FHIR."""
    headers = {} if authorization is None else {"Authorization": authorization}
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"{url}/fhir/metadata", headers=headers) as answer,
    ):
        resource = await answer.json(content_type=None)
        code = resource["issue"][0]["code"] if "issue" in resource else ""
        return answer.status, answer.headers.get("WWW-Authenticate", ""), code


def fault_of(reply: Reply) -> str:
    """The subcode of a fault; empty where there is none."""
    found = reply.body.findtext("env:Code/env:Subcode/env:Value", "", SPACES)
    return str(found)


async def test_a_bearer_asks_by_fhir_as_often_as_the_assertion_is_good(guarded: str) -> None:
    authorization = bearer(an_assertion())

    answers = [await asked(guarded, authorization) for _ in range(3)]

    assert [status for status, _, _ in answers] == [200, 200, 200]


async def test_by_soap_an_assertion_is_good_for_one_message(guarded: str) -> None:
    assertion = an_assertion()

    first, second = [
        await ask_as(f"{guarded}/xds/registry", QUERY, BODY, assertion) for _ in range(2)
    ]

    # Let in, and told by the registry what has nothing to do with the proof.
    assert (first.status, first.errors) == (200, ["XDSRegistryError"])
    assert (second.status, fault_of(second)) == (401, "wsse:FailedAuthentication")


async def test_of_many_who_show_it_at_once_one_is_let_in(guarded: str) -> None:
    assertion = an_assertion()

    replies = await asyncio.gather(
        *(ask_as(f"{guarded}/xds/registry", QUERY, BODY, assertion) for _ in range(8))
    )

    assert sorted(one.status for one in replies) == [200, *[401] * 7]


@pytest.mark.parametrize("authorization, challenge", [
    (None, "Bearer"),
    ("Bearer", 'Bearer error="invalid_token"'),
    ("Basic YTpi", 'Bearer error="invalid_token"'),
    ("Bearer nothing of base 64!", 'Bearer error="invalid_token"'),
    ("Bearer \xe9", 'Bearer error="invalid_token"'),
    (bearer(b"<Assertion/>"), 'Bearer error="invalid_token"'),
    (bearer(an_assertion(age_s=331)), 'Bearer error="invalid_token"'),
])  # fmt: skip
async def test_who_shows_none_by_fhir_is_not_let_in(
    guarded: str, authorization: str | None, challenge: str
) -> None:
    assert await asked(guarded, authorization) == (401, challenge, "login")


async def test_padding_of_base64_is_taken_too(guarded: str) -> None:
    token = bearer(an_assertion())

    padded = token + "=" * (-(len(token) - len("Bearer ")) % 4)

    assert (await asked(guarded, padded))[0] == 200


@pytest.mark.parametrize("assertions, fault", [
    ([], "wsse:SecurityTokenUnavailable"),
    ([b'<saml2:Assertion xmlns:saml2="urn:oasis:names:tc:SAML:2.0:assertion"/>'],
     "wsse:InvalidSecurity"),
    ([an_assertion(), an_assertion()], "wsse:InvalidSecurity"),
    ([an_assertion(age_s=331)], "wsse:MessageExpired"),
    ([build_assertion(DOCTOR, a_structure(sha1=True), now=datetime.now(UTC))],
     "wsse:UnsupportedAlgorithm"),
    ([an_assertion().replace(b"899700367909", b"899700367910")], "wsse:InvalidSecurity"),
    ([build_assertion(a_doctor(structure="1750803447"), a_structure(), now=datetime.now(UTC))],
     "wsse:FailedAuthentication"),
])  # fmt: skip
async def test_who_shows_none_by_soap_is_told_the_fault_of_the_standard(
    guarded: str, assertions: list[bytes], fault: str
) -> None:
    reply = await ask_as(f"{guarded}/xds/registry", QUERY, BODY, *assertions)

    assert (reply.status, reply.outcome, fault_of(reply)) == (401, "Sender", fault)


@pytest.mark.parametrize("content, content_type", [
    (b"no envelope", "application/soap+xml"),
    (b"<!DOCTYPE a><a/>", "application/soap+xml"),
    (b"a" * 2**20 + b"too long", "application/soap+xml"),
    (b"", "text/plain"),
    (b"--b\r\n\r\n", 'multipart/related; boundary="b"'),
], ids=["no XML", "a document type", "too long", "another type", "a broken package"])  # fmt: skip
async def test_who_does_not_prove_themselves_hears_nothing_of_their_message(
    tmp_path: Path, content: bytes, content_type: str
) -> None:
    async with a_guarded_index(tmp_path, body_mib_max=1) as url:
        replies = [
            await post(f"{url}/xds/{address}", content, content_type=content_type)
            for address in ("registry", "repository")
        ]

    for reply in replies:
        assert (reply.status, fault_of(reply)) == (401, "wsse:SecurityTokenUnavailable")
        reason = reply.body.findtext("env:Reason/env:Text", "", SPACES)
        assert reason == "no assertion says who asks"


async def test_an_unknown_action_is_told_to_who_proves_themselves(guarded: str) -> None:
    url = f"{guarded}/xds/registry"

    nobody, somebody = [
        await post(url, envelope("urn:another", BODY, headers=head))
        for head in ("", security(an_assertion()))
    ]

    assert (nobody.status, fault_of(nobody)) == (401, "wsse:SecurityTokenUnavailable")
    assert (somebody.status, fault_of(somebody)) == (400, "wsa:ActionNotSupported")


@pytest.mark.parametrize("method, path", [
    ("GET", "/xds/registry"), ("PUT", "/xds/repository"), ("GET", "/xds/nothing"),
    ("POST", "/fhir"), ("GET", "/nothing"), ("OPTIONS", "/fhir"),
])  # fmt: skip
async def test_every_other_address_asks_who_it_is_first(
    guarded: str, method: str, path: str
) -> None:
    async with (
        aiohttp.ClientSession() as session,
        session.request(method, guarded + path) as answer,
    ):
        assert answer.status == 401


async def test_a_revoked_certificate_lets_nobody_in_from_when_the_list_changes(
    tmp_path: Path,
) -> None:
    structure, lists = a_structure(), tmp_path / "lists"
    lists.mkdir()
    (lists / "a.crl").write_bytes(organisations().revoke())
    assertion = build_assertion(DOCTOR, structure, now=datetime.now(UTC))

    async with a_guarded_index(tmp_path, crl_dir=lists) as url:
        before = await asked(url, bearer(assertion))
        (lists / "b.crl").write_bytes(organisations().revoke(structure.key.certificate))
        after = await asked(url, bearer(assertion))

    assert (before[0], after[0]) == (200, 401)


async def test_with_open_access_whatever_is_shown_is_ignored(tmp_path: Path) -> None:
    async with a_guarded_index(tmp_path, open_access=True) as url:
        by_fhir = await asked(url, "Bearer nothing")
        by_soap = [
            await ask_as(f"{url}/xds/registry", QUERY, BODY, *shown)
            for shown in ([], [an_assertion(age_s=9999)], [an_assertion(), an_assertion()])
        ]

    assert by_fhir[0] == 200
    assert [one.outcome for one in by_soap] == ["Success"] * 3


async def test_a_flood_of_assertions_is_asked_to_come_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checks, "WAITING_MAX", 0)

    async with a_guarded_index(tmp_path) as url:
        by_fhir = await asked(url, bearer(an_assertion()))
        by_soap = await ask_as(f"{url}/xds/registry", QUERY, BODY, an_assertion())

    assert (by_fhir[0], by_fhir[2]) == (503, "transient")
    assert (by_soap.status, by_soap.outcome) == (503, "Receiver")


class Witness:
    """An operation that remembers who asked."""

    def __init__(self) -> None:
        self.asked: list[Caller | None] = []

    async def run(self, asked: Asked) -> Answer:
        self.asked.append(asked.caller)
        return Answer(body=registry_response())


class LetsIn:
    """A policy that knows who asks, or why it does not."""

    in_envelopes = True

    def __init__(self, found: Caller | Exception | None) -> None:
        self._found = found

    async def caller(self, proof: bytes | None, *, one_time: bool) -> Caller | None:
        if isinstance(self._found, Exception):
            raise self._found
        return self._found


@pytest.mark.parametrize("found, status, asked", [
    (DOCTOR, 200, [DOCTOR]), (None, 200, [None]),
    (Unproved("no"), 401, []), (Unavailable("busy"), 503, []),
])  # fmt: skip
async def test_an_operation_is_told_who_asks(
    found: Caller | Exception | None, status: int, asked: list[Caller | None]
) -> None:
    witness, policy = Witness(), LetsIn(found)
    operation = Operation(
        run=witness.run,
        failed=registry_response,
        invalid=XdsError.REGISTRY_ERROR,
        busy=XdsError.REGISTRY_BUSY,
        broken=XdsError.REGISTRY_ERROR,
    )
    app = FastAPI()
    endpoint = XdsEndpoint({QUERY: operation}, policy, body_bytes_max=2**20)
    app.router.routes.append(NamedRoute("/xds", endpoint.answer, methods=["POST"]))

    async with served(app) as url:
        reply = await post(f"{url}/xds", envelope(QUERY, BODY))

    assert (reply.status, witness.asked) == (status, asked)


@pytest.mark.parametrize("sent", [
    envelope(QUERY, BODY)[:-40],
    b"<a>" * 50_000,
    b'--b\r\nContent-ID: <1>\r\n\r\n' + envelope(QUERY, BODY) + b"\r\n--b\r\n\r\n\x00",
], ids=["an envelope", "another text", "a package"])  # fmt: skip
async def test_who_does_not_prove_themselves_is_told_before_the_rest_of_their_message(
    guarded: str, sent: bytes
) -> None:
    kind = 'multipart/related; boundary="b"' if sent.startswith(b"--b") else "application/soap+xml"
    port = int(guarded.rpartition(":")[2])
    reader, writer = await asyncio.open_connection("127.0.0.1", port)

    head = f"POST /xds/repository HTTP/1.1\r\nHost: a\r\nContent-Type: {kind}\r\n"
    writer.write(f"{head}Content-Length: {2**24}\r\n\r\n".encode() + sent)

    async with asyncio.timeout(10):
        status = await reader.readline()
    writer.close()
    assert status.startswith(b"HTTP/1.1 401 ")


async def test_an_assertion_is_looked_for_where_a_message_begins(guarded: str) -> None:
    late = "<!-- -->" * (PROOF_BYTES_MAX // 8) + security(an_assertion())
    early = security(an_assertion()) + "<!-- -->" * (PROOF_BYTES_MAX // 8)

    replies = [
        await post(f"{guarded}/xds/registry", envelope(QUERY, BODY, headers=headers))
        for headers in (late, early)
    ]

    assert [one.status for one in replies] == [401, 401]


async def test_an_envelope_that_comes_as_base64_may_prove_who_sends_it(guarded: str) -> None:
    message = base64.encodebytes(envelope(QUERY, BODY, headers=security(an_assertion())))
    part = b"--b\r\nContent-ID: <1>\r\nContent-Transfer-Encoding: base64\r\n\r\n"

    reply = await post(
        f"{guarded}/xds/registry",
        part + message + b"\r\n--b--\r\n",
        content_type='multipart/related; boundary="b"; type="application/xop+xml"',
    )

    assert (reply.status, reply.errors) == (200, ["XDSRegistryError"])


async def test_no_address_answers_nobody(guarded: str) -> None:
    async with aiohttp.ClientSession() as session:
        async with session.get(f"{guarded}/openapi.json") as answer:
            described = (await answer.json())["paths"]
        let_in = {}
        for path, methods in described.items():
            for method in methods:
                url = guarded + re.sub(r"\{[^}]*\}", "1", path)
                async with session.request(method, url, data=b"<a/>") as answer:
                    if answer.status != 401:
                        let_in[path] = answer.status

    assert let_in == {"/health/live": 200, "/health/ready": 200, "/metrics": 200}
