"""Every file that others published, in each transfer syntax that can hold it: other decoders see
the same pixels, and a validator finds no fault that was not there before."""

from collections.abc import Sequence
from pathlib import Path
from subprocess import DEVNULL, run

import imagecodecs
import numpy as np
import pytest
from pydicom import dcmread
from pydicom.encaps import get_frame

from gateway.errors import NotAcceptable
from gateway.pixels import syntaxes
from gateway.pixels.decode import decode_frame
from gateway.pixels.description import describe_pixels
from gateway.pixels.native import Samples
from gateway.retrieval.forms.recompress import transcode
from indexer.contract.identifiers import Uid
from tests.interop.corpus import published_files
from tests.support.peers import peer

# Files that are broken on purpose make pydicom warn.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:pydicom")

PLENTY = 2**30
PIXELS = ("PixelData", "FloatPixelData", "DoubleFloatPixelData")
EVERY = 6
"""Of the files, the validator looks at one in so many."""
JUDGES = {
    syntaxes.RLE: "dcmdrle",
    syntaxes.JPEG_LS: "dcmdjpls",
    syntaxes.JPEG_2000_LOSSLESS: "gdcmconv --raw",
}
"""Who decodes what we encoded without loss."""
NOT_KNOWN = syntaxes.HTJ2K_ALL
"""To the validator, which is of 2022."""
CUT = "dicom/pydicom-data/emri_small"
"""Of an enhanced image the functional groups were left out, and with them the types of frames."""
NOT_JUDGED = {
    # DCMTK reads no JPEG-LS of 7 bits, from whomever.
    syntaxes.JPEG_LS: {"dicom/pydicom-data/JLSL_08_07_0_1F.dcm": "no picture"},
}


@pytest.fixture(scope="module")
def uncompressed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Each image in Explicit VR Little Endian."""
    folder, found = tmp_path_factory.mktemp("uncompressed"), dict[str, Path]()
    for number, (name, path) in enumerate(published_files().items()):
        target = folder / f"{number}.dcm"
        if given(path, target, syntaxes.EXPLICIT_LITTLE_ENDIAN) and "Rows" in dcmread(target):
            found[name] = target
    assert len(found) > 200
    return found


@pytest.mark.parametrize("syntax", JUDGES)
def test_other_decoders_see_the_same_pixels(
    uncompressed: dict[str, Path], tmp_path: Path, syntax: str
) -> None:
    judge = JUDGES[Uid(syntax)].split()
    compressed, judged = tmp_path / "compressed.dcm", tmp_path / "judged.dcm"
    differ, same = dict[str, str](), 0
    for name, path in uncompressed.items():
        if not given(path, compressed, syntax):
            continue
        theirs = seen_by(judge, compressed, judged)
        if theirs is None and seen_by(judge, path, judged) is None:
            continue  # nor does it read what is uncompressed
        if theirs is None:
            differ[name] = "no picture"
        elif not np.array_equal(ours(path), theirs):
            differ[name] = "other pixels"
        else:
            same += 1

    assert differ == NOT_JUDGED.get(Uid(syntax), {})
    assert same > 100


@pytest.mark.parametrize("syntax", sorted(syntaxes.HTJ2K_ALL))
def test_openjpeg_sees_the_same_pixels_in_htj2k(
    uncompressed: dict[str, Path], tmp_path: Path, syntax: str
) -> None:
    """It is written by OpenJPH."""
    compressed, seen = tmp_path / "compressed.dcm", 0
    for path in uncompressed.values():
        if not given(path, compressed, syntax):
            continue
        frame = get_frame(dcmread(compressed).PixelData, 0, number_of_frames=frames(compressed))
        np.testing.assert_array_equal(imagecodecs.jpeg2k_decode(frame, planar=False), ours(path))
        seen += 1

    assert seen > 100


@pytest.mark.parametrize("syntax", [one for one in syntaxes.ENCODED if one not in NOT_KNOWN])
def test_what_is_transcoded_has_no_faults_that_it_had_not(
    uncompressed: dict[str, Path], tmp_path: Path, syntax: str
) -> None:
    target, files = tmp_path / "target.dcm", published_files()
    more = {
        name: faults
        for name in list(uncompressed)[::EVERY]
        if not name.startswith(CUT)
        and given(files[name], target, syntax)
        and (faults := faults_of(target) - faults_of(files[name]))
    }

    assert more == {}


def given(source: Path, target: Path, syntax: str) -> bool:
    """Whether the file can be had in the transfer syntax, which it then is at the target."""
    scratch = target.with_suffix(".scratch")
    try:
        return transcode(source, target, scratch, syntax, PLENTY) == syntax
    except NotAcceptable:
        return False


def seen_by(judge: Sequence[str], path: Path, target: Path) -> Samples | None:
    """The first frame as another program decodes it; None where it does not."""
    program, *options = judge
    target.unlink(missing_ok=True)
    run([peer(program), *options, path, target], stdout=DEVNULL, stderr=DEVNULL)
    return first_frame(target) if target.exists() else None


def ours(path: Path) -> Samples:
    """The first frame of a file that has one."""
    frame = first_frame(path)
    assert frame is not None
    return frame


def frames(path: Path) -> int:
    return int(dcmread(path, stop_before_pixels=True).get("NumberOfFrames") or 1)


def first_frame(path: Path) -> Samples | None:
    """Of a native file; of each sample the bits that are stored. None where it has no pixels."""
    ds = dcmread(path, force=True)  # GDCM leaves the prefix out where the source has none
    pixels = next((ds[keyword] for keyword in PIXELS if keyword in ds), None)
    if pixels is None:
        return None
    told = describe_pixels(ds)
    samples = decode_frame(pixels.value, told, syntaxes.EXPLICIT_LITTLE_ENDIAN)
    above = samples.dtype.itemsize * 8 - told.bits_stored
    return samples if told.floating else (samples << above) >> above


def faults_of(path: Path) -> set[str]:
    """What dciodvfy calls an error."""
    told = run([peer("dciodvfy"), path], capture_output=True, text=True, errors="replace")
    return {line for line in (told.stdout + told.stderr).splitlines() if line.startswith("Error")}
