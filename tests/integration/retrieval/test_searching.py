"""QIDO-RS on what the catalogue knows (PS3.18 §10.6)."""

from typing import Any

import pytest
from dicomweb_client import DICOMwebClient

from tests.support.retrieval import PUBLIC_URL, Bench, a_slice
from tests.support.studies import ACCESSION, LOCAL_ID, SERIES, STUDY

STUDIES = [f"1.2.250.1.999.7.{number}" for number in range(1, 6)]


async def search(bench: Bench, path: str) -> list[dict[str, Any]]:
    async with bench.get(path, accept="application/dicom+json") as response:
        assert response.status == 200
        assert response.headers["Content-Type"] == "application/dicom+json"
        found: list[dict[str, Any]] = await response.json(content_type=None)
        return found


async def push_two_series(bench: Bench) -> None:
    await bench.push(a_slice(1))
    await bench.push(a_slice(2))
    await bench.push(a_slice(3, SeriesInstanceUID=f"{SERIES}.9", Modality="SR"))


async def test_a_study_is_found_by_its_patient_with_what_viewers_list(bench: Bench) -> None:
    await push_two_series(bench)

    [study] = await search(bench, f"/studies?PatientID={LOCAL_ID.value}")

    assert list(study) == sorted(study)
    assert study["0020000D"] == {"vr": "UI", "Value": [STUDY]}
    assert study["00100010"] == {"vr": "PN", "Value": [{"Alphabetic": "EXEMPLE^CAMILLE"}]}
    assert study["00081030"] == {"vr": "LO", "Value": ["Scanner du crâne"]}
    assert study["00080061"] == {"vr": "CS", "Value": ["CT", "SR"]}
    assert study["00201206"] == {"vr": "IS", "Value": [2]}
    assert study["00201208"] == {"vr": "IS", "Value": [3]}
    assert study["00081190"]["Value"] == [f"{PUBLIC_URL}/dicom-web/studies/{STUDY}"]
    assert study["00080090"] == {"vr": "PN"}


async def test_a_study_that_the_pacs_told_of_is_found_too(bench: Bench) -> None:
    await bench.hold_in_pacs(a_slice(1), a_slice(2))

    [study] = await search(bench, f"/studies?StudyInstanceUID={STUDY}")

    assert study["00201208"]["Value"] == [2]


@pytest.mark.parametrize(
    "query",
    [
        f"PatientID={LOCAL_ID.value}",
        f"00100020={LOCAL_ID.value}",
        f"AccessionNumber={ACCESSION.value}",
        f"StudyInstanceUID={STUDY},1.2.3",
        f"0020000d={STUDY}",
        f"SeriesInstanceUID={SERIES}",
        f"SOPInstanceUID={SERIES}.1",
        f"PatientID={LOCAL_ID.value}&AccessionNumber={ACCESSION.value}&includefield=all",
    ],
)
async def test_a_study_is_found_by_each_key(bench: Bench, query: str) -> None:
    await bench.push(a_slice(1))
    await bench.push(
        a_slice(
            1,
            StudyInstanceUID="1.2.9",
            SeriesInstanceUID="1.2.9.1",
            SOPInstanceUID="1.2.9.1.1",
            PatientID="OTHER",
            AccessionNumber="OTHER",
        )
    )

    found = await search(bench, f"/studies?{query}")

    assert [study["0020000D"]["Value"] for study in found] == [[STUDY]]


@pytest.mark.parametrize("patient_id", ["LOC90", "LOC900%20X", "loc900", "'%20OR%20'1'='1"])
async def test_a_patient_id_is_matched_as_a_whole(bench: Bench, patient_id: str) -> None:
    await bench.push(a_slice(1))

    assert await search(bench, f"/studies?PatientID={patient_id}") == []


