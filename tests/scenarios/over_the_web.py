"""What a PACS tells the gateway over the web: instances (STOW-RS), and that it holds a study."""

from collections.abc import Sequence
from pathlib import Path

from aiohttp import ClientSession, ClientTimeout

from tests.support.program import HOST
from tests.support.world import WITHIN_S, Study


async def store(port: int, files: Sequence[Path]) -> None:
    """Store the files by one Store transaction (PS3.18 §10.5); returns once all are answered 200.

    Raises:
        ClientError: there was no answer.
    """
    parts = [
        b"--b\r\nContent-Type: application/dicom\r\n\r\n" + path.read_bytes() + b"\r\n"
        for path in files
    ]
    kind = 'multipart/related; type="application/dicom"; boundary=b'
    status = await _post(port, "/dicom-web/studies", b"".join([*parts, b"--b--\r\n"]), kind)
    assert status == 200


async def announce(port: int, study: Study) -> None:
    """Tell that the PACS holds the study; returns once that is answered 202.

    Raises:
        ClientError: there was no answer.
    """
    body = b'{"study_uid": "%s"}' % study.uid.encode()
    assert await _post(port, "/notifications/studies", body, "application/json") == 202


async def _post(port: int, path: str, body: bytes, kind: str) -> int:
    async with (
        ClientSession(timeout=ClientTimeout(total=WITHIN_S)) as session,
        session.post(
            f"http://{HOST}:{port}{path}", data=body, headers={"Content-Type": kind}
        ) as response,
    ):
        await response.read()
        return response.status
