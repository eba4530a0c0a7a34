"""Whatever a file holds, it is described or refused; what is described of it lies within it."""

import json
import struct
import zlib
from io import BytesIO
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom import Dataset
from pydicom.encaps import encapsulate
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEGBaseline8Bit,
)

from gateway.dicomweb.layout import Layout, item_ranges, native_range
from gateway.errors import NotAcceptable
from gateway.retrieval.describing.describe import describe
from tests.support.retrieval import a_slice, write_part10

FRAMES = 3
SYNTAXES = (
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    ExplicitVRBigEndian,
    DeflatedExplicitVRLittleEndian,
    JPEGBaseline8Bit,
)
REWRITTEN_BYTES_MAX = 2**20


def a_file(syntax: str) -> bytes:
    item = Dataset()
    item.CodeMeaning = "Crâne"
    icon = Dataset()
    icon.add_new("LUTData", "OW", bytes(6000))
    ds = a_slice(
        1, NumberOfFrames=FRAMES, AnatomicRegionSequence=[item], ModalityLUTSequence=[icon]
    )
    ds.PixelData = bytes(512) * FRAMES
    if syntax == JPEGBaseline8Bit:
        frames = [b"\xff\xd8\xff" + bytes([number]) * 61 for number in range(FRAMES)]
        ds.PixelData = encapsulate(frames, fragments_per_frame=2, has_bot=False)
    written = BytesIO()
    write_part10(ds, written, syntax)
    return written.getvalue()


FILES: dict[str, bytes] = {syntax: a_file(syntax) for syntax in SYNTAXES}


@st.composite
def broken_files(draw: st.DrawFn) -> tuple[str, bytes]:
    syntax = draw(st.sampled_from(SYNTAXES))
    file = bytearray(FILES[syntax])
    for _ in range(draw(st.integers(1, 4))):
        # More of them where the elements are than within the pixels.
        at = draw(st.one_of(st.integers(400, 900), st.integers(400, len(file) - 1)))
        kind = draw(st.sampled_from(["byte", "length", "cut", "insert"]))
        if kind == "byte":
            file[at : at + 1] = draw(st.binary(min_size=1, max_size=1))
        elif kind == "length":
            lie = draw(st.sampled_from([0, 1, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFE, 0xFFFFFFFF]))
            file[at : at + 4] = struct.pack("<I", lie)
        elif kind == "cut":
            del file[at:]
            break
        else:
            file[at:at] = draw(st.binary(max_size=12))
    return syntax, bytes(file)


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_a_whole_file_has_all_its_frames(syntax: str, tmp_path: Path) -> None:
    layout, starts, _ = described(syntax, FILES[syntax], tmp_path)

    assert layout.pixels is not None
    assert layout.pixels.frames == FRAMES
    assert len(item_ranges(starts)) == (FRAMES if syntax == JPEGBaseline8Bit else 0)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(broken=broken_files())
def test_what_is_described_lies_within_the_file(broken: tuple[str, bytes], tmp_path: Path) -> None:
    syntax, file = broken
    try:
        layout, starts, size_bytes = described(syntax, file, tmp_path)
    except NotAcceptable:
        return

    for value in layout.bulk.values():
        assert 0 <= value.at <= value.at + value.size_bytes <= size_bytes
    edges = [0, *(edge for one in item_ranges(starts) for edge in (one.at, one.at + 1)), size_bytes]
    assert all(before <= after for before, after in pairwise(edges))
    pixels = layout.pixels
    if pixels is not None and pixels.native and pixels.frames:
        place, _ = native_range(layout, pixels.frames)
        assert place.at + place.size_bytes <= size_bytes


def described(syntax: str, file: bytes, folder: Path) -> tuple[Layout, bytes, int]:
    """The layout, the places of frames, and the size of the file that they lie in."""
    path, scratch = folder / "instance.dcm", folder / "scratch.dcm"
    path.write_bytes(file)
    scratch.unlink(missing_ok=True)
    metadata, record, starts = describe(path, syntax, scratch, REWRITTEN_BYTES_MAX)
    assert isinstance(json.loads(zlib.decompress(metadata)), dict)
    layout = Layout.decode(record)
    lies_in = scratch if layout.rewritten else path
    return layout, starts, lies_in.stat().st_size
