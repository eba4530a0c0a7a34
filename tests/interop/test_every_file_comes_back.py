"""Every file that others published: it comes back as it was sent, or is refused for its fault."""

from collections import defaultdict
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRLittleEndian

from tests.interop.corpus import instances_in, is_deflated, published_files
from tests.interop.instances import UNCOMPRESSED, Instance, associated, sent
from tests.interop.wire import AS_STORED, INSTANCES, asked
from tests.support.programs import Gateway, a_gateway

# Files that are broken on purpose make pydicom warn.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:pydicom")

NOT_AN_INSTANCE = "names no SOP class: no client can send it"
NO_STUDY = "A900 the instance's StudyInstanceUID is absent"
HASHED = "0117 the SOP instance is no UID"
NOT_OFFERED = "no presentation context"

REFUSED = {
    "dicom/pydicom-data/HTJ2KLossless_08_RGB.dcm": NO_STUDY,
    "dicom/pydicom-data/HTJ2K_08_RGB.dcm": NO_STUDY,
    "dicom/pydicom-data/JLSL_08_07_0_1F.dcm": NO_STUDY,
    "dicom/pydicom-data/JLSL_16_15_1_1F.dcm": NO_STUDY,
    "dicom/pydicom-data/JLSL_RGB_ILV0.dcm": NO_STUDY,
    "dicom/pydicom-data/JLSL_RGB_ILV1.dcm": NO_STUDY,
    "dicom/pydicom-data/JLSL_RGB_ILV2.dcm": NO_STUDY,
    "dicom/pydicom-data/JLSN_RGB_ILV0.dcm": NO_STUDY,
    "dicom/pydicom-data/bad_sequence.dcm": HASHED,
    "dicom/pylibjpeg-data/JPEGLosslessSV1/JPEGLosslessP14SV1_1s_1f_u_16_16.dcm": NO_STUDY,
    "pydicom/JPEGLSNearLossless_08.dcm": NO_STUDY,
    "pydicom/JPEGLSNearLossless_16.dcm": NO_STUDY,
    "pydicom/SC_rgb_jls_lossy_line.dcm": NO_STUDY,
    "pydicom/SC_rgb_jls_lossy_sample.dcm": NO_STUDY,
    "pydicom/UN_sequence.dcm": NO_STUDY,
    "pydicom/dicomdirtests/DICOMDIR": NOT_OFFERED,
    "pydicom/dicomdirtests/DICOMDIR-bigEnd": NOT_OFFERED,
    "pydicom/dicomdirtests/DICOMDIR-empty.dcm": NOT_OFFERED,
    "pydicom/dicomdirtests/DICOMDIR-implicit": NOT_OFFERED,
    "pydicom/dicomdirtests/DICOMDIR-nooffset": NOT_OFFERED,
    "pydicom/dicomdirtests/DICOMDIR-nopatient": NOT_OFFERED,
    "pydicom/dicomdirtests/DICOMDIR-reordered": NOT_OFFERED,
    "pydicom/dicomdirtests/TINY_ALPHA/DICOMDIR": NOT_OFFERED,
    "pydicom/empty_charset_LEI.dcm": NOT_AN_INSTANCE,
    "pydicom/meta_missing_tsyntax.dcm": NOT_AN_INSTANCE,
    "pydicom/nested_priv_SQ.dcm": NOT_AN_INSTANCE,
    "pydicom/no_meta.dcm": NOT_AN_INSTANCE,
    "pydicom/no_meta_group_length.dcm": NO_STUDY,
    "pydicom/priv_SQ.dcm": NO_STUDY,
    "pydicom/rtplan_truncated.dcm": "A900 the data set is cut short",
}
"""What is not taken by C-STORE, and the answer that says why."""


NOT_DECODED = {
    "dicom/pylibjpeg-data/JPEG2000Lossless/966.dcm": 406,
    # It may be there in lossy form alone, and is then given so (PS3.18 §8.7.3).
    "pydicom/JPEG2000-embedded-sequence-delimiter.dcm": 200,
}
"""What comes as it is stored alone; tests/interop/test_decoded_frames.py says why."""


@pytest.fixture(scope="module")
def files() -> dict[str, Path]:
    return published_files()


@pytest.fixture(scope="module")
def corpus(files: dict[str, Path]) -> dict[str, Instance]:
    return instances_in(files)


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with a_gateway(tmp_path_factory.mktemp("files")) as running:
        yield running


@pytest.fixture(scope="module")
def answers(
    gateway: Gateway, corpus: dict[str, Instance], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, str]:
    """What the gateway said to each, all on one association."""
    folder = tmp_path_factory.mktemp("outbox")
    with associated(gateway.dicom, corpus.values()) as association:
        return {name: sent(association, one, folder) for name, one in corpus.items()}


@pytest.fixture(scope="module")
def held(corpus: dict[str, Instance], answers: dict[str, str]) -> dict[str, Instance]:
    """What was taken."""
    return {name: one for name, one in corpus.items() if answers[name] == ""}


@pytest.fixture(scope="module")
def studies(held: dict[str, Instance]) -> dict[str, list[Instance]]:
    """What was taken, by its study."""
    found = defaultdict(list)
    for one in held.values():
        found[str(one.header.StudyInstanceUID)].append(one)
    return found


