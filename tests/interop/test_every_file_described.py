"""Metadata of every published file is what DCMTK's dcm2json tells, and its addresses lead to the
values; its frames are what pydicom finds in it."""

import base64
import json
from array import array
from collections.abc import Iterator
from functools import partial
from io import BytesIO
from math import isclose
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from pydicom import Dataset, dcmread
from pydicom.encaps import get_frame
from pydicom.uid import UID

from tests.interop import dcmtk
from tests.interop.corpus import taken
from tests.interop.instances import Instance
from tests.interop.wire import asked
from tests.support.programs import Gateway, a_gateway

# Files that are broken on purpose make pydicom warn.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:pydicom")

JSON = "application/dicom+json"
OCTETS = "application/octet-stream"
FRAME = f"{OCTETS}; transfer-syntax=*"
PIXELS = "7FE00010"
TAKEN_OUT = (PIXELS, "FFFCFFFC")
"""Where pixels are compressed, for DCMTK cannot write them, and takes the padding along."""

UNREAD_BY_DCM2JSON = dcmtk.UNREAD | {
    f"{folder}/{name}.dcm"
    for folder in ("dicom/pylibjpeg-data/RLELossless", "pydicom")
    for name in ("rtdose_rle", "rtdose_rle_1frame")
}
"""Those, and what has no VRs."""

DIFFERS = {
    # "1A" is no number: ours is empty, for a reader that expects one would drop the whole study.
    ("pydicom/badVR.dcm", "00280008"),
    # Its pixels end in an odd byte, which DCMTK leaves out.
    ("dicom/highdicom/dx_image.dcm", PIXELS),
    # Names of four carets, which DCMTK takes for none.
    ("pydicom/image_dfl.dcm", "00080090"),
    ("pydicom/image_dfl.dcm", "00100010"),
}

WITHOUT_FRAMES = {"pydicom/MR_truncated.dcm": "the file is cut short after frame 0"}

Told = dict[str, Any]


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with a_gateway(tmp_path_factory.mktemp("described")) as running:
        yield running


@pytest.fixture(scope="module")
def held(gateway: Gateway, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Instance]:
    return taken(gateway, tmp_path_factory.mktemp("outbox"))


def test_each_file_is_told_as_dcm2json_tells_it(
    gateway: Gateway, held: dict[str, Instance], tmp_path: Path
) -> None:
    unread, differing = set(), set()
    for name, one in held.items():
        if (theirs := by_dcmtk(one, tmp_path)) is None:
            unread.add(name)
            continue
        answer = asked(gateway.http, f"/dicom-web{one.address}/metadata", accept=JSON)
        [ours] = answer.json
        differing |= {(name, path) for path in differences(gateway, ours, theirs)}

    assert differing == DIFFERS
    assert unread == UNREAD_BY_DCM2JSON


def by_dcmtk(instance: Instance, folder: Path) -> Told | None:
    """What dcm2json writes, which cannot write compressed pixels; None where it reads nothing."""
    file = folder / "instance.dcm"
    file.write_bytes(instance.part10)
    if UID(instance.transfer_syntax).is_encapsulated:
        dcmtk.run("dcmodify", "--no-backup", "-q", "--erase", "(7fe0,0010)", file)
    written = dcmtk.run("dcm2json", "--encode-extended", "--compact-code", "-q", file)
    told: Told = {} if written.returncode else json.loads(written.stdout)
    # Of a file that says it has VRs, and has none, dcmodify makes one of UN alone.
    has_vrs = told.get("00080018", {"vr": "UN"})["vr"] != "UN"
    return told if has_vrs else None


