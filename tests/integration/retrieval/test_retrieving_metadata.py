"""WADO-RS on metadata resources (PS3.18 §10.4.1.1.2)."""

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
from gateway.retrieval.endpoints.metadata import VALUE_BYTES_MAX
from tests.support.retrieval import Bench, a_slice, parts_by_type
from tests.support.studies import SERIES, STUDY

METADATA = f"/studies/{STUDY}/metadata"


async def metadata_of(bench: Bench, path: str = METADATA) -> list[Dataset]:
    async with bench.get(path, accept="application/dicom+json") as response:
        assert response.status == 200
        assert response.headers["Content-Type"] == "application/dicom+json"
        return [Dataset.from_json(one) for one in await response.json(content_type=None)]


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


async def test_metadata_of_a_study_in_the_pacs_leaves_nothing_behind(bench: Bench) -> None:
    await bench.hold_in_pacs(a_slice(1), a_slice(2))

    told = await metadata_of(bench)

    assert [ds.InstanceNumber for ds in told] == [1, 2]
    assert bench.spooled == []


async def test_a_large_value_is_left_out_and_a_small_one_is_inline(bench: Bench) -> None:
    await bench.push(
        a_slice(1, EncapsulatedDocument=bytes(VALUE_BYTES_MAX + 2), ICCProfile=b"\x01\x02")
    )

    [told] = await metadata_of(bench)

    assert "EncapsulatedDocument" not in told
    assert told.ICCProfile == b"\x01\x02"


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
