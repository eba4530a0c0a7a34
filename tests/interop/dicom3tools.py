"""The validator of dicom3tools, which knows the standard as it was before MADO."""

import subprocess
from pathlib import Path

from tests.support.peers import peer

OF_MADO = {"Error - Unrecognized enumerated value <NUM> for value 1 of attribute <Value Type>"}
"""CP-2595 lets key object documents hold numbers, which dicom3tools does not know yet."""


def errors_of(document: bytes, folder: Path) -> set[str]:
    """What dciodvfy calls an error in a key object document."""
    manifest = folder / "manifest.dcm"
    manifest.write_bytes(document)
    told = subprocess.run([peer("dciodvfy"), manifest], capture_output=True, text=True, check=False)
    lines = (told.stdout + told.stderr).splitlines()
    assert "KeyObjectSelectionDocument" in lines
    return {line for line in lines if line.startswith("Error")}
