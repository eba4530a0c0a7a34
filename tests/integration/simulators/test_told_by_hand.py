"""`drim-sim report` tells a gateway of a report, and an integrator what came of it."""

import asyncio
import re
import subprocess
import sys
from base64 import b64decode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from ssl import SSLContext

import pytest

from gateway.security.tls import server_context
from tests.support.certificates import Authority

END_WITHIN_S = 30
EXAM = ["--study", "1.2.3", "--accession", "A1", "--ins", "155059999900196", "--local-id", "IPP1"]


@dataclass
class Gateway:
    """Hears messages on a port and gives each the same answer."""

    code: str
    port: int = 0
    heard: list[str] = field(default_factory=list)


@asynccontextmanager
async def a_gateway(code: str, tls: SSLContext | None = None) -> AsyncIterator[Gateway]:
    gateway = Gateway(code)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if await reader.readexactly(1) != b"\x0b":
            writer.close()
            return
        message = (await reader.readuntil(b"\x1c\r"))[:-2].decode()
        gateway.heard.append(message)
        control_id = message.split("|")[9]
        err = "" if code == "AA" else "ERR||OBX^1^11|207^x^HL70357|E||||not as it should be\r"
        answer = f"MSH|^~\\&|G|C|R|C|20260102||ACK|1|P|2.5\rMSA|{code}|{control_id}\r{err}"
        writer.write(b"\x0b" + answer.encode() + b"\x1c\r")
        await writer.drain()
        writer.close()

    limit = 4 * 1024 * 1024
    server = await asyncio.start_server(serve, "127.0.0.1", 0, limit=limit, ssl=tls)
    async with server:
        gateway.port = server.sockets[0].getsockname()[1]
        yield gateway


async def told(gateway: Gateway, *options: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "simulators", "report", *EXAM]
    return await asyncio.to_thread(
        subprocess.run,
        [*command, "--mllp", f"127.0.0.1:{gateway.port}", *options],
        capture_output=True,
        text=True,
        timeout=END_WITHIN_S,
    )


def said(gateway: Gateway, segment: str, place: int) -> str:
    [message] = gateway.heard
    rows = [row.split("|") for row in message.split("\r") if row.startswith(segment)]
    return rows[0][place]


def document_of(gateway: Gateway) -> str:
    return b64decode(said(gateway, "OBX", 5).split("^")[4]).decode()


async def test_a_report_is_sent_and_its_document_named() -> None:
    async with a_gateway("AA") as gateway:
        ended = await told(gateway, "--flag", "MASQUE_PS=Y", "--name", "FICTIF^ZOÉ")

    assert ended.returncode == 0, ended.stderr
    document, accepted = (line.split() for line in ended.stdout.splitlines())
    assert document[0] == "document"
    assert f'<id root="{document[1]}"/>' in document_of(gateway)
    assert accepted == ["accepted", said(gateway, "MSH", 9)]
    assert 'root="1.2.3"' in document_of(gateway)
    assert "MASQUE_PS^Masqué aux PS^MetaDMPMSS||Y" in gateway.heard[0]
    assert "FICTIF^ZOÉ" in gateway.heard[0]


async def test_a_replacement_and_a_deletion_are_of_the_document_that_is_named() -> None:
    async with a_gateway("AA") as replaced:
        ended = await told(replaced, "--kind", "mdm", "--replace", "1.2.9")
    async with a_gateway("AA") as deleted:
        await told(deleted, "--kind", "mdm", "--delete", "1.2.9")

    assert (said(replaced, "MSH", 8), said(replaced, "TXA", 13)) == ("MDM^T10^MDM_T02", "1.2.9")
    assert said(replaced, "TXA", 12) == ended.stdout.split()[1] != "1.2.9"
    assert (said(deleted, "MSH", 8), said(deleted, "TXA", 12)) == ("MDM^T04^MDM_T02", "1.2.9")


