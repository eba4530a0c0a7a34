"""What a viewer has is not sent again, and what broke off is resumed (RFC 9110 §13, §14)."""

import aiohttp
import pytest
from pydicom.uid import ImplicitVRLittleEndian, JPEG2000Lossless

from gateway.retrieval.whole import LOOKED_FOR
from tests.support.retrieval import PUBLIC_URL, Bench, a_slice, instances_of
from tests.support.studies import SERIES, STUDY

STUDY_PATH = f"/studies/{STUDY}"
SERIES_PATH = f"{STUDY_PATH}/series/{SERIES}"
INSTANCE_PATH = f"{SERIES_PATH}/instances/{SERIES}.1"
AS_STORED = 'multipart/related; type="application/dicom"; transfer-syntax=*'
ALONE = "application/dicom; transfer-syntax=*"


async def fetched(
    bench: Bench,
    path: str = STUDY_PATH,
    *,
    method: str = "GET",
    accept: str = AS_STORED,
    **more: str,
) -> tuple[aiohttp.ClientResponse, bytes]:
    headers = {"Accept": accept} | {name.replace("_", "-"): one for name, one in more.items()}
    async with bench.http.request(method, bench.root + path, headers=headers) as response:
        return response, await response.read()


async def test_a_body_is_the_same_each_time_and_says_how_long_it_is(bench: Bench) -> None:
    for number in (2, 1):
        await bench.push(a_slice(number))

    first, body = await fetched(bench)
    again, same = await fetched(bench)

    assert body == same
    assert first.content_length == len(body)
    assert first.headers["ETag"] == again.headers["ETag"]
    assert first.headers["Content-Type"] == again.headers["Content-Type"]
    assert first.headers["Content-Location"] == f"{PUBLIC_URL}/dicom-web{STUDY_PATH}"
    assert first.headers["Vary"] == "Accept"
    assert first.headers["Cache-Control"] == "private, no-cache"
    assert [ds.InstanceNumber for ds in instances_of(first.headers["Content-Type"], body)] == [1, 2]


async def test_each_part_says_where_it_is_had_alone(bench: Bench) -> None:
    await bench.push(a_slice(1))

    _, body = await fetched(bench)

    location = body.partition(b"Content-Location: ")[2].partition(b"\r\n")[0].decode()
    assert location == f"{PUBLIC_URL}/dicom-web{INSTANCE_PATH}"


@pytest.mark.parametrize("path", [STUDY_PATH, SERIES_PATH, INSTANCE_PATH])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_who_has_it_is_told_so(bench: Bench, path: str, method: str) -> None:
    await bench.push(a_slice(1))
    had, _ = await fetched(bench, path)

    told, body = await fetched(
        bench, path, method=method, If_None_Match=f'"x", W/{had.headers["ETag"]}'
    )

    assert (told.status, body) == (304, b"")
    assert told.headers["ETag"] == had.headers["ETag"]
    assert told.headers["Vary"] == "Accept"


async def test_the_tag_changes_with_what_is_held_and_with_the_form(bench: Bench) -> None:
    await bench.push(a_slice(1))
    tags = [(await fetched(bench, INSTANCE_PATH))[0].headers["ETag"]]
    tags.append((await fetched(bench, INSTANCE_PATH, accept=ALONE))[0].headers["ETag"])
    await bench.push(a_slice(1, StudyDescription="Another"))
    tags.append((await fetched(bench, INSTANCE_PATH))[0].headers["ETag"])
    await bench.push(a_slice(2))
    tags.append((await fetched(bench))[0].headers["ETag"])

    assert len(set(tags)) == 4


async def test_head_tells_what_get_would(bench: Bench) -> None:
    await bench.push(a_slice(1))

    got, body = await fetched(bench)
    told, nothing = await fetched(bench, method="HEAD")

    assert nothing == b""
    assert told.headers["Content-Length"] == str(len(body))
    assert {**told.headers} == {**got.headers, "Date": told.headers["Date"]}


