"""Multipart bodies cut anywhere."""

from contextlib import suppress
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from indexer.contract.errors import InvalidValue
from indexer.framing.multipart import MultipartReader, PartBegins, PartEnds
from indexer.framing.multipart_writer import MultipartRelated

BOUNDARY = "ab"
PIECES = st.sampled_from([b"\r", b"\n", b"-", b"a", b"b", b"\r\n--a", b"\r\n--", b"\0"])
CONTENTS = st.lists(PIECES, max_size=30).map(b"".join)


def holds_no_boundary(content: bytes) -> bool:
    return b"\r\n--ab" not in b"\r\n" + content + b"\r\n"


PARTS = st.lists(CONTENTS.filter(holds_no_boundary), max_size=4)


def read(chunks: list[bytes]) -> list[bytes]:
    reader = MultipartReader(BOUNDARY)
    parts: list[bytes] = []
    ended = 0
    for chunk in chunks:
        for event in reader.feed(chunk):
            if isinstance(event, PartBegins):
                parts.append(b"")
            elif isinstance(event, PartEnds):
                ended += 1
            else:
                parts[-1] += event
    reader.close()
    assert ended == len(parts)
    return parts


def cut(body: bytes, places: list[int]) -> list[bytes]:
    at = sorted({place % (len(body) + 1) for place in places} | {0, len(body)})
    return [body[start:end] for start, end in pairwise(at)]


@given(PARTS, st.lists(st.integers(0, 2000), max_size=40))
def test_a_body_is_read_the_same_wherever_it_is_cut(parts: list[bytes], places: list[int]) -> None:
    frame = MultipartRelated("application/dicom", boundary=BOUNDARY)
    framed = [frame.part("application/dicom", size_bytes=len(part)) + part for part in parts]
    body = b"".join(framed) + frame.end()

    assert read(cut(body, places)) == parts


@given(st.lists(PIECES | st.just(b"--ab") | st.just(b"\r\n\r\n"), max_size=30))
def test_any_bytes_are_read_or_refused(pieces: list[bytes]) -> None:
    with suppress(InvalidValue):
        read(pieces)
