"""The first frame of every file that others published is decoded as GDCM and DCMTK decode it."""

from collections.abc import Sequence
from pathlib import Path
from subprocess import DEVNULL, TimeoutExpired, run

import numpy as np
import pytest
from pydicom import Dataset, dcmread
from pydicom.encaps import get_frame

from gateway.errors import NotAcceptable
from gateway.pixels import syntaxes
from gateway.pixels.decode import decode_frame, decoded_description
from gateway.pixels.description import PixelDescription, describe_pixels
from gateway.pixels.native import Samples
from tests.interop.corpus import published_files
from tests.support.peers import peer

# Files that are broken on purpose make pydicom warn.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:pydicom")

JUDGED_WITHIN_S = 60
PIXELS = ("PixelData", "FloatPixelData", "DoubleFloatPixelData")

UNREADABLE = {
    # Its codestream has a comment where a tile belongs: no decoder reads it.
    "dicom/pylibjpeg-data/JPEG2000Lossless/966.dcm": "a frame cannot be decoded",
    # A delimiter was written over its width.
    "pydicom/JPEG2000-embedded-sequence-delimiter.dcm": "a frame is not of the size that its data"
    " set says",
    "pydicom/MR_truncated.dcm": "a frame is shorter than its rows and columns",
    "pydicom/badVR.dcm": "the pixels cannot be read: NumberOfFrames is missing or wrong",
    "pydicom/nested_priv_SQ.dcm": "the pixels cannot be read: BitsAllocated is missing or wrong",
}
"""What is not decoded, and why."""

NO_PICTURE = "no picture"
GDCM_READS_NONE = (
    "highdicom/seg_image_sm_control_labelmap.dcm",
    "highdicom/seg_image_sm_control_labelmap_palette_color.dcm",
    "pydicom-data/HTJ2KLossless_08_RGB.dcm",
    "pydicom-data/HTJ2K_08_RGB.dcm",
    "pydicom-data/SC_rgb_16bit_2frame.dcm",
    "pydicom-data/SC_rgb_32bit_2frame.dcm",
    "pydicom-data/SC_rgb_expb_16bit_2frame.dcm",
    "pydicom-data/SC_rgb_expb_32bit_2frame.dcm",
    "pydicom-data/liver_deflate.dcm",
    "pydicom-data/liver_nonbyte_aligned_deflate.dcm",
    "pydicom-data/liver_nonbyte_aligned_rle.dcm",
    "pydicom-data/liver_rle.dcm",
    "pydicom-data/parametric_map_double_float.dcm",
    "pydicom-data/parametric_map_float.dcm",
    "pylibjpeg-data/RLELossless/SC_rgb_rle_16bit_2frame.dcm",
    "pylibjpeg-data/RLELossless/SC_rgb_rle_32bit_2frame.dcm",
)
GDCM_KEEPS_YBR = (
    "dicom/pylibjpeg-data/JPEGBaseline/SC_rgb_dcmtk_+eb+cy+n1.dcm",
    "dicom/pylibjpeg-data/JPEGBaseline/SC_rgb_dcmtk_+eb+cy+n2.dcm",
    "dicom/pylibjpeg-data/JPEGBaseline/SC_rgb_dcmtk_+eb+cy+np.dcm",
    "dicom/pylibjpeg-data/JPEGBaseline/SC_rgb_dcmtk_+eb+cy+s2.dcm",
    "dicom/pylibjpeg-data/JPEGBaseline/SC_rgb_dcmtk_+eb+cy+s4.dcm",
    "dicom/pylibjpeg-data/JPEGBaseline/SC_rgb_jpeg_dcmtk.dcm",
    "dicom/pylibjpeg-data/JPEGBaseline/SC_rgb_small_odd_jpeg.dcm",
    "dicom/pylibjpeg-data/JPEGExtended/JPEGExtended_3s_1f_u_08_08.dcm",
    "pydicom/SC_rgb_dcmtk_+eb+cy+n1.dcm",
    "pydicom/SC_rgb_dcmtk_+eb+cy+n2.dcm",
    "pydicom/SC_rgb_dcmtk_+eb+cy+np.dcm",
    "pydicom/SC_rgb_dcmtk_+eb+cy+s2.dcm",
    "pydicom/SC_rgb_dcmtk_+eb+cy+s4.dcm",
    "pydicom/SC_rgb_jpeg_dcmtk.dcm",
    "pydicom/SC_rgb_jpeg_lossy_gdcm.dcm",
    "pydicom/SC_rgb_small_odd_jpeg.dcm",
    "pydicom/examples_ybr_color.dcm",
)
"""Of JPEG, which DCMTK turns to RGB as we do."""
# Its data set says RGB and its codestream shares colours, as only YCbCr may: what was encoded is
# red, green and blue bars, and the like file of pydicom says YBR_FULL_422.
MISNAMED = "dicom/pylibjpeg-data/JPEGBaseline/SC_rgb_jpeg_lossy_gdcm.dcm"

