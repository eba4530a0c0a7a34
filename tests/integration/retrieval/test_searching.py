"""QIDO-RS on what the catalogue knows (PS3.18 §10.6)."""

from email import message_from_bytes
from email.policy import HTTP
from pathlib import Path
from random import Random
from typing import Any
from urllib.parse import quote
from xml.etree import ElementTree

import pytest
from dicomweb_client import DICOMwebClient
from pydicom import Dataset
from yarl import URL

from gateway.dicomweb.attributes import ATTRIBUTES
from gateway.model.act import ActKind
from gateway.security.policy import OpenAccess
from tests.support.retrieval import PUBLIC_URL, Bench, a_bench, a_slice
from tests.support.studies import ACCESSION, LOCAL_ID, SERIES, STUDY
from tests.support.telling import act

XML = 'multipart/related; type="application/dicom+xml"'
NATIVE = "{http://dicom.nema.org/PS3.19/models/NativeDICOM}"
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
    query = "EXEMPLE=x&EXEMPLE=y&RetrieveURL=EXEMPLE&includefield=EXEMPLE,00081030"

    async with bench.get(f"/studies?{query}", accept="*/*") as response:
        warnings = response.headers.getall("Warning")

    assert response.status == 200
    assert warnings == [
        '299 drim-gateway "At least one parameter is not supported and has been ignored."',
        '299 drim-gateway "At least one field to be included is not supported and has been '
        'ignored."',
    ]


