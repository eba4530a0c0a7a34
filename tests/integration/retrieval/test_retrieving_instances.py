"""WADO-RS on instance resources, from the store (PS3.18 §10.4)."""

from io import BytesIO
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEG2000MCLossless,
)

from gateway.security.callers import Callers
from gateway.security.policy import RefuseAll
from simulators.digest import digest_of
from tests.support.retrieval import (
    REWRITTEN_BYTES_MAX,
    Bench,
    a_bench,
    a_slice,
    instances_of,
    parts_of,
    write_part10,
)
from tests.support.studies import SERIES, STUDY

STUDY_PATH = f"/studies/{STUDY}"
SERIES_PATH = f"{STUDY_PATH}/series/{SERIES}"
INSTANCE_PATH = f"{SERIES_PATH}/instances/{SERIES}.1"
PLAIN = 'multipart/related; type="application/dicom"'


def digest_as(path: Path, syntax: str = ExplicitVRLittleEndian) -> str:
    write_part10(a_slice(), path, syntax)
    return digest_of(path)


async def test_a_study_comes_back_whole(bench: Bench) -> None:
    for number in range(1, 6):
        await bench.push(a_slice(number))

    async with bench.get() as response:
        came = instances_of(response.headers["Content-Type"], await response.read())

    assert response.status == 200
    assert {ds.SOPInstanceUID for ds in came} == {f"{SERIES}.{n}" for n in range(1, 6)}
    assert {ds.PixelData for ds in came} == {a_slice(n).PixelData for n in range(1, 6)}


async def test_an_instance_larger_than_a_chunk_comes_back_whole(bench: Bench) -> None:
    pixels = bytes(range(256)) * 13_001
    await bench.push(a_slice(PixelData=pixels))

    async with bench.get() as response:
        [ds] = instances_of(response.headers["Content-Type"], await response.read())

    assert ds.PixelData == pixels


async def test_a_series_and_an_instance_are_had_apart(bench: Bench) -> None:
    await bench.push(a_slice(1))
    await bench.push(a_slice(2))
    await bench.push(a_slice(3, SeriesInstanceUID=f"{SERIES}.9"))

    async with bench.get(SERIES_PATH) as response:
        series = instances_of(response.headers["Content-Type"], await response.read())
    async with bench.get(INSTANCE_PATH) as response:
        instance = instances_of(response.headers["Content-Type"], await response.read())

    assert [ds.InstanceNumber for ds in series] == [1, 2]
    assert [ds.InstanceNumber for ds in instance] == [1]


async def test_an_instance_is_given_without_parts_to_one_who_asks_so(bench: Bench) -> None:
    await bench.push(a_slice(1))

    async with bench.get(INSTANCE_PATH, accept="application/dicom") as response:
        body = await response.read()
    async with bench.get(STUDY_PATH, accept="application/dicom") as refused:
        pass

    content_type = f"application/dicom; transfer-syntax={ExplicitVRLittleEndian}"
    assert response.headers["Content-Type"] == content_type
    assert int(response.headers["Content-Length"]) == len(body)
    assert dcmread(BytesIO(body)).InstanceNumber == 1
    assert refused.status == 406


@pytest.mark.parametrize(
    "stored", [ImplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian]
)
async def test_native_instances_leave_in_explicit_little_endian(
    bench: Bench, tmp_path: Path, stored: str
) -> None:
    await bench.push(a_slice(), stored)

    async with bench.get(accept=PLAIN) as response:
        [(syntax, content)] = parts_of(response.headers["Content-Type"], await response.read())

    came = dcmread(BytesIO(content))
    assert syntax == ExplicitVRLittleEndian
    assert came.file_meta.TransferSyntaxUID == ExplicitVRLittleEndian
    assert digest_of(BytesIO(content)) == digest_as(tmp_path / "sent.dcm", stored)
    await bench.tidied()


@pytest.mark.parametrize(
    "stored, given",
    [
        (ExplicitVRLittleEndian, ExplicitVRLittleEndian),
        (ImplicitVRLittleEndian, ExplicitVRLittleEndian),
        (ExplicitVRBigEndian, ExplicitVRLittleEndian),
        (DeflatedExplicitVRLittleEndian, DeflatedExplicitVRLittleEndian),
        (JPEG2000Lossless, JPEG2000Lossless),
    ],
)
async def test_any_syntax_means_the_stored_one_unless_the_web_forbids_it(
    bench: Bench, stored: str, given: str
) -> None:
    await bench.push(a_slice(), stored)

    async with bench.get() as response:
        [(syntax, _)] = parts_of(response.headers["Content-Type"], await response.read())

    assert syntax == given


