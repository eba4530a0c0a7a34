"""Pictures of every file that others published are near those of DCMTK, with the file's own window.

Near means: a sample differs by `MEAN_MAX` on average, and hardly one by more than `MOST_MAX`. DCMTK
cuts off where we round, and decoders of lossy JPEG may differ by a few levels.
"""

from copy import deepcopy
from pathlib import Path
from subprocess import DEVNULL, run

import numpy as np
import pytest
from PIL import Image
from pydicom import Dataset, dcmwrite
from pydicom.uid import UID, ExplicitVRLittleEndian

from gateway.pixels.attributes import item, number
from gateway.pixels.grayscale import Shades
from gateway.pixels.picture import PICTURES
from gateway.pixels.syntaxes import JPEG, JPEG_LS_ALL, NATIVE, RLE
from gateway.retrieval.rendering.forms import media_types
from gateway.retrieval.rendering.stored_instance import StoredInstance
from tests.interop.corpus import published_files
from tests.support.peers import peer

# Files that are broken on purpose make pydicom warn.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:pydicom")

MEAN_MAX = 1.0
MOST_MAX = 3  # of 99 of 100 samples
JUDGED_WITHIN_S = 60

PICTURE_DIFFERS = {
    "dicom/ctimage-16-syntaxes/CT0012.fragmented_no_bot_jpeg_baseline.51.dcm": (
        "by 13 on average",
        "its window is in a functional group, which DCMTK does not heed",
    ),
    "dicom/ctimage-16-syntaxes/CT1_J2KR": (
        "by 63 on average",
        "its padding is no image (PS3.3 §C.7.5.1.1.2), and DCMTK counts it into the range",
    ),
    "dicom/highdicom/seg_image_sm_control_labelmap.dcm": (
        "by 79 on average",
        "labels are numbers from 0, which we spread so that they can be told apart",
    ),
    "dicom/pydicom-data/eCT_Supplemental.dcm": (
        "(512, 512, 3) for (512, 512)",
        "it has a supplemental palette, which DCMTK does not heed",
    ),
    "dicom/pylibjpeg-data/JPEGBaseline/SC_rgb_jpeg_lossy_gdcm.dcm": (
        "by 91 on average",
        "it says RGB, and its codestream shares colours, as only YCbCr may",
    ),
    **dict.fromkeys(
        (
            "dicom/pydicom-data/SC_rgb_32bit.dcm",
            "dicom/pydicom-data/SC_rgb_32bit_2frame.dcm",
            "dicom/pydicom-data/SC_rgb_expb_32bit.dcm",
            "dicom/pydicom-data/SC_rgb_expb_32bit_2frame.dcm",
        ),
        ("none of DCMTK", "it shows no colours of 32 bits"),
    ),
    **dict.fromkeys(
        (
            "dicom/pydicom-data/JLSL_08_07_0_1F.dcm",
            "dicom/pydicom-data/liver_nonbyte_aligned_rle.dcm",
            "dicom/pydicom-data/liver_rle.dcm",
            "dicom/pydicom-data/parametric_map_float.dcm",
        ),
        ("none of DCMTK", "it does not decode the pixels"),
    ),
    **dict.fromkeys(
        (
            "dicom/pydicom-data/gdcm-US-ALOKA-16.dcm",
            "dicom/pydicom-data/gdcm-US-ALOKA-16_big.dcm",
        ),
        ("none of DCMTK", "it does not read segmented palettes"),
    ),
}
"""Where we mean another picture than DCMTK, or it makes none, and why."""


def test_pictures_are_near_those_of_dcmtk(tmp_path: Path) -> None:
    judged = {}
    for name, path in published_files().items():
        instance = _image_in(path)
        if instance is not None:
            judged[name] = _compared(instance, tmp_path)

    assert len(judged) > 200
    assert {name: one for name, one in judged.items() if one != "near"} == {
        name: differs for name, (differs, _) in PICTURE_DIFFERS.items()
    }


def _image_in(path: Path) -> StoredInstance | None:
    try:
        instance = StoredInstance(path)
        shown = media_types(instance.header, instance.syntax) == PICTURES
        instance.samples(1)
    except Exception:  # another test tells which files are not decoded, and why
        return None
    return instance if shown else None


def _compared(instance: StoredInstance, folder: Path) -> str:
    theirs = _picture_of_dcmtk(instance, folder)
    if theirs is None:
        return "none of DCMTK"
    ours = instance.appearance(1).show(instance.samples(1))
    if ours.ndim == 2 and theirs.ndim == 3:
        ours = np.repeat(ours[..., None], 3, axis=2)
    if ours.shape != theirs.shape:
        return f"{ours.shape} for {theirs.shape}"
    apart = np.abs(ours.astype(int) - theirs)
    if apart.mean() <= MEAN_MAX and np.percentile(apart, 99) <= MOST_MAX:
        return "near"
    return f"by {apart.mean():.0f} on average"


def _picture_of_dcmtk(instance: StoredInstance, folder: Path) -> Shades | None:
    header, target = instance.header, folder / "picture.pnm"
    target.unlink(missing_ok=True)
    (program, *how), source = _judge(instance, folder)
    options = [*how, "--no-overlays", "--frame", "1", *_voi(header)]
    run(
        [str(peer(program)), *options, str(source), str(target)],
        stdout=DEVNULL,
        stderr=DEVNULL,
        timeout=JUDGED_WITHIN_S,
    )
    if not target.exists():
        return None
    with Image.open(target) as image:
        return np.asarray(image)


def _voi(header: Dataset) -> list[str]:
    """The file's own window, else its table, else the range of values."""
    if number(header, "WindowCenter") is not None and (number(header, "WindowWidth") or 0) >= 1:
        return ["--use-window", "1"]
    table = item(header, "VOILUTSequence")
    if table is not None and table.get("LUTData"):
        return ["--use-voi-lut", "1"]
    return [] if 1 < (number(header, "BitsStored") or 0) <= 8 else ["--min-max-window"]


def _judge(instance: StoredInstance, folder: Path) -> tuple[list[str], Path]:
    """The program that reads the file; what none reads is given to it decoded."""
    if instance.syntax in JPEG:
        return ["dcmj2pnm"], instance.path
    if instance.syntax in JPEG_LS_ALL:
        return ["dcml2pnm"], instance.path
    if instance.syntax in NATIVE | {RLE}:
        return ["dcm2pnm"], instance.path
    ds, samples = deepcopy(instance.header), instance.samples(1)
    ds.file_meta.TransferSyntaxUID = UID(ExplicitVRLittleEndian)
    ds.NumberOfFrames = 1
    if samples.ndim == 3:
        ds.PhotometricInterpretation, ds.PlanarConfiguration = "RGB", 0
    ds.HighBit = ds.BitsStored - 1
    if ds.BitsAllocated == 1:
        ds.BitsAllocated = ds.BitsStored = 8
        ds.HighBit, samples = 7, samples * np.uint8(255)
    ds.PixelData = samples.tobytes()
    ds["PixelData"].VR = "OW" if ds.BitsAllocated > 8 else "OB"
    ds["PixelData"].is_undefined_length = False
    decoded = folder / "decoded.dcm"
    dcmwrite(decoded, ds)
    return ["dcm2pnm"], decoded