@pytest.mark.parametrize(
    "query",
    [
        "limit=x",
        "limit=-1",
        "offset=1e3",
        "StudyInstanceUID=EXEMPLE",
        "fuzzymatching=perhaps",
        "StudyDate=20260230",
        "StudyTime=1300-1200",
        "SOPClassUID=1.2*",
        "SeriesNumber=one",
        "PatientName=EXEMPLE\\OTHER",
        "PatientName=*E*X*E*M*P*L*E*S*",
        "PatientID=A&00100020=B",
        "AccessionNumber=" + "9" * 257,
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


async def test_xml_has_a_document_for_each_result(bench: Bench) -> None:
    await push_two_series(bench)

    async with bench.get(f"/studies/{STUDY}/series", accept=XML) as response:
        head = f"Content-Type: {response.headers['Content-Type']}\r\n\r\n".encode()
        parts = list(message_from_bytes(head + await response.read(), policy=HTTP).iter_parts())
    roots = [ElementTree.fromstring(str(part.get_content(), "utf-8")) for part in parts]

    assert [part.get_content_type() for part in parts] == ["application/dicom+xml"] * 2
    modality = f"./{NATIVE}DicomAttribute[@keyword='Modality']/{NATIVE}Value"
    assert [root.findtext(modality) for root in roots] == ["CT", "SR"]


@pytest.mark.parametrize("accept, status", [("application/dicom+json", 200), (XML, 204)])
async def test_nothing_found_is_an_empty_array_or_no_content(
    bench: Bench, accept: str, status: int
) -> None:
    async with bench.get("/studies?PatientID=NOBODY&EXEMPLE=1", accept=accept) as response:
        body = await response.read()

    assert (response.status, body) == (status, b"[]" if status == 200 else b"")
    assert "has been ignored" in response.headers["Warning"]


async def test_a_centre_may_have_nothing_found_told_by_the_status(
    tmp_path: Path,
) -> None:
    async with a_bench(tmp_path, OpenAccess(), nothing_found=204) as bench:
        await bench.push(a_slice(1))
        async with bench.get("/series?Modality=MR", accept="*/*") as nothing:
            assert (nothing.status, await nothing.read()) == (204, b"")
        assert len(await search(bench, "/series?Modality=CT")) == 1


async def test_what_is_asked_for_beyond_is_answered(bench: Bench) -> None:
    request = Dataset()
    request.ScheduledProcedureStepID = "SPS1"
    other = Dataset()
    other.PatientID, other.IssuerOfPatientID = "255069999900101", "INS-NIR"
    told = {"OtherPatientIDsSequence": [other], "RequestAttributesSequence": [request]}
    await bench.push(a_slice(1, TimezoneOffsetFromUTC="+0100", BodyPartExamined="HEAD", **told))

    [study] = await search(bench, "/studies")
    [whole] = await search(bench, "/studies?includefield=all")
    [series] = await search(
        bench,
        "/series?RequestAttributesSequence.ScheduledProcedureStepID=SPS1"
        "&includefield=BodyPartExamined,00101002&includefield=SOPInstanceUID",
    )
    [instance] = await search(bench, "/instances?includefield=AvailableTransferSyntaxUID")

    assert "00101002" not in study
    assert study["00080201"] == {"vr": "SH", "Value": ["+0100"]}
    ids = {
        "00100020": {"vr": "LO", "Value": ["255069999900101"]},
        "00100021": {"vr": "LO", "Value": ["INS-NIR"]},
    }
    assert whole["00101002"] == series["00101002"] == {"vr": "SQ", "Value": [ids]}
    assert whole["00080062"]["Value"] == [a_slice(1).SOPClassUID]
    assert series["00180015"]["Value"] == ["HEAD"]
    assert series["00400275"]["Value"] == [{"00400009": {"vr": "SH", "Value": ["SPS1"]}}]
    assert "00080018" not in series
    assert instance["00083002"] == {"vr": "UI", "Value": ["1.2.840.10008.1.2.1"]}


async def test_what_only_the_pacs_holds_is_near(bench: Bench) -> None:
    await bench.hold_in_pacs(a_slice(1), a_slice(2))
    [study] = await search(bench, "/studies")
    await bench.push(a_slice(1))
    instances = await search(bench, "/instances")
    await bench.push(a_slice(2))
    [stored] = await search(bench, "/studies")

    assert study["00080056"]["Value"] == ["NEARLINE"]
    assert [one["00080056"]["Value"] for one in instances] == [["ONLINE"], ["NEARLINE"]]
    assert stored["00080056"]["Value"] == ["ONLINE"]


async def test_a_study_that_is_taken_back_is_not_found(bench: Bench) -> None:
    await push_two_series(bench)

    await act(bench.stores, ActKind.WITHDRAW)
    hidden = [await search(bench, path) for path in ("/studies", "/series", "/instances")]
    await act(bench.stores, ActKind.LIFT)

    assert hidden == [[], [], []]
    assert len(await search(bench, "/studies")) == 1


async def test_studies_come_the_newest_first(bench: Bench) -> None:
    times = [("20260102", "1000"), ("20260102", "0900"), ("", ""), ("20260103", "")]
    for study, (date, time) in zip(STUDIES, times, strict=False):
        await bench.push(
            a_slice(
                StudyInstanceUID=study,
                SeriesInstanceUID=f"{study}.1",
                SOPInstanceUID=f"{study}.1.1",
                StudyDate=date,
                StudyTime=time,
            )
        )

    found = await search(bench, "/studies")

    order = [STUDIES.index(one["0020000D"]["Value"][0]) for one in found]
    assert order == [3, 0, 1, 2]


async def test_a_search_that_takes_too_long_is_refused(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    await bench.push(a_slice(1))
    monkeypatch.setattr("gateway.catalogue.search.SEARCH_S_MAX", 0.0)

    async with bench.get("/studies", accept="*/*") as response:
        assert response.status == 413

    monkeypatch.undo()
    assert len(await search(bench, "/studies")) == 1


async def test_head_has_the_headers_of_get(bench: Bench) -> None:
    await bench.push(a_slice(1))

    async with (
        bench.get("/studies", accept="*/*") as got,
        bench.http.head(f"{bench.root}/studies") as headed,
    ):
        assert headed.status == 200
        assert headed.headers["Content-Length"] == got.headers["Content-Length"]
        assert await headed.read() == b""


async def test_whatever_is_asked_it_is_no_fault_of_the_gateway(bench: Bench) -> None:
    """Keys of all kinds with values of all kinds, some of which are percent-encoded nonsense."""
    await bench.push(a_slice(1))
    random = Random(5)
    names = [one.path for one in ATTRIBUTES] + ["includefield", "limit", "offset", "x"]
    values = [
        "", "*", "?", "a\\b", '""', "20260102-", "-1", "1.2.3", "%00", "%FF%FE", "true", "\u0301",
        "1025-1026", "9" * 300, "'", "[", "]", "!%_", "=", "^", "==^^", "a,b", "\U0001f600", "-",
    ]  # fmt: skip
    statuses = set()
    for _ in range(400):
        pairs = [(random.choice(names), random.choice(values)) for _ in range(random.randint(1, 4))]
        query = "&".join(
            f"{name}={value if value.startswith('%') else quote(value, safe='')}"
            for name, value in pairs
        )
        path = random.choice(["/studies", "/series", "/instances", f"/studies/{STUDY}/series"])
        url = URL(f"{bench.root}{path}?{query}", encoded=True)
        async with bench.http.get(url) as response:
            statuses.add(response.status)

    assert statuses == {200, 400}


async def test_an_independent_client_searches_by_all_that_it_can(bench: Bench) -> None:
    await push_two_series(bench)
    client = DICOMwebClient(url=bench.root)

    def searched() -> tuple[list[Any], ...]:
        return (
            client.search_for_studies(
                fuzzymatching=True,
                search_filters={"PatientName": "camille exem", "StudyDate": "20260101-20260131"},
                fields=["StudyDescription", "00080062"],
                limit=5,
                offset=0,
            ),
            client.search_for_series(study_instance_uid=STUDY, search_filters={"Modality": "S*"}),
            client.search_for_instances(search_filters={"InstanceNumber": "2"}),
            client.search_for_studies(search_filters={"PatientName": "exemple"}),
        )

    studies, series, instances, nothing = await bench.in_thread(searched)

    assert [one["00080062"]["Value"] for one in studies] == [[a_slice(1).SOPClassUID]]
    assert [one["00080060"]["Value"] for one in series] == [["SR"]]
    assert [one["00200013"]["Value"] for one in instances] == [[2]]
    assert nothing == []
