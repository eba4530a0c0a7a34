"""Texts come compressed to those who take it, and are the same texts (RFC 9110 §8.4, §12.5.3)."""

import gzip
import json
from collections.abc import Mapping

import brotli
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


UNPACK = {"gzip": gzip.decompress, "br": brotli.decompress}


@pytest.mark.parametrize("path", [METADATA, INSTANCES])
@pytest.mark.parametrize("accepted, coding", [("gzip", "gzip"), ("gzip, deflate, br", "br")])
async def test_who_takes_a_coding_gets_the_same_in_fewer_bytes(
    bench: Bench, path: str, accepted: str, coding: str
) -> None:
    for number in range(1, 9):
        await bench.push(a_slice(number))

    _, plainly, plain = await asked(bench, path, "identity")
    _, headers, packed = await asked(bench, path, accepted)

    assert UNPACK[coding](packed) == plain
    assert len(packed) < len(plain) / 2
    assert headers["Content-Length"] == str(len(packed))
    assert headers["Content-Encoding"] == coding
    assert "Content-Encoding" not in plainly
    assert headers["Vary"] == plainly["Vary"] == "Accept, Accept-Encoding"


async def test_each_coding_has_a_tag_of_its_own(bench: Bench) -> None:
    await bench.push(a_slice(1))
    _, plainly, _ = await asked(bench, METADATA, "identity")
    _, headers, packed = await asked(bench, METADATA, "gzip")
    _, shortest, _ = await asked(bench, METADATA, "br")

    tags = {"identity": plainly["ETag"], "gzip": headers["ETag"], "br": shortest["ETag"]}
    assert len(set(tags.values())) == 3
    for coding, tag in tags.items():
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


async def test_who_takes_nothing_as_it_is_gets_it_packed_however_short(bench: Bench) -> None:
    await bench.push(a_slice(1))

    _, headers, body = await asked(bench, f"{INSTANCES}?limit=1", "gzip, identity;q=0")

    assert headers["Content-Encoding"] == "gzip"
    assert len(json.loads(gzip.decompress(body))) == 1


@pytest.mark.parametrize("coding", ["gzip, br", "identity;q=0, br, gzip;q=0.5"])
async def test_what_a_pacs_sends_is_packed_for_who_takes_nothing_else(
    passing: Bench, coding: str
) -> None:
    await passing.hold_in_pacs(a_slice(1), a_slice(2))

    _, headers, body = await asked(passing, METADATA, coding)

    packed = headers.get("Content-Encoding")
    assert packed == ("br" if "identity" in coding else None)
    assert len(json.loads(UNPACK[packed](body) if packed else body)) == 2
    assert headers["Vary"] == "Accept, Accept-Encoding"


@pytest.mark.parametrize(
    "path, coding",
    [
        (METADATA, "identity;q=0"),
        (INSTANCES, "*;q=0"),
        (f"/studies/{STUDY}", "gzip, br, identity;q=0"),
        (f"/studies/{STUDY}/rendered", "*, identity;q=0"),
    ],
)
async def test_what_is_not_given_in_any_coding_that_is_taken_is_refused(
    bench: Bench, path: str, coding: str
) -> None:
    await bench.push(a_slice(1))

    status, _, body = await asked(bench, path, coding)

    assert status == 406
    assert b"Accept-Encoding" in body


@pytest.mark.parametrize("coding", ["\u00ff", "br;q=2", "gzip" * 1000, ",;=", "br;q=0.0001"])
async def test_what_cannot_be_read_counts_for_nothing(bench: Bench, coding: str) -> None:
    await bench.push(a_slice(1))

    status, headers, _ = await asked(bench, METADATA, coding)

    assert status == 200
    assert "Content-Encoding" not in headers


async def test_images_are_not_compressed_again(bench: Bench) -> None:
    await bench.push(a_slice(1))

    _, headers, _ = await asked(bench, f"/studies/{STUDY}", "gzip")

    assert "Content-Encoding" not in headers
    assert headers["Vary"] == "Accept"