def test_each_file_is_taken_or_refused_for_its_fault(
    files: dict[str, Path], answers: dict[str, str]
) -> None:
    told = {name: answers.get(name, NOT_AN_INSTANCE) for name in files}

    assert {name: answer for name, answer in told.items() if answer} == REFUSED


def test_what_was_taken_comes_back_with_the_same_data_set(
    gateway: Gateway, held: dict[str, Instance]
) -> None:
    differing = {name: difference_as_stored(gateway, one) for name, one in held.items()}

    assert {name: one for name, one in differing.items() if one} == {}


def difference_as_stored(gateway: Gateway, instance: Instance) -> str:
    answer = asked(gateway.http, f"/dicom-web{instance.address}", accept=AS_STORED)
    if answer.status != 200:
        return f"{answer.status} {answer.body!r}"
    [(kind, content)] = answer.parts
    returned = Instance.of(content)
    if f"transfer-syntax={returned.transfer_syntax}" not in kind:
        return f"the part says {kind}, its file {returned.transfer_syntax}"
    if returned.transfer_syntax == instance.transfer_syntax:
        return "" if returned.encoded == instance.encoded else "the bytes differ"
    if returned.transfer_syntax != ExplicitVRLittleEndian:
        return f"it is given in {returned.transfer_syntax}"
    return "" if returned.digest == instance.digest else "the data set differs"


def test_native_data_sets_come_as_explicit_little_endian_unless_something_else_is_asked_for(
    gateway: Gateway, held: dict[str, Instance]
) -> None:
    native = {
        name: one
        for name, one in held.items()
        if one.transfer_syntax in UNCOMPRESSED or is_deflated(one)
    }

    differing = []
    for name, one in native.items():
        answer = asked(gateway.http, f"/dicom-web{one.address}", accept=INSTANCES)
        returned = Instance.of(answer.parts[0][1])
        if returned.transfer_syntax != ExplicitVRLittleEndian or returned.digest != one.digest:
            differing.append(name)

    assert differing == []
    assert {one.transfer_syntax for one in native.values()} > UNCOMPRESSED


def test_compressed_ones_come_decompressed_but_those_that_nobody_can_decode(
    gateway: Gateway, held: dict[str, Instance]
) -> None:
    told = {
        name: asked(gateway.http, f"/dicom-web{one.address}", accept=INSTANCES)
        for name, one in held.items()
        if one.transfer_syntax not in UNCOMPRESSED and not is_deflated(one)
    }

    assert {name: told.pop(name).status for name in NOT_DECODED} == NOT_DECODED
    for answer in told.values():
        [(content_type, part)] = answer.parts
        ds = dcmread(BytesIO(part))
        bits = ds.Rows * ds.Columns * ds.SamplesPerPixel * ds.BitsAllocated
        bits *= int(ds.get("NumberOfFrames") or 1)
        assert content_type.endswith(f"transfer-syntax={ExplicitVRLittleEndian}")
        assert ds.file_meta.TransferSyntaxUID == ExplicitVRLittleEndian
        assert len(ds.PixelData) == -(-bits // 16) * 2


def test_each_has_metadata_that_names_it(gateway: Gateway, held: dict[str, Instance]) -> None:
    told = {
        name: asked(gateway.http, f"/dicom-web{one.address}/metadata") for name, one in held.items()
    }

    assert {name for name, answer in told.items() if answer.status != 200} == set()
    for name, one in held.items():
        [metadata] = told[name].json
        assert metadata["00080018"]["Value"] == [one.sop_instance]


def test_a_study_comes_whole(gateway: Gateway, studies: dict[str, list[Instance]]) -> None:
    for study, instances in studies.items():
        answer = asked(gateway.http, f"/dicom-web/studies/{study}", accept=AS_STORED)

        came = [Instance.of(content).sop_instance for _kind, content in answer.parts]
        assert sorted(came) == sorted(one.sop_instance for one in instances)


def test_a_study_in_several_forms_comes_whole_in_one_but_for_what_nobody_can_decode(
    gateway: Gateway, studies: dict[str, list[Instance]]
) -> None:
    given = UNCOMPRESSED | {DeflatedExplicitVRLittleEndian}
    mixed = {
        study
        for study, instances in studies.items()
        if len({one.transfer_syntax in given for one in instances}) == 2
    }

    told = [asked(gateway.http, f"/dicom-web/studies/{one}", accept=INSTANCES) for one in mixed]

    assert len(mixed) > 1
    assert {answer.status for answer in told} == {200}
    for study, answer in zip(mixed, told, strict=True):
        came = {Instance.of(content).sop_instance: kind for kind, content in answer.parts}
        assert set(came) == {one.sop_instance for one in studies[study]}
        as_held = {
            one.sop_instance
            for one in studies[study]
            if not came[one.sop_instance].endswith(ExplicitVRLittleEndian)
        }
        assert len(as_held) < len(came)


def test_the_log_names_no_patient_and_no_instance(
    gateway: Gateway, corpus: dict[str, Instance], answers: dict[str, str]
) -> None:
    names = ("PatientName", "PatientID", "StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")
    secrets = {str(one.header.get(name, "")) for one in corpus.values() for name in names}

    log = gateway.program.log

    # Shorter ones, such as "ID1", are in any log.
    assert [one for one in secrets if len(one) > 5 and one in log] == []
    assert '"level": "error"' not in log
