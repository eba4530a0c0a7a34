"""Metadata in XML says of every published file what DCMTK's dcm2xml says (PS3.19 §A.1)."""

import base64
import re
from collections.abc import Iterator
from math import isclose
from pathlib import Path
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

import pytest

from tests.interop import dcmtk
from tests.interop.corpus import taken
from tests.interop.instances import Instance
from tests.interop.wire import asked
from tests.support.programs import Gateway, a_gateway

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:pydicom")

AS_XML = 'multipart/related; type="application/dicom+xml"'
NUMBERS = {"DS", "FD", "FL", "IS", "SL", "SS", "SV", "UL", "US", "UV"}
WORD_BYTES = {"OB": 1, "OW": 2, "OF": 4, "OL": 4, "OD": 8, "OV": 8, "UN": 1}
NOT_COMPARED = ("7FE0", "FFFCFFFC", "00080005")
"""Pixels, of icons too, and padding are no metadata; and of a text in ASCII DCMTK keeps the
character set, where ours is that of the document."""
Told = dict[tuple[str, ...], object]
"""What a document says, by the way that leads there; None is told in another way."""


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with a_gateway(tmp_path_factory.mktemp("xml")) as running:
        yield running


@pytest.fixture(scope="module")
def held(gateway: Gateway, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Instance]:
    return taken(gateway, tmp_path_factory.mktemp("outbox"))


def test_each_file_is_told_as_dcm2xml_tells_it(
    gateway: Gateway, held: dict[str, Instance], tmp_path: Path
) -> None:
    theirs = {name: by_dcmtk(one, tmp_path) for name, one in held.items()}

    differing = {
        name: differences(in_xml(gateway, one), read(theirs[name], big_endian=True))
        for name, one in held.items()
        if theirs[name]
    }

    assert {name: one for name, one in differing.items() if one} == {}
    assert {name for name in held if not theirs[name]} == dcmtk.UNREAD


def in_xml(gateway: Gateway, instance: Instance) -> Told:
    answer = asked(gateway.http, f"/dicom-web{instance.address}/metadata", accept=AS_XML)
    [(kind, document)] = answer.parts
    assert kind == "application/dicom+xml"
    return read(document)


def by_dcmtk(instance: Instance, folder: Path) -> bytes:
    """What dcm2xml writes; nothing where it cannot read the file."""
    file = folder / "instance.dcm"
    file.write_bytes(instance.part10)
    written = dcmtk.run("dcm2xml", "--native-format", "+Eb", "+U8", "-q", file)
    return b"" if written.returncode else written.stdout.encode()


def differences(ours: Told, theirs: Told) -> dict[str, object]:
    return {
        "/".join(way): (ours.get(way), theirs.get(way))
        for way in sorted(ours.keys() | theirs.keys())
        if not way[-1].startswith(NOT_COMPARED)
        if way not in ours or way not in theirs or not alike(ours[way], theirs[way])
    }


def alike(ours: object, theirs: object) -> bool:
    match ours, theirs:
        case [*some], [*others]:
            pairs = zip(some, others, strict=False)
            return len(some) == len(others) and all(same_value(one, two) for one, two in pairs)
    return None in (ours, theirs) or ours == theirs


def same_value(one: object, other: object) -> bool:
    """DCMTK writes nine digits of a number that has four bytes."""
    if isinstance(one, float) and isinstance(other, float):
        return isclose(one, other, rel_tol=1e-8)
    return one == other


def read(document: bytes, *, big_endian: bool = False) -> Told:
    """What a document says.

    Args:
        big_endian: whether its words are, as DCMTK's are in spite of PS3.18 §8.7.3.
    """
    # DCMTK writes characters that no XML may hold; in ours stands what replaces them.
    lawful = re.sub(rb"[\x00-\x08\x0b\x0c\x0e-\x1f]|\xef\xbf\xbd", b"", document)
    return dict(attributes(ElementTree.fromstring(lawful), (), big_endian))


def attributes(
    holder: Element, way: tuple[str, ...], big_endian: bool
) -> Iterator[tuple[tuple[str, ...], object]]:
    for one in holder.iterfind("{*}DicomAttribute"):
        tag, creator = one.attrib["tag"], one.get("privateCreator", "")
        if is_creator(tag, creator):
            continue
        here = (*way, tag, creator) if creator else (*way, tag)
        for item in one.iterfind("{*}Item"):
            yield from attributes(item, (*here, item.attrib["number"]), big_endian)
        yield here, value_of(one, big_endian)


def is_creator(tag: str, creator: str) -> bool:
    """DCMTK tells private creators on their own; with us each element names its own."""
    return int(tag[3], 16) % 2 == 1 and not creator and tag[4:6] == "00" and tag[6:] >= "10"


def value_of(attribute: Element, big_endian: bool) -> object:
    """What an attribute holds, however its numbers are spelt; None for bytes of which one side
    knows the VR or the address only."""
    vr = attribute.attrib["vr"]
    if vr == "UN" or attribute.find("{*}BulkData") is not None:
        return None
    if vr in WORD_BYTES:
        value = base64.b64decode(attribute.findtext("{*}InlineBinary") or "")
        return swapped(value, WORD_BYTES[vr]) if big_endian else value
    if vr == "PN":
        parts = [part for name in attribute for group in name for part in group]
        return [(part.tag.rpartition("}")[2], (part.text or "").strip()) for part in parts]
    texts = [(value.text or "").strip() for value in attribute.findall("{*}Value")]
    if vr not in NUMBERS:
        return texts
    numbers = [number(text) for text in texts]
    return numbers if numbers != [None] else []


def swapped(value: bytes, word_bytes: int) -> bytes:
    words = (value[at : at + word_bytes][::-1] for at in range(0, len(value), word_bytes))
    return b"".join(words)


def number(text: str) -> float | None:
    """None for what is none: ours leaves it out, for a reader expects a number there."""
    try:
        return float(text)
    except ValueError:
        return None