def differences(gateway: Gateway, ours: Told, theirs: Told, way: str = "") -> Iterator[str]:
    for tag in sorted(ours.keys() | theirs.keys()):
        one, other = ours.get(tag), theirs.get(tag)
        if other is None and way + tag in TAKEN_OUT:
            continue
        if one is None or other is None:
            yield way + tag
        elif one["vr"] == other["vr"] == "SQ":
            items, others = one.get("Value", []), other.get("Value", [])
            if len(items) != len(others):
                yield way + tag
            for number, (item, another) in enumerate(zip(items, others, strict=False), start=1):
                yield from differences(gateway, item, another, f"{way}{tag}/{number}/")
        elif not alike(gateway, tag, one, other):
            yield way + tag


def alike(gateway: Gateway, tag: str, one: Told, other: Told) -> bool:
    if tag == "00080005":
        return True  # of a text in ASCII DCMTK adds or keeps one, where ours is the document's
    if one["vr"] != other["vr"]:
        # Of private elements each knows some that the other does not.
        return bool(other["vr"] == "UN") and int(tag[3], 16) % 2 == 1
    if "BulkDataURI" in one:
        return fetched(gateway, one["BulkDataURI"]) == base64.b64decode(other["InlineBinary"])
    if "InlineBinary" in one:
        return bool(one["InlineBinary"] == other.get("InlineBinary"))
    values, others = one.get("Value", []), other.get("Value", [])
    same = partial(same_value, one["vr"])
    return len(values) == len(others) and all(map(same, values, others))


def same_value(vr: str, one: Any, other: Any) -> bool:
    """DCMTK writes nine digits of a number of four bytes, leaves out the ends of names, and keeps
    padding that is not a blank."""
    if isinstance(other, str):
        other = other.rstrip("\0")
    if vr == "FL" or isinstance(one, float):
        return isclose(float(one), float(other), rel_tol=1e-8 if vr == "FL" else 1e-15)
    if isinstance(one, dict):
        ends = {group: text.rstrip("^") for group, text in one.items()}
        return ends == {group: text.rstrip("^") for group, text in other.items()}
    return bool(one == other or str(one) == str(other))


def fetched(gateway: Gateway, address: str) -> bytes:
    """A value, by the address that metadata gives it."""
    answer = asked(gateway.http, urlsplit(address).path, accept=OCTETS)
    assert answer.status == 200, answer.body
    return answer.body


def test_each_frame_is_the_one_that_pydicom_finds(
    gateway: Gateway, held: dict[str, Instance]
) -> None:
    looked_at, refused = 0, {}
    for name, one in held.items():
        ds = dcmread(BytesIO(one.part10))
        if "PixelData" not in ds or UID(one.transfer_syntax).is_deflated:
            continue
        frames = int(ds.get("NumberOfFrames") or 1) if name != "pydicom/badVR.dcm" else 1
        for number in sorted({1, (frames + 1) // 2, frames}):
            answer = asked(gateway.http, f"/dicom-web{one.address}/frames/{number}", accept=FRAME)
            if answer.status != 200:
                refused[name] = answer.json["detail"]
                continue
            looked_at += 1
            assert answer.body == by_pydicom(ds, number, frames, answer.kind), (name, number)

    assert looked_at > 250
    assert refused == WITHOUT_FRAMES


def by_pydicom(ds: Dataset, number: int, frames: int, kind: str) -> bytes:
    syntax = UID(ds.file_meta.TransferSyntaxUID)
    if syntax.is_encapsulated:
        assert kind == f"{OCTETS}; transfer-syntax={syntax}"
        return get_frame(ds.PixelData, number - 1, number_of_frames=frames)
    size_bits = ds.Rows * ds.Columns * ds.SamplesPerPixel * ds.BitsAllocated
    if ds.PhotometricInterpretation == "YBR_FULL_422":
        size_bits = size_bits * 2 // 3
    pixels = ds.PixelData
    if not syntax.is_little_endian and ds["PixelData"].VR == "OW":
        pixels = array("H", pixels)
        pixels.byteswap()
        pixels = pixels.tobytes()
    value = int.from_bytes(pixels, "little") >> (number - 1) * size_bits
    return (value & (1 << size_bits) - 1).to_bytes(-(-size_bits // 8), "little")
