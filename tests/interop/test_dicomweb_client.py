"""The `dicomweb-client` of the Imaging Data Commons fetches and searches, as viewers do."""

from io import BytesIO

import pydicom
import pytest
from dicomweb_client.api import DICOMwebClient

from simulators.digest import digest_of
from tests.interop import dcmtk
from tests.interop.studies import Study, a_study
from tests.support.programs import Gateway

ANY_SYNTAX = (("application/dicom", "*"),)


@pytest.fixture(scope="module")
def studies(open_gateway: Gateway, tmp_path_factory: pytest.TempPathFactory) -> list[Study]:
    """A CT in two native syntaxes, and ultrasound in RLE."""
    folder = tmp_path_factory.mktemp("fetched")
    made = [a_study(folder, "CT"), a_study(folder, "US")]
    for study in made:
        run = dcmtk.run("dcmsend", *dcmtk.called(open_gateway.dicom), *study.files)
        assert run.returncode == 0, run.stdout
    return made


@pytest.fixture
def client(open_gateway: Gateway, studies: list[Study]) -> DICOMwebClient:
    return DICOMwebClient(url=open_gateway.dicomweb)


def digests(came: list[pydicom.Dataset]) -> dict[str, str]:
    return {str(ds.SOPInstanceUID): digest(ds) for ds in came}


def digest(ds: pydicom.Dataset) -> str:
    buffer = BytesIO()
    ds.save_as(buffer, enforce_file_format=True)
    buffer.seek(0)
    return digest_of(buffer)


def test_studies_are_fetched_as_they_are_stored(
    client: DICOMwebClient, studies: list[Study]
) -> None:
    for study in studies:
        came = client.retrieve_study(study.uid, media_types=ANY_SYNTAX)

        assert digests(came) == study.digests


def test_a_native_study_is_fetched_without_a_word_on_its_syntax(
    client: DICOMwebClient, studies: list[Study]
) -> None:
    came = client.retrieve_study(studies[0].uid)

    assert digests(came) == studies[0].digests


def test_a_large_study_is_fetched_as_it_comes(client: DICOMwebClient, studies: list[Study]) -> None:
    came = list(client.iter_study(studies[0].uid, media_types=ANY_SYNTAX))

    assert digests(came) == studies[0].digests


def test_a_series_and_an_instance_are_fetched(client: DICOMwebClient, studies: list[Study]) -> None:
    first = studies[0].instances[0]
    study, series = studies[0].uid, str(first.header.SeriesInstanceUID)

    whole = client.retrieve_series(study, series, media_types=ANY_SYNTAX)
    one = client.retrieve_instance(study, series, first.sop_instance, media_types=ANY_SYNTAX)

    assert {str(ds.SeriesInstanceUID) for ds in whole} == {series}
    assert len(whole) == 5
    assert digest(one) == first.digest


def test_metadata_tells_what_the_headers_tell(client: DICOMwebClient, studies: list[Study]) -> None:
    first = studies[0].instances[0]
    study, series = studies[0].uid, str(first.header.SeriesInstanceUID)

    of_study = client.retrieve_study_metadata(study)
    of_series = client.retrieve_series_metadata(study, series)
    of_one = client.retrieve_instance_metadata(study, series, first.sop_instance)

    assert (len(of_study), len(of_series)) == (10, 5)
    told = pydicom.Dataset.from_json(of_one)
    assert told.pop("SpecificCharacterSet").value == "ISO_IR 192"  # as JSON is (PS3.18 §F.2)
    for element in told:
        if element.VR not in ("SQ", "OB", "OW", "UN"):
            assert element.value == first.header[element.tag].value


def test_studies_are_found_by_their_keys(client: DICOMwebClient, studies: list[Study]) -> None:
    examination = studies[0].examination
    keys = {
        "StudyInstanceUID": studies[0].uid,
        "PatientID": examination.patient.local_id,
        "AccessionNumber": examination.accession,
    }

    for name, value in keys.items():
        [found] = client.search_for_studies(search_filters={name: value})
        study = pydicom.Dataset.from_json(found)
        assert study.StudyInstanceUID == studies[0].uid
        assert study.PatientID == examination.patient.local_id
        assert study.AccessionNumber == examination.accession
        assert study.NumberOfStudyRelatedSeries == 2
        assert study.NumberOfStudyRelatedInstances == 10


def test_what_is_not_there_is_not_found(client: DICOMwebClient) -> None:
    assert client.search_for_studies(search_filters={"PatientID": "NOBODY"}) == []


def test_pages_make_up_the_whole(client: DICOMwebClient) -> None:
    whole = [one["0020000D"]["Value"][0] for one in client.search_for_studies(limit=1000)]

    pages: list[str] = []
    while page := client.search_for_studies(limit=2, offset=len(pages)):
        pages += [one["0020000D"]["Value"][0] for one in page]

    assert len(whole) >= 2
    assert pages == whole


def test_series_and_instances_of_a_study_are_found(
    client: DICOMwebClient, studies: list[Study]
) -> None:
    series = client.search_for_series(studies[0].uid)
    instances = client.search_for_instances(studies[0].uid)
    of_one = client.search_for_instances(studies[0].uid, series[0]["0020000E"]["Value"][0])

    assert (len(series), len(instances), len(of_one)) == (2, 10, 5)
