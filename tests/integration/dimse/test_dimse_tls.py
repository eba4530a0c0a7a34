"""DICOM over TLS: who is let in, and that who is not keeps nobody else waiting."""

import asyncio
import logging
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest
from pynetdicom import AE

from gateway.dimse.limits import DimseLimits
from simulators.imaging_centre.dimse import AS_REQUESTOR
from tests.integration.dimse.conftest import Receiver
from tests.integration.dimse.raw_peer import VERIFICATION, RawPeer, associate_rq, connect
from tests.support.certificates import Centre

HOST = "127.0.0.1"
ANSWER_WITHIN_S = 10


@pytest.fixture(scope="module")
def centre(tmp_path_factory: pytest.TempPathFactory) -> Centre:
    return Centre(tmp_path_factory.mktemp("centre"))


async def listen(receiver: Receiver, centre: Centre, **limits: float) -> int:
    """An acceptor; its TLS port."""
    await receiver.listen(limits=DimseLimits(**limits))  # type: ignore[arg-type]
    return receiver.servers[0].listen(HOST, 0, tls=centre.server())


@asynccontextmanager
async def secured(port: int, context: ssl.SSLContext) -> AsyncIterator[RawPeer]:
    async with asyncio.timeout(ANSWER_WITHIN_S):
        reader, writer = await asyncio.open_connection(HOST, port, ssl=context)
    try:
        yield RawPeer(reader, writer)
    finally:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()


async def is_let_in(port: int, context: ssl.SSLContext) -> bool:
    """Whether a peer with this context gets as far as an association."""
    try:
        async with asyncio.timeout(ANSWER_WITHIN_S), secured(port, context) as peer:
            await peer.associate(associate_rq())
    except (OSError, asyncio.IncompleteReadError):
        return False
    return True


def echo(port: int, context: ssl.SSLContext) -> int:
    ae = AE("MODALITY")
    ae.add_requested_context(VERIFICATION)
    association = ae.associate(
        HOST, port, ae_title="DRIMBOX", tls_args=(context, HOST), evt_handlers=AS_REQUESTOR
    )
    assert association.is_established
    status = int(association.send_c_echo().Status)
    association.release()
    return status


async def test_who_is_certified_is_served(receiver: Receiver, centre: Centre) -> None:
    port = await listen(receiver, centre)

    assert await asyncio.to_thread(echo, port, centre.client(centre.modality)) == 0


@pytest.mark.parametrize("who", ["nobody", "expired", "stranger"])
async def test_who_is_not_certified_is_refused_and_others_are_served(
    receiver: Receiver, centre: Centre, who: str
) -> None:
    port = await listen(receiver, centre)
    own = None if who == "nobody" else getattr(centre, who)

    async with secured(port, centre.client(centre.modality)) as other:
        await other.associate(associate_rq())

        assert not await is_let_in(port, centre.client(own))

    assert await is_let_in(port, centre.client(centre.modality))


@pytest.mark.parametrize(
    "who, reason",
    [
        ("nobody", "peer did not return a certificate"),
        ("stranger", "unable to get local issuer certificate"),
    ],
)
async def test_why_there_was_no_tls_is_logged_in_the_words_of_hl7(
    receiver: Receiver, centre: Centre, caplog: pytest.LogCaptureFixture, who: str, reason: str
) -> None:
    port = await listen(receiver, centre)

    await is_let_in(port, centre.client(None if who == "nobody" else centre.stranger))
    async with asyncio.timeout(ANSWER_WITHIN_S):
        while not (logged := refused(caplog)):  # noqa: ASYNC110 - a log sets no event
            await asyncio.sleep(0)

    assert [one.__dict__["reason"] for one in logged] == [reason]


def refused(caplog: pytest.LogCaptureFixture) -> list[logging.LogRecord]:
    return [one for one in caplog.records if one.message == "tls_refused"]


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
async def test_a_version_before_1_2_is_refused(receiver: Receiver, centre: Centre) -> None:
    port = await listen(receiver, centre)
    old = centre.client(centre.modality)
    old.minimum_version = ssl.TLSVersion.TLSv1
    old.maximum_version = ssl.TLSVersion.TLSv1_1
    old.set_ciphers("ALL:@SECLEVEL=0")

    assert not await is_let_in(port, old)


@pytest.mark.parametrize(
    "cipher, agreed",
    [
        ("ECDHE-ECDSA-AES128-GCM-SHA256", True),
        ("ECDHE-ECDSA-AES256-GCM-SHA384", True),
        ("ECDHE-ECDSA-AES128-SHA256", False),  # CBC
        ("AES128-GCM-SHA256", False),  # no forward secrecy
    ],
)
async def test_tls_1_2_is_spoken_with_the_suites_of_bcp_195_alone(
    receiver: Receiver, centre: Centre, cipher: str, agreed: bool
) -> None:
    port = await listen(receiver, centre)
    client = centre.client(centre.modality)
    client.maximum_version = ssl.TLSVersion.TLSv1_2
    client.set_ciphers(cipher)

    assert await is_let_in(port, client) is agreed


async def test_a_peer_without_tls_is_refused_at_once(receiver: Receiver, centre: Centre) -> None:
    port = await listen(receiver, centre)

    async with connect(port) as plain:
        await plain.send(associate_rq())
        async with asyncio.timeout(ANSWER_WITHIN_S):
            with suppress(ConnectionError):
                await plain.reader.read()  # an alert, and then the end

    assert await is_let_in(port, centre.client(centre.modality))


async def test_silent_connections_keep_nobody_waiting(receiver: Receiver, centre: Centre) -> None:
    port = await listen(receiver, centre)

    async with connect(port), connect(port), connect(port):
        assert await is_let_in(port, centre.client(centre.modality))


async def test_a_handshake_that_does_not_end_is_closed(receiver: Receiver, centre: Centre) -> None:
    port = await listen(receiver, centre, handshake_s=0.1)

    async with connect(port) as silent:
        assert await silent.is_closed()


async def test_a_handshake_takes_one_of_the_places_that_both_ports_share(
    receiver: Receiver, centre: Centre
) -> None:
    port = await listen(receiver, centre, associations_max=1)

    async with connect(port) as silent:
        await silent.send(b"\x16")  # it is being served, not only accepted
        async with connect(receiver.servers[0].port) as plain:
            await plain.send(associate_rq())
            kind, _ = await plain.read_pdu()

    assert kind == 3  # rejected


async def test_closing_ends_handshakes(receiver: Receiver, centre: Centre) -> None:
    port = await listen(receiver, centre)

    async with connect(port) as silent:
        await silent.send(b"\x16")
        await asyncio.to_thread(echo, port, centre.client(centre.modality))
        async with asyncio.timeout(ANSWER_WITHIN_S):
            await receiver.servers[0].close(grace_s=5)

        assert await silent.is_closed()
