"""Whatever stands in an address or a header, it is answered by 4xx or passed over, never by 5xx."""

import asyncio
from collections.abc import AsyncIterator
from http import HTTPStatus
from ipaddress import ip_network
from itertools import product
from pathlib import Path

import pytest

from gateway.security.forwarded import Forwarding
from gateway.security.policy import OpenAccess
from tests.support.retrieval import PUBLIC_URL, Bench, a_bench, a_slice
from tests.support.studies import SERIES, STUDY

Headers = tuple[tuple[str, str], ...]

STUDY_PATH = f"/studies/{STUDY}"
INSTANCE_PATH = f"{STUDY_PATH}/series/{SERIES}/instances/{SERIES}.1"
PATHS = (
    STUDY_PATH,
    INSTANCE_PATH,
    f"{STUDY_PATH}/metadata",
    f"{INSTANCE_PATH}/frames/1",
    f"{INSTANCE_PATH}/pixeldata",
    f"{INSTANCE_PATH}/thumbnail",
    f"{STUDY_PATH}/series",
    "/studies",
)
ODD_PATHS = (
    "/studies/%00", "/studies/%2e%2e%2f", "/studies/1.2%0d%0aX:%20y", "/studies/%F0%9F%98%80",
    "/studies/" + "1." * 1000, "/studies//metadata", "/studies/1.2/series/", "/studies/%",
    f"{INSTANCE_PATH}/frames/0", f"{INSTANCE_PATH}/frames/-1", f"{INSTANCE_PATH}/frames/1,,2",
    f"{INSTANCE_PATH}/frames/99999999999999999999", f"{INSTANCE_PATH}/frames/%EF%BC%91",
    f"{INSTANCE_PATH}/bulkdata/..%2f..%2fetc", f"{INSTANCE_PATH}/bulkdata/",
)  # fmt: skip
ODD_QUERIES = (
    "accept=", "accept=%00", "accept=*/*", "accept=a/b&accept=c/d", "accept=%22", "accept",
    "accept=" + "a/b," * 1000, "%", "%FF=%FE", "=", "&&&", "a" * 5000,
    "accept=application/dicom%20json",
    "limit=-1", "limit=1&limit=2", "offset=9" + "9" * 40, "viewport=,,", "window=a,b,c",
    "quality=0", "charset=", "charset=utf-8&charset=x", "charset=%FF" + "," * 3000,
)  # fmt: skip
ODD_HEADERS = (
    ("Accept", ""), ("Accept", "*/*;q=0"), ("Accept", '"'), ("Accept", "a/b;q=9"),
    ("Accept", ";;,"),
    ("Accept", "*/*" + ",a/b" * 1500), ("Accept", "multipart/related;type=;transfer-syntax=="),
    ("Accept", 'multipart/related; type="multipart/related; type=x"'), ("Accept", "\xe9/\xff"),
    ("Range", "bytes=5-1"), ("Range", "bytes=0-0,1-1"), ("Range", "bytes=-"), ("Range", "x=1-2"),
    ("Range", "bytes=" + "9" * 4000 + "-"), ("If-None-Match", '"' * 999), ("If-Match", "x" * 9000),
    ("If-Range", "\xff"), ("Accept-Encoding", "gzip;q=x,*;q=2"), ("Accept-Encoding", "," * 5000),
    ("Accept-Encoding", "identity;q=0"), ("Accept-Encoding", "*;q=0, \xff"),
    ("Accept-Charset", "\xff;q=0"), ("Accept-Charset", "x," * 9000),
    ("Forwarded", 'for="'), ("Forwarded", "\xff=\xff;" * 900), ("X-Forwarded-For", "\xff"),
    ("X-Forwarded-Host", "\xff/"), ("X-Forwarded-Proto", "'"), ("X-Forwarded-Prefix", "/.."),
    ("Accept-Language", "\xff" * 200), ("KOS-SOPInstanceUID", "'; DROP"), ("Authorization", "\xff"),
)  # fmt: skip


async def status_of(bench: Bench, target: str, headers: Headers) -> int:
    """Of one request as it is written here: a client's library would put it right."""
    host, port = bench.root.removeprefix("http://").partition("/")[0].split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        lines = [f"GET /dicom-web{target} HTTP/1.1", "Host: here", "Connection: close"]
        lines += [f"{name}: {value}" for name, value in headers]
        writer.write(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1"))
        async with asyncio.timeout(30):
            first = await reader.readline()
        return int(first.split()[1])
    finally:
        writer.close()


@pytest.fixture
async def believing(tmp_path: Path) -> AsyncIterator[Bench]:
    """It believes what proxies tell, whoever they are."""
    forwarding = Forwarding([ip_network("127.0.0.0/8")], base_url=PUBLIC_URL, fixed=False)
    async with a_bench(tmp_path, OpenAccess(), forwarding=forwarding) as bench:
        yield bench


async def test_nothing_that_is_asked_makes_the_gateway_fail(believing: Bench) -> None:
    bench = believing
    await bench.push(a_slice(1))
    accept = ("Accept", "*/*")
    asked: list[tuple[str, Headers]] = [(path, (accept,)) for path in ODD_PATHS]
    asked += [(f"{path}?{query}", (accept,)) for path, query in product(PATHS, ODD_QUERIES)]
    asked += [(path, (header,)) for path, header in product(PATHS, ODD_HEADERS)]
    asked += [(path, (accept, ("Accept", "text/html"), accept)) for path in PATHS]

    told = [
        (await status_of(bench, target, headers), target[:99], headers[0][0], headers[0][1][:60])
        for target, headers in asked
    ]

    assert [one for one in told if one[0] >= HTTPStatus.INTERNAL_SERVER_ERROR] == []
    assert {200, 400, 404, 406} <= {status for status, *_ in told}
