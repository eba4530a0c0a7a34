"""WADO-URI (PS3.18 §9) on a real socket."""

from io import BytesIO
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian, JPEG2000Lossless

from gateway.model.access import AccessContext
from gateway.model.resource import Resource
from gateway.security.policy import OpenAccess, Verdict
from indexer.contract.identifiers import Ins
from tests.support.retrieval import Bench, a_bench, a_slice
from tests.support.studies import SERIES, STUDY

ASKED = {
    "requestType": "WADO",
    "studyUID": STUDY,
    "seriesUID": SERIES,
    "objectUID": f"{SERIES}.1",
    "contentType": "application/dicom",
}


async def wado(bench: Bench, *, method: str = "GET", **told: str) -> tuple[int, str, bytes]:
    asked = {name: value for name, value in (ASKED | told).items() if value}
    url = bench.root.removesuffix("/dicom-web") + "/wado"
    async with bench.http.request(method, url, params=asked) as response:
        return response.status, response.headers["Content-Type"], await response.read()


async def test_an_instance_comes_alone_in_explicit_little_endian(bench: Bench) -> None:
    await bench.push(a_slice(1), ImplicitVRLittleEndian)

    status, kind, body = await wado(bench)

    assert status == 200
    assert kind.startswith("application/dicom")
    told = dcmread(BytesIO(body))
    assert told.file_meta.TransferSyntaxUID == ExplicitVRLittleEndian
    assert told.PixelData == a_slice(1).PixelData


async def test_an_instance_comes_in_the_transfer_syntax_that_is_asked_for(bench: Bench) -> None:
    await bench.push(a_slice(1), JPEG2000Lossless)

    status, _, body = await wado(bench, transferSyntax=JPEG2000Lossless)

    assert status == 200
    assert dcmread(BytesIO(body)).file_meta.TransferSyntaxUID == JPEG2000Lossless


async def test_a_transfer_syntax_that_cannot_be_given_is_not_acceptable(bench: Bench) -> None:
    await bench.push(a_slice(1))

    status, _, _ = await wado(bench, transferSyntax="1.2.840.10008.1.2.4.100")

    assert status == 406


async def test_an_instance_that_the_pacs_holds_is_fetched(bench: Bench) -> None:
    await bench.hold_in_pacs(a_slice(1), a_slice(2))

    status, _, body = await wado(bench)

    assert status == 200
    assert dcmread(BytesIO(body)).SOPInstanceUID == f"{SERIES}.1"


@pytest.mark.parametrize(
    "told, status",
    [
        ({"objectUID": f"{SERIES}.9"}, 404),
        ({"seriesUID": "1.2.3"}, 404),
        ({"objectUID": ""}, 400),
        ({"requestType": "XDS"}, 400),
        ({"anonymize": "yes"}, 406),
    ],
)
async def test_what_cannot_be_given_is_refused(
    bench: Bench, told: dict[str, str], status: int
) -> None:
    await bench.push(a_slice(1))

    answered, kind, _ = await wado(bench, **told)

    assert (answered, kind) == (status, "application/problem+json")


async def test_head_tells_what_get_would_begin_with(bench: Bench) -> None:
    await bench.push(a_slice(1))

    status, _, body = await wado(bench, method="HEAD")

    assert (status, body) == (200, b"")


class Hides(OpenAccess):
    async def decide(self, access: AccessContext, target: Resource | Ins) -> Verdict:
        return Verdict(permitted=False, reason="hidden")


async def test_what_policy_refuses_is_not_told(tmp_path: Path) -> None:
    async with a_bench(tmp_path, Hides()) as bench:
        there, _, _ = await wado(bench)
        nowhere, _, _ = await wado(bench, objectUID="1.2.3")

    assert (there, nowhere) == (403, 403)