@pytest.mark.parametrize("accept", [AS_STORED, ALONE])
async def test_a_body_that_broke_off_is_resumed_anywhere(bench: Bench, accept: str) -> None:
    await bench.push(a_slice(1))
    whole, body = await fetched(bench, INSTANCE_PATH, accept=accept)
    tag = whole.headers["ETag"]

    step = 97
    came = b""
    while len(came) < len(body):
        part, piece = await fetched(
            bench,
            INSTANCE_PATH,
            accept=accept,
            Range=f"bytes={len(came)}-{len(came) + step - 1}",
            If_Range=tag,
        )
        assert part.status == 206
        end = min(len(came) + step, len(body)) - 1
        assert part.headers["Content-Range"] == f"bytes {len(came)}-{end}/{len(body)}"
        came += piece

    assert came == body


async def test_a_range_of_a_study_goes_across_its_parts(bench: Bench) -> None:
    for number in range(1, 12):
        await bench.push(a_slice(number))
    _, body = await fetched(bench)

    for start, end in ((0, 1), (1, len(body)), (400, 5000), (len(body) - 7, len(body))):
        part, piece = await fetched(bench, Range=f"bytes={start}-{end - 1}")
        assert (part.status, piece) == (206, body[start:end])


async def test_what_changed_meanwhile_is_given_whole(bench: Bench) -> None:
    await bench.push(a_slice(1))
    had, _ = await fetched(bench)
    await bench.push(a_slice(2))

    came, body = await fetched(bench, Range="bytes=10-", If_Range=had.headers["ETag"])
    refused, _ = await fetched(bench, If_Match=had.headers["ETag"])

    assert came.status == 200
    assert len(instances_of(came.headers["Content-Type"], body)) == 2
    assert refused.status == 412


async def test_a_range_beyond_the_end_is_refused_with_the_length(bench: Bench) -> None:
    await bench.push(a_slice(1))
    _, body = await fetched(bench)

    refused, _ = await fetched(bench, Range=f"bytes={len(body)}-")

    assert refused.status == 416
    assert refused.headers["Content-Range"] == f"bytes */{len(body)}"


async def test_what_is_written_anew_has_no_tag_and_is_not_resumed(bench: Bench) -> None:
    await bench.push(a_slice(1), ImplicitVRLittleEndian)

    came, body = await fetched(bench, Range="bytes=0-9")

    assert came.status == 200
    assert "ETag" not in came.headers
    assert len(instances_of(came.headers["Content-Type"], body)) == 1


async def test_a_study_of_two_syntaxes_goes_as_it_lies(bench: Bench) -> None:
    await bench.push(a_slice(1))
    await bench.push(a_slice(2), JPEG2000Lossless)

    came, body = await fetched(bench)

    syntaxes = [ds.file_meta.TransferSyntaxUID for ds in instances_of(
        came.headers["Content-Type"], body)]  # fmt: skip
    assert syntaxes == ["1.2.840.10008.1.2.1", JPEG2000Lossless]
    assert "ETag" in came.headers


async def test_a_file_that_is_gone_is_no_tagged_body(bench: Bench) -> None:
    await bench.push(a_slice(1))
    [kept] = [one for one in bench.stores.objects.path("0" * 32).parents[1].rglob("*")
              if one.is_file()]  # fmt: skip
    kept.unlink()

    refused, _ = await fetched(bench)

    assert refused.status in (404, 503)


async def test_a_file_that_is_missing_late_breaks_one_body_off_and_not_the_next(
    bench: Bench,
) -> None:
    """Once they are known, the first of them are looked for before a body begins; after that, all
    of them are."""
    slices = [a_slice(number) for number in range(1, LOOKED_FOR + 3)]
    await bench.hold_in_pacs(*slices)
    for one in slices:
        await bench.push(one)
    images = (await bench.stores.snapshot()).images
    last = max(images, key=lambda one: one.description.instance)
    assert last.stored is not None
    await bench.fetched()
    bench.stores.objects.path(last.stored.key).unlink()

    with pytest.raises(aiohttp.ClientPayloadError):
        await fetched(bench)
    again = await bench.fetched()

    assert {ds.SOPInstanceUID for ds in again} == {one.SOPInstanceUID for one in slices}
    assert bench.pacs.sent > 0