async def test_series_and_instances_of_a_study_are_listed(bench: Bench) -> None:
    await push_two_series(bench)

    series = await search(bench, f"/studies/{STUDY}/series")
    instances = await search(bench, f"/studies/{STUDY}/instances")
    of_series = await search(bench, f"/studies/{STUDY}/series/{SERIES}/instances")

    assert [one["00080060"]["Value"] for one in series] == [["CT"], ["SR"]]
    assert [one["00201209"]["Value"] for one in series] == [[2], [1]]
    assert "00100020" not in series[0]
    assert len(instances) == 3
    assert [one["00200013"]["Value"] for one in of_series] == [[1], [2]]
    assert of_series[0]["00280010"] == {"vr": "US", "Value": [16]}
    url = f"{PUBLIC_URL}/dicom-web/studies/{STUDY}/series/{SERIES}/instances/{SERIES}.1"
    assert of_series[0]["00081190"]["Value"] == [url]


async def test_without_a_study_series_and_instances_tell_of_their_study(bench: Bench) -> None:
    await bench.push(a_slice(1))

    [series] = await search(bench, f"/series?SeriesInstanceUID={SERIES}")
    [instance] = await search(bench, f"/instances?SOPInstanceUID={SERIES}.1")

    assert series["00100020"]["Value"] == [LOCAL_ID.value]
    assert instance["00080050"]["Value"] == [ACCESSION.value]


async def test_pages_follow_each_other_and_say_that_there_is_more(bench: Bench) -> None:
    for study in reversed(STUDIES):
        await bench.push(
            a_slice(
                StudyInstanceUID=study,
                SeriesInstanceUID=f"{study}.1",
                SOPInstanceUID=f"{study}.1.1",
            )
        )

    pages = []
    warnings = []
    for offset in (0, 2, 4, 6):
        async with bench.get(f"/studies?limit=2&offset={offset}", accept="*/*") as response:
            pages.append(
                [one["0020000D"]["Value"][0] for one in await response.json(content_type=None)]
            )
            warnings.append(response.headers.get("Warning", ""))

    assert pages == [STUDIES[0:2], STUDIES[2:4], STUDIES[4:5], []]
    assert "There are 3 additional results" in warnings[0]
    assert "There are 1 additional results" in warnings[1]
    assert warnings[2:] == ["", ""]


async def test_what_is_not_matched_is_said_without_repeating_it(bench: Bench) -> None:
    query = "PatientName=EXEMPLE&EXEMPLE=x&fuzzymatching=true"

    async with bench.get(f"/studies?{query}", accept="*/*") as response:
        warnings = response.headers.getall("Warning")

    assert response.status == 200
    assert warnings == [
        '299 drim-gateway "At least one parameter is not supported and has been ignored."',
        '299 drim-gateway "The fuzzymatching parameter is not supported. '
        'Only literal matching has been performed."',
    ]


@pytest.mark.parametrize(
    "query",
    [
        "limit=x",
        "limit=-1",
        "offset=1e3",
        "StudyInstanceUID=EXEMPLE",
        "PatientID=*",
        "PatientID=A&00100020=B",
        "AccessionNumber=" + "9" * 65,
    ],
)
async def test_a_value_that_is_none_is_refused_without_repeating_it(
    bench: Bench, query: str
) -> None:
    async with bench.get(f"/studies?{query}", accept="*/*") as response:
        text = await response.text()

    assert response.status == 400
    assert "EXEMPLE" not in text


async def test_an_independent_client_searches_and_fetches(bench: Bench) -> None:
    await push_two_series(bench)
    client = DICOMwebClient(url=bench.root)

    studies = await bench.in_thread(
        lambda: client.search_for_studies(search_filters={"PatientID": LOCAL_ID.value})
    )
    nothing = await bench.in_thread(
        lambda: client.search_for_studies(search_filters={"PatientID": "NOBODY"})
    )
    metadata = await bench.in_thread(lambda: client.retrieve_study_metadata(STUDY))
    came = await bench.in_thread(
        lambda: client.retrieve_series(STUDY, SERIES, media_types=(("application/dicom", "*"),))
    )

    assert [study["0020000D"]["Value"] for study in studies] == [[STUDY]]
    assert nothing == []
    assert len(metadata) == 3
    assert [ds.PixelData for ds in came] == [a_slice(1).PixelData, a_slice(2).PixelData]
