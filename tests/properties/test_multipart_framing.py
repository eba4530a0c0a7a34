"""Multipart bodies, read back by a parser that is not ours."""

import asyncio

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.framing.multipart_writer import MultipartRelated

PARTS = st.lists(
    st.binary(max_size=2000) | st.sampled_from([b"", b"\r\n", b"--", b"\r\n--x--\r\n"])
)


def written(parts: list[bytes], boundary: str | None = None) -> tuple[str, bytes]:
    frame = MultipartRelated("application/dicom", boundary=boundary)
    body = b"".join(
        frame.part("application/dicom; transfer-syntax=1.2", size_bytes=len(part)) + part
        for part in parts
    )
    return frame.content_type, body + frame.end()


async def read(content_type: str, body: bytes) -> list[bytes]:
    stream = aiohttp.StreamReader(
        aiohttp.base_protocol.BaseProtocol(asyncio.get_running_loop()), limit=2**16
    )
    stream.feed_data(body)
    stream.feed_eof()
    reader = aiohttp.MultipartReader({"Content-Type": content_type}, stream)
    parts = []
    while (part := await reader.next()) is not None:
        assert isinstance(part, aiohttp.BodyPartReader)
        assert part.headers["Content-Type"] == "application/dicom; transfer-syntax=1.2"
        parts.append(bytes(await part.read()))
    return parts


@given(PARTS.filter(bool))
def test_what_is_written_is_read_back(parts: list[bytes]) -> None:
    assert asyncio.run(read(*written(parts))) == parts


def test_no_two_bodies_share_a_boundary() -> None:
    assert written([])[0] != written([])[0]


@pytest.mark.parametrize("boundary", ["", "a" * 71, 'a"b', "a\r\nb", "a b"])
def test_a_boundary_that_would_break_the_header_is_refused(boundary: str) -> None:
    with pytest.raises(ValueError, match="boundary"):
        MultipartRelated("application/dicom", boundary=boundary)
