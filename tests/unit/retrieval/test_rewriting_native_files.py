"""Native files rewritten in Explicit VR Little Endian keep their data sets (PS3.5 Annex A)."""

from io import BytesIO
from pathlib import Path

import pydicom.data
import pytest
from pydicom.filereader import read_file_meta_info
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

from gateway.errors import NotAcceptable
from gateway.retrieval.forms.part10 import rewrite
from gateway.retrieval.forms.reencode import NESTING_MAX, NotNative, Reencoder
from simulators.digest import digest_of
from tests.support.peers import shared_data

SIZE_BYTES_MAX = 2**28
BUNDLED = Path(pydicom.data.__file__).parent / "test_files"
REWRITTEN = {ImplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian}

CUT_SHORT = {"rtplan_truncated.dcm"}
PRIVATE_UN_IN_BIG_ENDIAN = {
    # Its private elements are UN, whose bytes stay little endian (PS3.5 §6.2.2); pydicom guesses
    # their VR and turns them round, so its digests before and after differ.
    "CTImage.dcm_BigEndianExplicitTransferSyntax_1.2.840.10008.1.2.2.dcm",
}


def to_be_rewritten(folder: Path) -> list[Path]:
    """The Part 10 files below a folder that the web does not take as they are."""
    found = []
    for path in sorted(folder.rglob("*")):
        if path.is_file() and _syntax(path) in REWRITTEN:
            found.append(path)
    return found


def _syntax(path: Path) -> str:
    with path.open("rb") as file:
        if file.read(132)[128:] != b"DICM":
            return ""
    meta = read_file_meta_info(path)
    # Our own acceptor writes the group length; some of these files lack it.
    is_complete = "FileMetaInformationGroupLength" in meta and "TransferSyntaxUID" in meta
    return str(meta.TransferSyntaxUID) if is_complete else ""


def differing(paths: list[Path], folder: Path) -> set[str]:
    """Names of the files whose data sets are not the same when they have been rewritten."""
    differ = set()
    for path in paths:
        target = folder / "rewritten.dcm"
        rewrite(path, target, SIZE_BYTES_MAX)
        assert read_file_meta_info(target).TransferSyntaxUID == ExplicitVRLittleEndian
        if digest_of(path) != digest_of(target):
            differ.add(path.name)
    return differ


def test_the_files_of_pydicom_keep_their_digests(tmp_path: Path) -> None:
    files = [path for path in to_be_rewritten(BUNDLED) if path.name not in CUT_SHORT]

    assert len(files) > 10
    assert differing(files, tmp_path) == set()


def test_third_party_files_keep_their_digests(tmp_path: Path) -> None:
    files = [
        path
        for path in to_be_rewritten(shared_data() / "dicom")
        if path.name not in CUT_SHORT | PRIVATE_UN_IN_BIG_ENDIAN
    ]

    assert len(files) > 10
    assert differing(files, tmp_path) == set()


def test_a_file_that_is_cut_short_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NotAcceptable):
        rewrite(BUNDLED / "rtplan_truncated.dcm", tmp_path / "x.dcm", SIZE_BYTES_MAX)


def explicit(source: bytes, *, big_endian: bool = False) -> bytes:
    target = BytesIO()
    Reencoder(memoryview(source), target, big_endian=big_endian).run()
    return target.getvalue()


@pytest.mark.parametrize(
    "source, wanted",
    [
        pytest.param(
            b"\x28\0\x03\1\2\0\0\0\1\0\x28\0\x06\1\2\0\0\0\xff\xff",
            b"\x28\0\x03\1US\2\0\1\0\x28\0\x06\1SS\2\0\xff\xff",
            id="smallest pixel value is signed as the pixels are",
        ),
        pytest.param(
            b"\x28\0\x06\1\2\0\0\0\xff\xff",
            b"\x28\0\x06\1US\2\0\xff\xff",
            id="and unsigned where nothing is said",
        ),
        pytest.param(
            b"\x09\0\x01\x10\4\0\0\0ABCD",
            b"\x09\0\x01\x10UN\0\0\4\0\0\0ABCD",
            id="a private element that nobody knows stays as it is",
        ),
        pytest.param(
            b"\x08\0\0\0\4\0\0\0\x10\0\0\0\x08\0\x60\0\2\0\0\0CT",
            b"\x08\0\x60\0CS\2\0CT",
            id="a retired group length is left out",
        ),
        pytest.param(
            b"\x20\0\x11\0\6\0\0\0ABCDEF",
            b"\x20\0\x11\0IS\6\0ABCDEF",
            id="a value that breaks its VR is kept",
        ),
        pytest.param(
            b"\x08\0\x60\0CS\2\0CT", b"\x08\0\x60\0CS\2\0CT", id="VRs that should not be there"
        ),
        pytest.param(
            b"\x08\0\x40\x11\x0a\0\0\0\xfe\xff\0\xe0\2\0\0\0AB",
            None,
            id="an item that is cut short",
        ),
        pytest.param(b"\xfe\xff\0\xe0\0\0\0\0", None, id="an item without a sequence"),
        pytest.param(b"\x08\0\x60\0\xff\xff\xff\x7fCT", None, id="a length beyond the end"),
        pytest.param(b"\xe0\x7f\x10\0\xff\xff\xff\xff", None, id="encapsulated native pixels"),
    ],
)
def test_implicit_elements_get_their_vr(source: bytes, wanted: bytes | None) -> None:
    if wanted is None:
        with pytest.raises(NotNative):
            explicit(source)
    else:
        assert explicit(source) == wanted


def test_numbers_are_turned_round_and_unknown_bytes_are_not() -> None:
    source = b"\0\x28\0\x10US\0\2\x02\x01" + b"\0\x29\x10\x01UN\0\0\0\0\0\2\x02\x01"

    turned = explicit(source, big_endian=True)

    assert turned == b"\x28\0\x10\0US\2\0\x01\x02" + b"\x29\0\x01\x10UN\0\0\2\0\0\0\x02\x01"


def test_a_text_too_long_for_its_vr_becomes_unknown() -> None:
    source = b"\x08\0\x81\0\0\0\1\0" + b"A" * 65536

    assert explicit(source)[4:6] == b"UN"


def test_sequences_may_not_be_nested_without_end() -> None:
    opened = b"\x08\0\x40\x11\xff\xff\xff\xff\xfe\xff\0\xe0\xff\xff\xff\xff"

    with pytest.raises(NotNative, match="deeply"):
        explicit(opened * (NESTING_MAX + 2))
