"""A gateway hears HL7 on both of its ports, and keeps what each type of message tells."""

import asyncio
import ssl
from pathlib import Path

import pytest

from gateway.app import Gateway, opened
from gateway.hl7.frames import END, START
from gateway.hl7.message import decode
from gateway.security.policy import OpenAccess
from gateway.settings import Settings
from tests.support.certificates import Authority, client_context
from tests.support.hl7_messages import a_merge, an_adt, an_mdm, an_omi, an_orm
from tests.support.reports import a_report

MESSAGES = [a_report(), an_mdm(), an_omi(), an_orm(), an_adt(), a_merge()]


async def answers(port: int, tls: ssl.SSLContext | None) -> list[str]:
    """MSA-1 of the answer to each message."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=tls)
    writer.write(b"".join(START + message + END for message in MESSAGES))
    async with asyncio.timeout(30):
        told = [await reader.readuntil(END) for _ in MESSAGES]
    writer.close()
    return [decode(answer[1:-2]).segments("MSA")[0].text(1) for answer in told]


async def test_every_type_of_message_is_kept_with_tls_and_without(tmp_path: Path) -> None:
    centre = Authority(tmp_path, "centre")
    own = centre.certify("gateway")
    settings = Settings(
        data_dir=tmp_path / "data",
        dicom_port=0,
        dicom_tls_port=0,
        mllp_port=0,
        mllp_tls_port=0,
        tls_certificate=own.certificate,
        tls_key=own.key,
        tls_ca=centre.ca,
    )

    async with opened(settings, OpenAccess()) as gateway:
        plain = await answers(gateway.mllp_port, None)
        secured = await answers(port_with_tls(gateway), client_context(centre.ca, own))

    assert plain == secured == ["AA"] * len(MESSAGES)


def port_with_tls(gateway: Gateway) -> int:
    assert gateway.mllp_tls_port is not None
    return gateway.mllp_tls_port


async def test_without_a_port_for_it_tls_is_not_spoken(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, dicom_port=0, mllp_port=0)

    async with opened(settings, OpenAccess()) as gateway:
        assert gateway.mllp_tls_port is None


def test_a_port_for_tls_without_a_certificate_stops_the_start() -> None:
    with pytest.raises(ValueError, match="mllp_tls_port needs tls_certificate"):
        Settings(mllp_tls_port=2576)