GDCM_DIFFERS = {
    **{f"dicom/{name}": NO_PICTURE for name in GDCM_READS_NONE},
    "pydicom/SC_rgb_rle_16bit_2frame.dcm": NO_PICTURE,
    "pydicom/SC_rgb_rle_32bit_2frame.dcm": NO_PICTURE,
    **dict.fromkeys(GDCM_KEEPS_YBR, "YBR_FULL for RGB"),
    MISNAMED: "by 255",
    # DCMTK reads these as we do.
    "dicom/pylibjpeg-data/RLELossless/SC_rgb_rle_16bit.dcm": "by 65535",
    "dicom/pylibjpeg-data/RLELossless/SC_rgb_rle_32bit.dcm": "by 4294967295",
    "pydicom/SC_rgb_rle_16bit.dcm": "by 65535",
    "pydicom/SC_rgb_rle_32bit.dcm": "by 4294967295",
}
DCMTK_DIFFERS = {
    "dicom/pydicom-data/JLSL_08_07_0_1F.dcm": NO_PICTURE,
    "dicom/pydicom-data/liver_nonbyte_aligned_rle.dcm": NO_PICTURE,
    "dicom/pydicom-data/liver_rle.dcm": NO_PICTURE,
    MISNAMED: "by 255",
    "pydicom/SC_rgb_jpeg.dcm": NO_PICTURE,
}

Frame = tuple[Samples, PixelDescription]


@pytest.fixture(scope="module")
def images() -> dict[str, Path]:
    return {name: path for name, path in published_files().items() if _has_pixels(path)}


@pytest.fixture(scope="module")
def decoded(images: dict[str, Path]) -> dict[str, Frame | str]:
    """The first frame of each, or why there is none."""
    return {name: _decoded(dcmread(path, force=True)) for name, path in images.items()}


def test_every_frame_is_decoded_but_those_that_nobody_can(decoded: dict[str, Frame | str]) -> None:
    assert {name: one for name, one in decoded.items() if isinstance(one, str)} == UNREADABLE


def test_gdcm_sees_the_same_frames(
    images: dict[str, Path], decoded: dict[str, Frame | str], tmp_path: Path
) -> None:
    judge = [str(peer("gdcmconv")), "--raw"]
    judged = {
        name: _difference(ours, _judged(judge, images[name], tmp_path / "frame.dcm"))
        for name, ours in decoded.items()
        if not isinstance(ours, str)
    }

    assert {name: one for name, one in judged.items() if one != "none"} == GDCM_DIFFERS


def test_dcmtk_sees_the_same_frames(
    images: dict[str, Path], decoded: dict[str, Frame | str], tmp_path: Path
) -> None:
    judged = {}
    for name, ours in decoded.items():
        program = _of_dcmtk(images[name])
        if program is not None and not isinstance(ours, str):
            theirs = _judged([str(peer(program))], images[name], tmp_path / "frame.dcm")
            judged[name] = _difference(ours, theirs)

    assert {name: one for name, one in judged.items() if one != "none"} == DCMTK_DIFFERS


def _has_pixels(path: Path) -> bool:
    try:
        ds = dcmread(path, force=True)
        return any(keyword in ds for keyword in PIXELS) and "TransferSyntaxUID" in ds.file_meta
    except (OSError, AttributeError, ValueError, NotImplementedError, EOFError):
        return False


def _decoded(ds: Dataset) -> Frame | str:
    syntax = str(ds.file_meta.TransferSyntaxUID)
    pixels = next(ds[keyword] for keyword in PIXELS if keyword in ds)
    try:
        told = describe_pixels(ds)
        if syntax in syntaxes.NATIVE:
            frame = bytes(pixels.value)
            # Words of 16 bits are swapped, whatever a pixel has (PS3.5 §7.3).
            if syntax == syntaxes.EXPLICIT_BIG_ENDIAN and pixels.VR == "OW":
                frame = np.frombuffer(frame, ">u2").astype("<u2").tobytes()
        else:
            frame = get_frame(pixels.value, 0, number_of_frames=told.frames)
        return decode_frame(frame, told, syntax), decoded_description(told, syntax)
    except NotAcceptable as error:
        return str(error)


def _judged(judge: Sequence[str], path: Path, target: Path) -> Frame | str:
    """What another decoder makes of the file."""
    target.unlink(missing_ok=True)
    try:
        run([*judge, path, target], stdout=DEVNULL, stderr=DEVNULL, timeout=JUDGED_WITHIN_S)
    except TimeoutExpired:
        return "no end"
    return _decoded(dcmread(target, force=True)) if _has_pixels(target) else NO_PICTURE


def _of_dcmtk(path: Path) -> str | None:
    syntax = str(dcmread(path, stop_before_pixels=True, force=True).file_meta.TransferSyntaxUID)
    if syntax in syntaxes.JPEG:
        return "dcmdjpeg"
    if syntax in syntaxes.JPEG_LS_ALL:
        return "dcmdjpls"
    return "dcmdrle" if syntax == syntaxes.RLE else None


def _difference(ours: Frame, theirs: Frame | str) -> str:
    """In how many of its bits stored a sample differs at most; what else differs, in words."""
    if isinstance(theirs, str):
        return theirs
    (samples, told), (others, judged) = ours, theirs
    if samples.shape != others.shape:
        return "another size"
    if told.photometric != judged.photometric:
        return f"{judged.photometric} for {told.photometric}"
    if told.floating:
        return "none" if np.array_equal(samples, others) else "other values"
    kept = (1 << told.bits_stored) - 1
    apart = (samples.astype(np.int64) & kept) - (others.astype(np.int64) & kept)
    furthest = int(np.abs(apart).max())
    return "none" if furthest == 0 else f"by {furthest}"
