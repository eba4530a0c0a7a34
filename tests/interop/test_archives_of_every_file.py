"""Archives of all published files: each study comes whole, and its directory leads to each file."""

from collections import defaultdict
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from zipfile import ZipFile

import pytest
from pydicom import dcmread
from pydicom.tag import BaseTag
from pydicom.uid import ExplicitVRLittleEndian

from gateway.errors import NotAcceptable
from gateway.retrieval.forms.coercion import name_by_ins, spliced
from tests.interop import dcmtk
from tests.interop.corpus import instances_in, is_deflated, published_files
from tests.interop.instances import PREFIX, UNCOMPRESSED, Instance, associated, sent
from tests.interop.wire import asked
from tests.support.programs import Gateway, a_gateway
from tests.support.studies import INS

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:pydicom")

OTHER_IDS = 0x00101002
NOT_WALKED = {"pydicom/SC_rgb_jpeg.dcm"}
"""Its header is in Implicit VR, which its transfer syntax forbids: it leaves as it is stored."""
NOT_READ_BY_PYDICOM = {"dicom/pydicom-data/explicit_VR-UN.dcm"}
"""So that nothing judges what became of it."""


@pytest.fixture(scope="module")
def corpus() -> dict[str, Instance]:
    return instances_in(published_files())


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with a_gateway(tmp_path_factory.mktemp("archives")) as running:
        yield running


@pytest.fixture(scope="module")
def studies(
    gateway: Gateway, corpus: dict[str, Instance], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, dict[str, Instance]]:
    """What was taken, by study and SOP instance."""
    folder = tmp_path_factory.mktemp("outbox")
    found: dict[str, dict[str, Instance]] = defaultdict(dict)
    with associated(gateway.dicom, corpus.values()) as association:
        for one in corpus.values():
            if not sent(association, one, folder):
                found[str(one.header.StudyInstanceUID)][one.sop_instance] = one
    return found


def test_each_study_comes_whole_with_a_directory_that_dcmtk_reads(
    gateway: Gateway, studies: dict[str, dict[str, Instance]], tmp_path: Path
) -> None:
    wrong = {
        study: found
        for study, instances in studies.items()
        if (found := fault_of(gateway, study, instances, tmp_path))
    }

    assert wrong == {}
    assert len(studies) > 50


def fault_of(
    gateway: Gateway, study: str, instances: dict[str, Instance], folder: Path
) -> list[str]:
    answer = asked(gateway.http, f"/dicom-web/studies/{study}", accept="application/zip")
    if answer.status != 200:
        return [f"{answer.status} {answer.body!r}"]
    with ZipFile(BytesIO(answer.body)) as archive:
        names = [name for name in archive.namelist() if name.startswith("DICOM/")]
        came = {name: Instance.of(archive.read(name)) for name in names}
        directory = archive.read("DICOMDIR")
    faults = [f"{one.sop_instance} differs" for one in came.values() if not is_same(one, instances)]
    if {one.sop_instance for one in came.values()} != instances.keys():
        faults.append("not all came")
    records = dcmread(BytesIO(directory)).DirectoryRecordSequence
    listed = {
        "/".join(one.ReferencedFileID): one.ReferencedSOPInstanceUIDInFile
        for one in records
        if "ReferencedFileID" in one
    }
    if listed != {name: one.sop_instance for name, one in came.items()}:
        faults.append("the directory lists something else")
    (folder / "DICOMDIR").write_bytes(directory)
    dumped = dcmtk.run("dcmdump", "-q", "+P", "0004,1430", folder / "DICOMDIR")
    return faults if dumped.returncode == 0 else [*faults, dumped.stdout]


def is_same(came: Instance, instances: dict[str, Instance]) -> bool:
    held = instances[came.sop_instance]
    if came.transfer_syntax == held.transfer_syntax:
        return came.encoded == held.encoded
    return came.transfer_syntax == ExplicitVRLittleEndian and came.digest == held.digest


def test_each_file_names_the_patient_by_ins_and_is_else_what_it_was(
    corpus: dict[str, Instance],
) -> None:
    spliceable = {
        name: one
        for name, one in corpus.items()
        if name not in NOT_READ_BY_PYDICOM
        if one.transfer_syntax == ExplicitVRLittleEndian
        or not (one.transfer_syntax in UNCOMPRESSED or is_deflated(one))
    }

    unnamed = {name for name, one in spliceable.items() if not is_named(one)}

    assert unnamed == NOT_WALKED
    assert len(spliceable) > 150


def is_named(instance: Instance) -> bool:
    file = memoryview(instance.part10)
    at = len(PREFIX) + 12 + int.from_bytes(file[len(PREFIX) + 8 : len(PREFIX) + 12], "little")
    try:
        splice = name_by_ins(file, at, INS)
    except NotAcceptable:
        return False
    named = Instance.of(b"".join(bytes(part) for part in spliced(file, splice)))
    told = named.header.OtherPatientIDsSequence
    return told[-1].PatientID == INS.value and but_other_ids(named) == but_other_ids(instance)


def but_other_ids(instance: Instance) -> dict[BaseTag, object]:
    return {tag: value for tag, value in instance.values.items() if tag != OTHER_IDS}
