"""WADO-RS on metadata resources (PS3.18 §10.4.1.1.2)."""

from pathlib import Path
from xml.etree import ElementTree

import pytest
from pydicom import Dataset
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
)

from gateway.dicomweb.negotiation import DICOM_XML
from gateway.model.notification import InstancesRejected
from gateway.model.resource import Resource
from gateway.retrieval.describing.describe import BINARY_INLINE_BYTES_MAX
from indexer.contract.identifiers import Uid
from tests.support.retrieval import PUBLIC_URL, Bench, a_slice, parts_by_type
from tests.support.studies import SERIES, STUDY

JSON = "application/dicom+json"
NOTE = Uid("1.2.250.1.999.77")
METADATA = f"/studies/{STUDY}/metadata"


async def metadata_of(bench: Bench, path: str = METADATA) -> list[Dataset]:
    """The headers, each with the address of its pixels, which is left out of them."""
    async with bench.get(path, accept=JSON) as response:
        assert response.status == 200
        assert response.headers["Content-Type"] == JSON
        told = await response.json(content_type=None)
    for one in told:
        address = address_of(one["0020000E"]["Value"][0], one["00080018"]["Value"][0])
        assert one.pop("7FE00010")["BulkDataURI"] == f"{address}/bulkdata/7FE00010"
    return [Dataset.from_json(one, lambda uri: uri) for one in told]


def address_of(series: str, instance: str) -> str:
    return f"{PUBLIC_URL}/dicom-web/studies/{STUDY}/series/{series}/instances/{instance}"


def header_of(ds: Dataset) -> Dataset:
    del ds.PixelData
    ds.SpecificCharacterSet = "ISO_IR 192"
    return ds


@pytest.mark.parametrize(
    "syntax",
    [
        ExplicitVRLittleEndian,
        ImplicitVRLittleEndian,
        ExplicitVRBigEndian,
        DeflatedExplicitVRLittleEndian,
        JPEG2000Lossless,
    ],
)
async def test_metadata_is_the_header_whatever_the_syntax(bench: Bench, syntax: str) -> None:
    item = Dataset()
    item.CodeValue = "T-A0100"
    item.CodeMeaning = "Crâne"
    await bench.push(a_slice(1, AnatomicRegionSequence=[item]), syntax)

    [told] = await metadata_of(bench)

    assert told == header_of(a_slice(1, AnatomicRegionSequence=[item]))


async def test_metadata_is_had_of_a_study_a_series_and_an_instance(bench: Bench) -> None:
    await bench.push(a_slice(1))
    await bench.push(a_slice(2))
    await bench.push(a_slice(3, SeriesInstanceUID=f"{SERIES}.9"))

    series = f"/studies/{STUDY}/series/{SERIES}"

    assert len(await metadata_of(bench)) == 3
    assert len(await metadata_of(bench, f"{series}/metadata")) == 2
    assert len(await metadata_of(bench, f"{series}/instances/{SERIES}.2/metadata")) == 1


async def test_metadata_of_a_study_in_the_pacs_leaves_nothing_in_the_spool(bench: Bench) -> None:
    await bench.hold_in_pacs(a_slice(1), a_slice(2))

    told = await metadata_of(bench)

    assert [ds.InstanceNumber for ds in told] == [1, 2]
    await bench.pulled()
    await bench.tidied()


async def test_a_large_value_stands_apart_and_a_small_one_is_inline(bench: Bench) -> None:
    waveform = Dataset()
    waveform.WaveformBitsAllocated = 8
    waveform.WaveformData = bytes(BINARY_INLINE_BYTES_MAX + 2)
    whole = bytes(BINARY_INLINE_BYTES_MAX)
    await bench.push(a_slice(1, WaveformSequence=[waveform], ICCProfile=whole))

    [told] = await metadata_of(bench)

    address = address_of(SERIES, f"{SERIES}.1")
    assert told.ICCProfile == whole
    assert told.WaveformSequence[0].WaveformData == f"{address}/bulkdata/54000100/1/54001010"


async def test_a_quoted_word_of_the_format_within_a_text_stays_as_it_is(bench: Bench) -> None:
    await bench.push(a_slice(1, ImageComments='"BulkDataURI":"bulkdata/00100010"'))

    [told] = await metadata_of(bench)

    assert told.ImageComments == '"BulkDataURI":"bulkdata/00100010"'


