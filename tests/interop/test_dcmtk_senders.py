"""DCMTK's programs send to the gateway, as modalities and workstations that use it do."""

from pathlib import Path

import pytest

from tests.interop import dcmtk
from tests.interop.instances import Instance
from tests.interop.studies import a_study, fetched
from tests.interop.wire import AS_STORED, asked
from tests.support.peers import shared_data
from tests.support.programs import Gateway

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:pydicom")

# Each option of storescu, and the encoding of one picture that it sends.
SYNTAXES = {
    "--propose-implicit": "LittleEndianImplicitTransferSyntax_1.2.840.10008.1.2",
    "--propose-little": "LittleEndianExplicitTransferSyntax_1.2.840.10008.1.2.1",
    "--propose-big": "BigEndianExplicitTransferSyntax_1.2.840.10008.1.2.2",
    "--propose-deflated": "DeflatedExplicitVRLittleEndianTransferSyntax_1.2.840.10008.1.2.1.99",
    "--propose-jpeg8": "JPEGProcess1TransferSyntax_1.2.840.10008.1.2.4.50",
    "--propose-jpeg12": "JPEGProcess2_4TransferSyntax_1.2.840.10008.1.2.4.51",
    "--propose-lossless": "JPEGProcess14SV1TransferSyntax_1.2.840.10008.1.2.4.70",
    "--propose-jls-lossless": "JPEGLSLosslessTransferSyntax_1.2.840.10008.1.2.4.80",
    "--propose-jls-lossy": "JPEGLSLossyTransferSyntax_1.2.840.10008.1.2.4.81",
    "--propose-j2k-lossless": "JPEG2000LosslessOnlyTransferSyntax_1.2.840.10008.1.2.4.90",
    "--propose-j2k-lossy": "JPEG2000TransferSyntax_1.2.840.10008.1.2.4.91",
    "--propose-rle": "RLELosslessTransferSyntax_1.2.840.10008.1.2.5",
}


def test_echoscu_is_answered(open_gateway: Gateway) -> None:
    run = dcmtk.run("echoscu", *dcmtk.called(open_gateway.dicom))

    assert run.returncode == 0, run.stdout


def test_a_wrong_called_title_is_told_so(open_gateway: Gateway) -> None:
    run = dcmtk.run("echoscu", *dcmtk.called(open_gateway.dicom, title="ANOTHER"))

    assert run.returncode != 0
    assert "Called AE Title Not Recognized" in run.stdout


@pytest.mark.parametrize("option", SYNTAXES)
def test_storescu_sends_in_each_transfer_syntax(open_gateway: Gateway, option: str) -> None:
    """The picture is always the same instance: each encoding takes the place of the one before."""
    path = shared_data() / f"dicom/ctimage-16-syntaxes/CTImage.dcm_{SYNTAXES[option]}.dcm"
    made = Instance.of(path.read_bytes())

    run = dcmtk.run("storescu", "-R", option, *dcmtk.called(open_gateway.dicom), path)

    assert run.returncode == 0, run.stdout
    came = returned(open_gateway, made)
    # It mends the VR of compressed pixels on the way.
    assert came.digest == made.digest or came.values == made.values


@pytest.mark.parametrize("option", [(), ("-pdu", "4096", "--max-send-pdu", "4096")])
def test_storescu_sends_with_all_the_contexts_it_has_and_in_small_pdus(
    open_gateway: Gateway, option: tuple[str, ...], tmp_path: Path
) -> None:
    study = a_study(tmp_path, "CT")

    run = dcmtk.run("storescu", *option, *dcmtk.called(open_gateway.dicom), *study.files)

    assert run.returncode == 0, run.stdout
    assert fetched(open_gateway, study.uid) == study.digests


@pytest.mark.parametrize("modality", ["CT", "US"])
def test_dcmsend_sends_a_folder(open_gateway: Gateway, modality: str, tmp_path: Path) -> None:
    study = a_study(tmp_path, modality)

    to = dcmtk.called(open_gateway.dicom)
    run = dcmtk.run("dcmsend", *to, "--scan-directories", study.folder)

    assert run.returncode == 0, run.stdout
    assert fetched(open_gateway, study.uid) == study.digests


def test_an_abort_after_the_answer_takes_nothing_back(
    open_gateway: Gateway, tmp_path: Path
) -> None:
    study = a_study(tmp_path, "CR")

    run = dcmtk.run("storescu", "--abort", *dcmtk.called(open_gateway.dicom), *study.files)

    assert run.returncode == 0, run.stdout
    assert fetched(open_gateway, study.uid) == study.digests


@pytest.mark.parametrize(
    "program, arguments",
    [
        ("termscu", []),
        ("findscu", ["-S", "-k", "QueryRetrieveLevel=STUDY", "-k", "StudyInstanceUID"]),
        ("movescu", ["-S", "-k", "QueryRetrieveLevel=STUDY", "-k", "StudyInstanceUID=1.2"]),
    ],
)
def test_a_service_that_is_not_offered_is_refused_and_harms_nobody(
    open_gateway: Gateway, program: str, arguments: list[str]
) -> None:
    run = dcmtk.run(program, *arguments, *dcmtk.called(open_gateway.dicom))

    assert run.returncode != 0
    assert "No Acceptable Presentation Contexts" in run.stdout
    assert dcmtk.run("echoscu", *dcmtk.called(open_gateway.dicom)).returncode == 0


def test_a_file_that_is_refused_keeps_no_other_from_being_taken(
    open_gateway: Gateway, tmp_path: Path
) -> None:
    study = a_study(tmp_path, "CR")
    nameless = shared_data() / "dicom/pydicom-data/JLSL_08_07_0_1F.dcm"

    to = dcmtk.called(open_gateway.dicom)
    run = dcmtk.run("dcmsend", "-v", "--decompress-never", *to, nameless, *study.files)

    assert run.stdout.rstrip().endswith("with status ERROR    : 1")
    assert fetched(open_gateway, study.uid) == study.digests


def returned(gateway: Gateway, instance: Instance) -> Instance:
    answer = asked(gateway.http, f"/dicom-web{instance.address}", accept=AS_STORED)
    [(_kind, content)] = answer.parts
    return Instance.of(content)
