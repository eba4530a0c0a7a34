"""Texts come compressed to those who take it, and are the same texts (RFC 9110 §8.4, §12.5.3)."""

import gzip
import json
from collections.abc import Mapping

import pytest

from tests.support.retrieval import Bench, a_slice
from tests.support.studies import STUDY

METADATA = f"/studies/{STUDY}/metadata"
INSTANCES = f"/studies/{STUDY}/instances"


async def asked(
    bench: Bench, path: str, coding: str, **more: str
) -> tuple[int, Mapping[str, str], bytes]:
    """Status, headers and the body as it came."""
    headers = {"Accept": "*/*", "Accept-Encoding": coding}
    headers |= {name.replace("_", "-"): value for name, value in more.items()}
    request = bench.http.get(bench.root + path, headers=headers, auto_decompress=False)
    async with request as response:
        return response.status, response.headers, await response.read()


@pytest.mark.parametrize("path", [METADATA, INSTANCES])
async def test_who_takes_gzip_gets_the_same_in_fewer_bytes(bench: Bench, path: str) -> None:
    for number in range(1, 9):
        await bench.push(a_slice(number))

    _, plainly, plain = await asked(bench, path, "identity")
    _, headers, packed = await asked(bench, path, "br, gzip")

    assert gzip.decompress(packed) == plain
    assert len(packed) < len(plain) / 2
    assert headers["Content-Length"] == str(len(packed))
    assert headers["Content-Encoding"] == "gzip"
    assert "Content-Encoding" not in plainly
    assert headers["Vary"] == plainly["Vary"] == "Accept, Accept-Encoding"


async def test_each_coding_has_a_tag_of_its_own(bench: Bench) -> None:
    await bench.push(a_slice(1))
    _, plainly, _ = await asked(bench, METADATA, "identity")
    _, headers, packed = await asked(bench, METADATA, "gzip")

    assert headers["ETag"] != plainly["ETag"]
    for coding, tag in (("identity", plainly["ETag"]), ("gzip", headers["ETag"])):
        status, told, body = await asked(bench, METADATA, coding, If_None_Match=tag)
        assert (status, body, told["ETag"]) == (304, b"", tag)
    status, told, body = await asked(bench, METADATA, "gzip", Range="bytes=5-9")
    assert (status, body) == (206, packed[5:10])
    assert told["Content-Encoding"] == "gzip"


async def test_what_fits_into_a_packet_comes_as_it_is(bench: Bench) -> None:
    await bench.push(a_slice(1))

    _, headers, body = await asked(bench, f"{INSTANCES}?limit=1", "gzip")

    assert "Content-Encoding" not in headers
    assert len(json.loads(body)) == 1


async def test_images_are_not_compressed_again(bench: Bench) -> None:
    await bench.push(a_slice(1))

    _, headers, _ = await asked(bench, f"/studies/{STUDY}", "gzip")

    assert "Content-Encoding" not in headers
    assert headers["Vary"] == "Accept"
