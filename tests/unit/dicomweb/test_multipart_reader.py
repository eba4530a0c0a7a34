"""Bodies of parts as clients write them, and as they must not."""

import time

import pytest

from indexer.contract.errors import InvalidValue
from indexer.framing.multipart import (
    HEAD_BYTES_MAX,
    ContentType,
    MultipartReader,
    PartBegins,
    PartEnds,
)


def read(body: bytes, boundary: str = "b") -> list[tuple[str, bytes]]:
    """Content type and content of each part."""
    reader = MultipartReader(boundary)
    events = reader.feed(body)
    reader.close()
    parts: list[tuple[str, bytes]] = []
    for event in events:
        if isinstance(event, PartBegins):
            parts.append((event.content_type.kind, b""))
        elif not isinstance(event, PartEnds):
            kind, content = parts[-1]
            parts[-1] = (kind, content + event)
    assert sum(isinstance(event, PartEnds) for event in events) == len(parts)
    return parts


@pytest.mark.parametrize(
    "body",
    [
        b"--b\r\nContent-Type: application/dicom\r\n\r\none\r\n--b--\r\n",
        b"\r\n--b\r\nContent-Type: application/dicom\r\n\r\none\r\n--b--",
        b"a preamble\r\n--b \t\r\nCONTENT-TYPE:application/dicom\r\n\r\none\r\n--b--\r\nepilogue",
        b"--b\r\nContent-Length: 3\r\nContent-Type: application/dicom; transfer-syntax=*\r\n\r\none"
        b"\r\n--b--\r\n",
    ],
    ids=["as the standard has it", "dicomweb-client", "all that is allowed", "Orthanc"],
)
def test_a_part_is_read_however_it_is_framed(body: bytes) -> None:
    assert read(body) == [("application/dicom", b"one")]


def test_parts_without_headers_or_content_are_parts() -> None:
    body = b"--b\r\n\r\none\r\n--b\r\nContent-Type: text/plain\r\n\r\n\r\n--b--"

    assert read(body) == [("", b"one"), ("text/plain", b"")]


def test_what_only_looks_like_a_boundary_is_content() -> None:
    content = b"--b\n--b\r--b\r\n-b\r\n\r\n--"

    assert read(b"--b\r\n\r\n" + content + b"\r\n--b--") == [("", content)]


def test_a_body_without_parts_has_none() -> None:
    assert read(b"--b--\r\n") == []


@pytest.mark.parametrize(
    "body",
    [
        b"--b",
        b"--b\r\n",
        b"--b\r\nContent-Type: application/dicom\r\n\r\none",
        b"--b\r\n\r\none\r\n--b",
        b"--b\r\n\r\none\r\n--b-",
    ],
)
def test_a_body_without_its_end_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidValue, match="cut short"):
        read(body)


@pytest.mark.parametrize("body", [b"", b"one", b"--other\r\n\r\none\r\n--other--"])
def test_a_body_with_another_boundary_than_its_type_names_is_refused_as_such(body: bytes) -> None:
    with pytest.raises(InvalidValue, match="no part with the boundary"):
        read(body)


@pytest.mark.parametrize(
    "body, why",
    [
        (b"--bc\r\n\r\none\r\n--bc--", "ended by CRLF"),
        (b"--b" + b" " * 20_000, "ended by CRLF"),
        (b"x" * 70_000, "no part begins"),
        (b"--b\r\nX: " + b"y" * 20_000, "headers are longer"),
        (b"--b\r\n\r\none\r\n--b--" + b"x" * 70_000, "goes on after its last delimiter"),
    ],
)
def test_a_body_that_is_none_is_refused_before_it_is_held(body: bytes, why: str) -> None:
    with pytest.raises(InvalidValue, match=why):
        read(body)


@pytest.mark.parametrize("boundary", ["", "x" * 201, "é"])
def test_a_boundary_that_is_none_is_refused(boundary: str) -> None:
    with pytest.raises(InvalidValue, match="boundary"):
        MultipartReader(boundary)


def test_no_more_of_a_part_is_held_than_a_boundary_may_need() -> None:
    reader = MultipartReader("b")
    reader.feed(b"--b\r\n\r\n")

    given = sum(
        len(event) for event in reader.feed(bytes(100_000)) if isinstance(event, memoryview)
    )

    assert given >= 100_000 - len("\r\n--b")


@pytest.mark.parametrize(
    "header",
    [
        'multipart/related; type="application/dicom"; boundary="B b"',
        'Multipart/Related;boundary="B b";type=application/dicom',
        'multipart/related; start=x; TYPE="Application/DICOM; transfer-syntax=*"; BOUNDARY="B b"',
    ],
)
def test_the_type_of_a_body_is_read_however_it_is_written(header: str) -> None:
    expected = ContentType(kind="multipart/related", part_type="application/dicom", boundary="B b")

    assert ContentType.parse(header) == expected


@pytest.mark.parametrize("header", ["", "multipart", "multipart/related", "text/plain\r\nX: y"])
def test_a_type_without_a_boundary_has_none(header: str) -> None:
    assert ContentType.parse(header).boundary == ""


@pytest.mark.parametrize(
    "header",
    [
        "multipart/related" + ";" * HEAD_BYTES_MAX,
        "multipart/related" + ';"' * (HEAD_BYTES_MAX // 2),
        "multipart/related" + ';a="\\' * (HEAD_BYTES_MAX // 5),
        "multipart/related; boundary*=idna''%ff",
        "multipart/related; " + " " * HEAD_BYTES_MAX,
    ],
    ids=["separators", "quotes", "strings without an end", "an encoding", "blanks"],
)
def test_a_type_that_is_made_to_cost_time_or_to_break_costs_nothing(header: str) -> None:
    """It stands before each of 20,000 parts, and no other request is answered meanwhile."""
    began = time.process_time()

    parsed = [ContentType.parse(header) for _ in range(20)]

    assert {one.boundary for one in parsed} == {""}
    assert time.process_time() - began < 0.4
