"""Studies as a scanner makes them, in files: 512 x 512 pixels of 16 bits, 0.5 MiB an instance."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset

from simulators.synthetic.examination import Examination, make_examination
from simulators.synthetic.studies import build_instances
from simulators.synthetic.uids import uid_of

SERIES_OF = 100
"""Instances in a series; the last one of a study may have fewer."""
SIDE = 512  # pixels
_DRAWN_SIDE = 128


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyFiles:
    """A study, in files."""

    uid: str
    patient_id: str
    examination: Examination
    files: tuple[Path, ...]


def save_ct(folder: Path, *, number: int = 0, instances: int = 200, frames: int = 1) -> StudyFiles:
    """Write a study; the same number always gives the same, and each its own patient.

    Args:
        frames: of each instance, 0.5 MiB each.
    """
    folder.mkdir(parents=True, exist_ok=True)
    examination = make_examination(7, number, "CT")
    files = []
    for at, ds in enumerate(build_ct(number, instances, frames=frames)):
        path = folder / f"{at:05}.dcm"
        ds.save_as(path, enforce_file_format=True)
        files.append(path)
    return StudyFiles(
        uid=examination.study_uid,
        examination=examination,
        patient_id=examination.patient.local_id,
        files=tuple(files),
    )


def build_ct(
    number: int, instances: int, *, frames: int = 1, side: int = SIDE
) -> Iterator[Dataset]:
    """The instances of a study, in Explicit VR Little Endian; one is to be used at a time.

    Args:
        side: of a frame, in pixels: a multiple of 128.
    """
    drawn = list(islice(build_instances(make_examination(7, number, "CT")), 5))
    enlarged = np.ones((side // _DRAWN_SIDE, side // _DRAWN_SIDE), np.uint16)
    pixels = [np.kron(one.pixel_array, enlarged) for one in drawn]
    for at in range(instances):
        ds = drawn[at % len(drawn)]
        ds.Rows, ds.Columns = pixels[0].shape
        series, within = at // SERIES_OF + 1, at % SERIES_OF + 1
        ds.SeriesNumber, ds.InstanceNumber = series, within
        ds.SeriesInstanceUID = uid_of(ds.StudyInstanceUID, series)
        ds.SOPInstanceUID = uid_of(ds.StudyInstanceUID, series, within)
        ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
        if frames > 1:
            ds.NumberOfFrames = frames
        # No two of them are equal, as no two of a scanner's are.
        ds.PixelData = (pixels[at % len(drawn)] ^ np.uint16(at % 8)).tobytes() * frames
        yield ds