async def test_who_has_the_metadata_is_told_so_until_an_instance_is_replaced(
    bench: Bench,
) -> None:
    await bench.push(a_slice(1))
    await bench.push(a_slice(2))
    first = await etag_of(bench)

    async with bench.get(METADATA, JSON, {"If-None-Match": f'"other", {first}'}) as response:
        assert (response.status, await response.read()) == (304, b"")
        assert response.headers["ETag"] == first
    await bench.push(a_slice(2, StudyDescription="Scanner du rachis"))
    async with bench.get(METADATA, JSON, {"If-None-Match": first}) as response:
        told = [Dataset.from_json(one, lambda uri: uri) for one in await response.json()]

    assert [ds.StudyDescription for ds in told] == ["Scanner du crâne", "Scanner du rachis"]
    assert await etag_of(bench) != first


async def test_what_is_rejected_is_gone_from_the_metadata_at_once(bench: Bench) -> None:
    await bench.push(a_slice(1))
    await bench.push(a_slice(2))
    before = await etag_of(bench)

    note = InstancesRejected(study=STUDY, note=NOTE, code="113001", instances=(Uid(f"{SERIES}.1"),))
    await bench.stores.database.write(
        lambda tx: bench.stores.studies.instances_rejected(tx, note, now_ms=0)
    )

    assert [ds.SOPInstanceUID for ds in await metadata_of(bench)] == [f"{SERIES}.2"]
    assert await etag_of(bench) != before


async def test_each_form_of_metadata_has_a_tag_of_its_own(bench: Bench) -> None:
    await bench.push(a_slice(1))
    xml = f'multipart/related; type="{DICOM_XML}"'

    tags = {await etag_of(bench, accept) for accept in (JSON, "application/json", xml)}

    assert len(tags) == 3


async def test_head_tells_of_metadata_what_get_would_begin_with(bench: Bench) -> None:
    await bench.push(a_slice(1))

    plainly = {"Accept": JSON, "Accept-Encoding": "identity"}
    async with bench.http.get(bench.root + METADATA, headers=plainly) as response:
        size_bytes = len(await response.read())
    async with bench.http.head(bench.root + METADATA, headers=plainly) as response:
        assert response.status == 200
        assert int(response.headers["Content-Length"]) == size_bytes
        assert response.headers["Content-Type"] == JSON


async def test_an_instance_that_cannot_be_read_is_left_out_with_a_warning(bench: Bench) -> None:
    await bench.push(a_slice(1))
    await bench.push(a_slice(2))
    broken = await stored_file(bench, f"{SERIES}.2")
    document = broken.read_bytes()
    broken.write_bytes(document[: document.index(b"CAMILLE")])

    async with bench.get(METADATA, JSON) as response:
        told = [one["00080018"]["Value"] for one in await response.json()]

    assert response.status == 206
    assert response.headers["Warning"] == (
        '299 drim-gateway "The metadata of 1 instances cannot be read"'
    )
    assert told == [[f"{SERIES}.1"]]


async def test_metadata_of_which_nothing_can_be_read_is_refused_with_the_reason(
    bench: Bench,
) -> None:
    await bench.push(a_slice(1))
    broken = await stored_file(bench, f"{SERIES}.1")
    document = broken.read_bytes()
    broken.write_bytes(document[: document.index(b"CAMILLE")])

    async with bench.get(METADATA, JSON) as response:
        assert response.status == 406
        assert "cut short" in (await response.json())["detail"]


async def stored_file(bench: Bench, instance: str) -> Path:
    images = await bench.stores.database.read(
        lambda tx: bench.stores.studies.shown(tx, Resource(study=STUDY))
    )
    [found] = [one.stored for one in images if one.description.instance == instance]
    assert found is not None
    return bench.stores.objects.path(found.key)


async def etag_of(bench: Bench, accept: str = "application/dicom+json") -> str:
    async with bench.get(METADATA, accept) as response:
        assert response.status == 200
        return response.headers["ETag"]


async def test_metadata_is_given_as_xml_one_part_an_instance(bench: Bench) -> None:
    await bench.push(a_slice(1))
    await bench.push(a_slice(2))

    accept = 'multipart/related; type="application/dicom+xml"'
    async with bench.get(METADATA, accept=accept) as response:
        kind, body = response.headers["Content-Type"], await response.read()

    documents = [ElementTree.fromstring(part) for part in parts_by_type(kind, body, DICOM_XML)]
    assert [told_by(one, "SOPInstanceUID") for one in documents] == [f"{SERIES}.1", f"{SERIES}.2"]
    assert {told_by(one, "StudyDescription") for one in documents} == {"Scanner du crâne"}


def told_by(document: ElementTree.Element, keyword: str) -> str | None:
    return document.findtext(f"{{*}}DicomAttribute[@keyword='{keyword}']/{{*}}Value")


async def test_metadata_is_not_given_in_a_form_that_it_has_not(bench: Bench) -> None:
    await bench.push(a_slice(1))

    async with bench.get(METADATA, accept="text/html") as response:
        assert response.status == 406