async def test_a_refusal_is_told_with_its_reason() -> None:
    async with a_gateway("AE") as gateway:
        ended = await told(gateway)

    assert ended.returncode == 1
    assert "AE: not as it should be (OBX^1^11)" in ended.stderr


async def test_a_report_goes_over_tls_with_a_certificate(tmp_path: Path) -> None:
    centre = Authority(tmp_path, "centre")
    own, ris = centre.certify("gateway"), centre.certify("ris")
    context = server_context(certificate=own.certificate, key=own.key, ca=centre.ca)
    options = [
        *("--tls-ca", str(centre.ca)),
        *("--tls-certificate", str(ris.certificate), "--tls-key", str(ris.key)),
    ]

    async with a_gateway("AA", context) as gateway:
        ended = await told(gateway, *options)

    assert ended.returncode == 0, ended.stderr


@dataclass(frozen=True)
class Keys:
    """What a gateway listens with, and files of a sender."""

    context: SSLContext
    ours: list[str]
    without_certificate: list[str]
    of_another_ca: list[str]


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Keys:
    folder = tmp_path_factory.mktemp("keys")
    centre, other = Authority(folder, "centre"), Authority(folder, "other")
    own, ris = centre.certify("gateway"), centre.certify("ris")
    shown = ["--tls-certificate", str(ris.certificate), "--tls-key", str(ris.key)]
    return Keys(
        server_context(certificate=own.certificate, key=own.key, ca=centre.ca),
        ours=["--tls-ca", str(centre.ca), *shown],
        without_certificate=["--tls-ca", str(centre.ca)],
        of_another_ca=["--tls-ca", str(other.ca), *shown],
    )


@pytest.mark.parametrize(
    "who, reason",
    [
        # It is told by an alert, which a reset may overtake.
        ("without_certificate", "(tls: .*certificate required|.*or take the sender's certificate)"),
        ("of_another_ca", "its certificate is not taken: self-signed certificate"),
        (None, "it ended the connection without an answer: it may want tls"),
    ],
)
async def test_why_tls_does_not_come_about_is_told(keys: Keys, who: str, reason: str) -> None:
    async with a_gateway("AA", keys.context) as gateway:
        ended = await told(gateway, *(getattr(keys, who) if who else []))

    assert (ended.returncode, ended.stdout) == (1, "")
    assert re.search(f"127.0.0.1:{gateway.port}: {reason}", ended.stderr.lower())


async def test_a_port_without_tls_is_told_as_such(keys: Keys) -> None:
    async with a_gateway("AA") as gateway:
        ended = await told(gateway, *keys.ours)

    assert (ended.returncode, ended.stdout) == (1, "")
    assert "it may not speak TLS" in ended.stderr


async def test_a_name_that_is_not_the_certificates_is_told(keys: Keys) -> None:
    async with a_gateway("AA", keys.context) as gateway:
        ended = await told(gateway, *keys.ours, "--mllp", f"127.1:{gateway.port}")

    assert (ended.returncode, ended.stdout) == (1, "")
    assert "not valid for '127.1'" in ended.stderr


async def test_nobody_there_is_told_as_such() -> None:
    ended = await told(Gateway("AA", port=1))

    assert (ended.returncode, ended.stdout) == (1, "")
    assert "127.0.0.1:1: nothing listens there" in ended.stderr


@pytest.mark.parametrize(
    "options",
    [
        ["--kind", "pdf"],
        ["--flag", "MASQUE_PS"],
        ["--flag", "NO_SUCH=Y"],
        ["--replace", "1.2", "--delete", "1.3"],
        ["--charset", "EBCDIC"],
        ["--charset", "8859/1", "--name", "LŒUVRE^ZOÉ"],
        ["--tls-key", "key.pem"],
        ["--mllp", "nowhere"],
    ],
    ids=" ".join,
)
async def test_an_option_that_cannot_be_is_refused_before_anything_is_sent(
    options: list[str],
) -> None:
    gateway = Gateway("AA", port=1)

    ended = await told(gateway, *options)

    assert ended.returncode == 2
    assert gateway.heard == []