async def test_pixels_that_cannot_be_decoded_are_refused_with_the_reason(bench: Bench) -> None:
    await bench.push(a_slice(), JPEG2000Lossless)

    async with bench.get(INSTANCE_PATH, accept=PLAIN) as response:
        problem = await response.json()

    assert response.status == 406
    assert response.headers["Content-Type"] == "application/problem+json"
    assert "no JPEG 2000 codestream" in problem["detail"]
    assert "transfer-syntax=*" in problem["detail"]
    assert str(STUDY) not in problem["detail"]


async def test_an_instance_too_large_to_be_rewritten_is_refused(bench: Bench) -> None:
    await bench.push(a_slice(PixelData=bytes(REWRITTEN_BYTES_MAX)), ImplicitVRLittleEndian)

    async with bench.get() as response:
        assert response.status == 406

    await bench.tidied()


async def test_a_small_file_that_inflates_to_a_large_one_is_refused(bench: Bench) -> None:
    await bench.push(
        a_slice(PixelData=bytes(4 * REWRITTEN_BYTES_MAX)), DeflatedExplicitVRLittleEndian
    )

    async with bench.get(INSTANCE_PATH, accept=PLAIN) as response:
        assert response.status == 406

    await bench.tidied()


async def test_what_nobody_knows_is_not_found(bench: Bench) -> None:
    await bench.push(a_slice())

    async with bench.get("/studies/1.2.3") as response:
        assert response.status == 404
    async with bench.get(f"{SERIES_PATH}/instances/1.2.3") as response:
        assert response.status == 404


async def test_an_address_that_names_no_uid_is_refused_without_repeating_it(bench: Bench) -> None:
    async with bench.get("/studies/EXEMPLE^CAMILLE") as response:
        assert response.status == 400
        assert "EXEMPLE" not in await response.text()


async def test_head_tells_whether_it_is_there(bench: Bench) -> None:
    await bench.push(a_slice())

    async with bench.http.head(bench.root + STUDY_PATH) as response:
        assert response.status == 200
    async with bench.http.head(f"{bench.root}/studies/1.2.3") as response:
        assert response.status == 404


async def test_nothing_is_deleted(bench: Bench) -> None:
    await bench.push(a_slice())

    async with bench.http.delete(bench.root + STUDY_PATH) as response:
        assert response.status == 405


async def test_one_who_may_not_enter_learns_nothing(tmp_path: Path) -> None:
    policy = RefuseAll(callers=Callers([]), hl7_senders=frozenset())
    async with a_bench(tmp_path, policy) as bench:
        await bench.push(a_slice())

        statuses = []
        for path in (STUDY_PATH, "/studies/1.2.3", "/studies/none", "/studies?limit=x"):
            async with bench.get(path) as response:
                statuses.append(response.status)

    assert statuses == [401, 401, 401, 401]


async def test_an_object_that_is_gone_from_the_disk_is_an_outage(bench: Bench) -> None:
    await bench.push(a_slice())
    [image] = (await bench.stores.snapshot()).images
    assert image.stored is not None
    bench.stores.objects.path(image.stored.key).unlink()

    async with bench.get() as response:
        assert response.status == 503


async def test_one_instance_that_cannot_be_decoded_keeps_nobody_from_the_rest(bench: Bench) -> None:
    """It comes as it is held, and says so."""
    await bench.push(a_slice(1))
    await bench.push(a_slice(2), JPEG2000Lossless)

    async with bench.get(accept=PLAIN) as response:
        parts = parts_of(response.headers["Content-Type"], await response.read())

    assert [syntax for syntax, _ in parts] == [ExplicitVRLittleEndian, JPEG2000Lossless]
    assert dcmread(BytesIO(parts[1][1])).file_meta.TransferSyntaxUID == JPEG2000Lossless


async def test_a_study_of_which_one_instance_cannot_be_given_is_refused_whole(
    bench: Bench,
) -> None:
    """It is known before the first byte leaves, so the client is told instead of broken off."""
    await bench.push(a_slice(1))
    await bench.push(a_slice(2), JPEG2000MCLossless)

    async with bench.get(accept=PLAIN) as refused:
        assert refused.status == 406
    async with bench.get() as response:
        came = instances_of(response.headers["Content-Type"], await response.read())

    assert len(came) == 2
