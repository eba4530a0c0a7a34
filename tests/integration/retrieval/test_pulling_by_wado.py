"""A PACS that serves DICOMweb is pulled from by WADO-RS, whatever it answers."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from io import BytesIO
from pathlib import Path
from ssl import SSLContext
from uuid import uuid4

import aiohttp
import pytest
from aiohttp import web
from pydicom import dcmread

from gateway.dicomweb import client as limits
from gateway.dicomweb.client import WadoClient
from gateway.dimse.receiving import Spooling
from gateway.dimse.turns import Lane, PacsThreads
from gateway.errors import GatewayError, PacsIncomplete, PacsUnavailable
from gateway.model.resource import Resource
from gateway.retrieval.sources.pull import Arrival
from gateway.retrieval.sources.wado import WadoPuller, try_wado
from indexer.contract.identifiers import Uid
from tests.support.arrivals import content_of
from tests.support.certificates import Centre
from tests.support.retrieval import a_slice, write_part10
from tests.support.studies import SERIES, STUDY

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]

WHOLE = Resource(study=STUDY)
BOUNDARY = "4f2a"
BYTES_MAX = 20_000
MULTIPART = f'multipart/related; type="application/dicom"; boundary={BOUNDARY}'


@pytest.fixture
def files(tmp_path: Path) -> list[bytes]:
    """Five instances, as a PACS sends them."""
    made = []
    for number in range(1, 6):
        write_part10(a_slice(number), tmp_path / "slice.dcm")
        made.append((tmp_path / "slice.dcm").read_bytes())
    return made


def multipart(files: Sequence[bytes], *, last: bool = True) -> bytes:
    parts = b"".join(
        b"--%b\r\nContent-Type: application/dicom\r\n\r\n%b\r\n" % (BOUNDARY.encode(), one)
        for one in files
    )
    return parts + (f"--{BOUNDARY}--\r\n".encode() if last else b"")


def giving(body: bytes, status: int = 200, **headers: str) -> Answer:
    async def answer(_request: web.Request) -> web.StreamResponse:
        told = {"Content-Type": MULTIPART, **{k.replace("_", "-"): v for k, v in headers.items()}}
        return web.Response(body=body, status=status, headers=told)

    return answer


@asynccontextmanager
async def serving(answer: Answer, tls: SSLContext | None = None) -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_get("/{anything:.*}", answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls)
    await site.start()
    scheme = "https" if tls else "http"
    try:
        yield f"{scheme}://127.0.0.1:{runner.addresses[0][1]}/dicom-web/"
    finally:
        await runner.cleanup()


@asynccontextmanager
async def puller_of(
    url: str, folder: Path, tls: SSLContext | None = None
) -> AsyncIterator[WadoPuller]:
    folder.mkdir(exist_ok=True)
    connector = aiohttp.TCPConnector(ssl=tls or True)
    with PacsThreads(1) as threads, ThreadPoolExecutor(1) as writers:
        async with aiohttp.ClientSession(connector=connector) as session:
            yield WadoPuller(
                WadoClient(session, url),
                pacs_ae="PACS",
                turns=threads.turns(associations_max=1),
                spooling=Spooling(lambda: folder / uuid4().hex, writers),
                bytes_max=BYTES_MAX,
            )


async def pulled(
    puller: WadoPuller, wanted: Resource = WHOLE, came: list[Arrival] | None = None
) -> list[Arrival]:
    came = [] if came is None else came
    async with asyncio.timeout(10), puller.open(wanted, lane=Lane.VIEWER) as arrivals:
        async for arrival in arrivals:
            came.append(arrival)
    return came


async def test_a_study_comes_as_it_is_stored(tmp_path: Path, files: list[bytes]) -> None:
    asked: list[tuple[str, str]] = []

    async def answer(request: web.Request) -> web.StreamResponse:
        asked.append((request.path, request.headers["Accept"]))
        return await giving(multipart(files))(request)

    async with serving(answer) as url, puller_of(url, tmp_path / "spool") as puller:
        came = await pulled(puller)

    form = 'multipart/related; type="application/dicom"; transfer-syntax=*'
    assert asked == [(f"/dicom-web/studies/{STUDY}", form)]
    for one, sent in zip(came, files, strict=True):
        content = content_of(one)
        assert sent.endswith(content[-one.size_bytes :])
        assert dcmread(BytesIO(content)).PixelData == dcmread(BytesIO(sent)).PixelData


async def test_the_first_instance_is_there_before_the_second_is_sent(
    tmp_path: Path, files: list[bytes]
) -> None:
    has_first = asyncio.Event()

    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": MULTIPART})
        await response.prepare(request)
        await response.write(multipart(files[:1], last=False) + f"--{BOUNDARY}\r\n".encode())
        await has_first.wait()
        await response.write(multipart(files[1:]).partition(b"\r\n")[2])
        return response

    async with (
        serving(answer) as url,
        puller_of(url, tmp_path / "spool") as puller,
        asyncio.timeout(10),
        puller.open(WHOLE, lane=Lane.VIEWER) as arrivals,
    ):
        first = await anext(arrivals)
        has_first.set()
        rest = [one async for one in arrivals]

    assert dcmread(BytesIO(content_of(first))).InstanceNumber == 1
    assert len(rest) == 4


async def test_one_instance_may_come_alone(tmp_path: Path, files: list[bytes]) -> None:
    one = Resource(study=STUDY, series=SERIES, instance=Uid(f"{SERIES}.1"))
    answer = giving(files[0], Content_Type="application/dicom")

    async with serving(answer) as url, puller_of(url, tmp_path / "spool") as puller:
        [came] = await pulled(puller, one)

    assert dcmread(BytesIO(content_of(came))).PixelData == a_slice(1).PixelData


async def test_a_study_that_the_pacs_has_not_is_empty(tmp_path: Path) -> None:
    async with serving(giving(b"", 404)) as url, puller_of(url, tmp_path / "spool") as puller:
        assert await pulled(puller) == []


@pytest.mark.parametrize(
    "status, why",
    [
        (401, "does not let the gateway in"),
        (403, "does not let the gateway in"),
        (406, "as they are stored"),
        (302, "status 302"),
        (500, "status 500"),
    ],
)
async def test_why_a_pacs_does_not_give_is_told(tmp_path: Path, status: int, why: str) -> None:
    answer = giving(b"nobody's business", status, Location="http://127.0.0.1:9/")

    async with serving(answer) as url, puller_of(url, tmp_path / "spool") as puller:
        with pytest.raises(PacsUnavailable, match=why):
            await pulled(puller)


async def test_when_to_come_again_is_told(tmp_path: Path) -> None:
    answer = giving(b"", 503, Retry_After="7")

    async with serving(answer) as url, puller_of(url, tmp_path / "spool") as puller:
        with pytest.raises(PacsUnavailable) as caught:
            await pulled(puller)

    assert caught.value.retry_after_s == 7


@pytest.mark.parametrize("told", [{"status": 206}, {"Warning": '299 - "one is unreadable"'}])
async def test_what_a_pacs_leaves_out_is_told_after_the_rest(
    tmp_path: Path, files: list[bytes], told: dict[str, str]
) -> None:
    came: list[Arrival] = []
    answer = giving(multipart(files), **told)  # type: ignore[arg-type]

    async with serving(answer) as url, puller_of(url, tmp_path / "spool") as puller:
        with pytest.raises(PacsIncomplete):
            await pulled(puller, came=came)

    assert len(came) == 5


def bodies(files: Sequence[bytes]) -> dict[str, tuple[bytes, str]]:
    """Bodies of two instances and a fault, by what is wrong with it."""
    two = multipart(files[:2], last=False)
    return {
        "cut short": (two + multipart(files[2:3])[:300], MULTIPART),
        "no last delimiter": (multipart(files[:3], last=False), MULTIPART),
        "no DICOM file": (two + multipart([b"x" * 1000]), MULTIPART),
        "an empty part": (two + multipart([b""]), MULTIPART),
        "too long an instance": (two + multipart([files[2] + bytes(BYTES_MAX)]), MULTIPART),
        "another kind of part": (
            two + multipart(files[2:]).replace(b"application/dicom", b"text/html"), MULTIPART
        ),
    }  # fmt: skip


@pytest.mark.parametrize("fault", list(bodies([b""] * 5)))
async def test_a_body_that_goes_wrong_gives_what_came_before(
    tmp_path: Path, files: list[bytes], fault: str
) -> None:
    body, content_type = bodies(files)[fault]
    came: list[Arrival] = []

    async with (
        serving(giving(body, Content_Type=content_type)) as url,
        puller_of(url, tmp_path / "spool") as puller,
    ):
        with pytest.raises(PacsUnavailable):
            await pulled(puller, came=came)

    assert len(came) == 2
    on_disk = {one.spooled for one in came if not one.in_memory}
    assert on_disk == set((tmp_path / "spool").iterdir())


@pytest.mark.parametrize("content_type", ["text/html", "multipart/related", "nonsense"])
async def test_an_answer_of_another_kind_is_no_instance(
    tmp_path: Path, files: list[bytes], content_type: str
) -> None:
    answer = giving(multipart(files), Content_Type=content_type)

    async with serving(answer) as url, puller_of(url, tmp_path / "spool") as puller:
        with pytest.raises(PacsUnavailable, match="cannot be read"):
            await pulled(puller)


async def test_a_pacs_that_stops_in_the_middle_is_left(
    tmp_path: Path, files: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "SILENT_S_MAX", 0.3)
    came: list[Arrival] = []
    is_over = asyncio.Event()

    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": MULTIPART})
        await response.prepare(request)
        await response.write(multipart(files[:1], last=False) + f"--{BOUNDARY}\r\n".encode())
        await is_over.wait()
        return response

    async with serving(answer) as url, puller_of(url, tmp_path / "spool") as puller:
        with pytest.raises(PacsUnavailable, match="silent"):
            await pulled(puller, came=came)
        is_over.set()

    assert len(came) == 1


async def test_a_pacs_that_is_not_there_is_unavailable(tmp_path: Path) -> None:
    async with puller_of("http://127.0.0.1:9/", tmp_path / "spool") as puller:
        with pytest.raises(PacsUnavailable, match="cannot be reached"):
            await pulled(puller)


async def test_a_reader_that_leaves_ends_the_transfer_and_keeps_nothing(
    tmp_path: Path, files: list[bytes]
) -> None:
    left = asyncio.Event()

    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": MULTIPART})
        await response.prepare(request)
        try:
            while True:
                await response.write(multipart(files, last=False))
                await asyncio.sleep(0)
        except (ConnectionError, asyncio.CancelledError):
            left.set()
            raise

    async with serving(answer) as url, puller_of(url, tmp_path / "spool") as puller:
        async with puller.open(WHOLE, lane=Lane.VIEWER) as arrivals:
            (await anext(arrivals)).spooled.unlink(missing_ok=True)

        assert list((tmp_path / "spool").iterdir()) == []
        with suppress(TimeoutError):
            async with asyncio.timeout(10):
                await left.wait()
        assert left.is_set()


async def test_a_pacs_of_the_centres_authority_is_asked_by_tls(
    tmp_path: Path, files: list[bytes], tmp_path_factory: pytest.TempPathFactory
) -> None:
    centre = Centre(tmp_path_factory.mktemp("centre"))
    answer, spool = giving(multipart(files)), tmp_path / "spool"

    async with (
        serving(answer, centre.listens(centre.modality)) as url,
        puller_of(url, spool, centre.opens()) as puller,
    ):
        came = await pulled(puller)
    async with (
        serving(answer, centre.listens(centre.stranger)) as url,
        puller_of(url, spool, centre.opens()) as puller,
    ):
        with pytest.raises(PacsUnavailable):
            await pulled(puller)

    assert len(came) == 5


@pytest.mark.parametrize("status, is_well", [(404, True), (200, True), (401, False), (500, False)])
async def test_whether_a_pacs_would_give_is_found_by_a_study_that_is_nobodys(
    status: int, is_well: bool
) -> None:
    async with serving(giving(b"", status)) as url, aiohttp.ClientSession() as session:
        try:
            await try_wado(WadoClient(session, url))
        except GatewayError:
            assert not is_well
        else:
            assert is_well


JSON = "application/dicom+json"


@pytest.mark.parametrize(
    "path, status, kind, is_root",
    [
        ("/dicom-web/studies", 200, JSON, True),
        ("/dicom-web/studies", 200, f"{JSON}; charset=utf-8", True),
        ("/dicom-web/studies", 204, "", True),
        ("/dicom-web/studies", 200, "application/json", False),
        ("/dicom-web/studies", 200, "text/html", False),
        ("/dicom-web/studies", 404, JSON, False),
        ("/elsewhere/studies", 200, JSON, False),
    ],
)
async def test_an_address_without_a_search_may_be_another_services(
    path: str, status: int, kind: str, is_root: bool
) -> None:
    """Whatever has no studies answers as a PACS does that has not this one."""

    async def answer(request: web.Request) -> web.StreamResponse:
        if request.path != path:
            return web.Response(status=404)
        assert request.query["limit"] == "1"
        return web.Response(status=status, headers={"Content-Type": kind} if kind else {})

    async with serving(answer) as url, aiohttp.ClientSession() as session:
        assert await try_wado(WadoClient(session, url)) is is_root
