"""Runs the command-line programs of DCMTK against the gateway."""

import os
import subprocess
from pathlib import Path

from tests.support.peers import peer
from tests.support.program import HOST
from tests.support.programs import NO_DELAY

ENDS_WITHIN_S = 60
UNREAD = {
    "dicom/pydicom-data/emri_small_jpeg_2k_lossless_too_short.dcm",
    "dicom/pydicom-data/explicit_VR-UN.dcm",
    "dicom/pylibjpeg-data/JPEG2000/ELSCINT1_JP2vsJ2K.dcm",
    "dicom/pylibjpeg-data/JPEG2000Lossless/J2K_pixelrep_mismatch.dcm",
    "dicom/pylibjpeg-data/JPEG2000Lossless/JPEG2KLossless_1s_1f_u_16_16.dcm",
    "pydicom/J2K_pixelrep_mismatch.dcm",
    "pydicom/MR_truncated.dcm",
    "pydicom/SC_rgb_jpeg.dcm",
}
"""Published files that are cut short, or in a character set that it does not know or that their
texts break."""


def run(program: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """What became of a program, with all that it told in `stdout`."""
    return subprocess.run(
        [peer(program), *arguments],
        env=os.environ | NO_DELAY,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=ENDS_WITHIN_S,
        check=False,
    )


def archived(port: int, title: str, *files: Path) -> None:
    """Send the files to a PACS, as a modality does."""
    to = called(port, title=title)
    sent = run("dcmsend", "-aet", "STORESCU", "--decompress-never", *to, *files)
    assert sent.returncode == 0, sent.stdout


def called(port: int, *, title: str = "DRIMBOX") -> list[str]:
    """Arguments that name the gateway to a program of DCMTK."""
    return ["-aec", title, HOST, str(port)]
