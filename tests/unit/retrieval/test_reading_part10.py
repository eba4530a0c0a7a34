"""How a Part 10 file begins, and what of a lying one is believed."""

import struct
import tracemalloc
from pathlib import Path

import pytest

from gateway.errors import NotAcceptable
from gateway.pixels.syntaxes import ENCODED
from gateway.retrieval.forms.recompress import transcode
from tests.support.retrieval import a_slice, part10_of

PLENTY = 2**30
CLAIMED_BYTES = 3 * 2**30


def test_an_element_that_claims_gigabytes_takes_no_memory(tmp_path: Path) -> None:
    """10 KB that claim 3 GB, before and within the data set."""
    lying = struct.pack("<HH2sHI", 2, 0x0102, b"OB", 0, CLAIMED_BYTES)
    whole = part10_of(a_slice())
    source = tmp_path / "source"

    for at in (144, whole.index(b"\x10\0\x10\0PN")):
        source.write_bytes(whole[:at] + lying + whole[at:])
        tracemalloc.start()
        try:
            with pytest.raises(NotAcceptable):
                transcode(source, tmp_path / "target", tmp_path / "scratch", ENCODED[1], PLENTY)
            _, most_bytes = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()

        assert most_bytes < 16 * 2**20


@pytest.mark.parametrize("content", [b"", b"\0" * 128, b"\0" * 128 + b"DICM", b"DICM" * 40])
def test_what_does_not_begin_as_a_file_of_dicom_is_refused(tmp_path: Path, content: bytes) -> None:
    source = tmp_path / "source"
    source.write_bytes(content)

    with pytest.raises(NotAcceptable, match="does not begin"):
        transcode(source, tmp_path / "target", tmp_path / "scratch", ENCODED[1], PLENTY)
