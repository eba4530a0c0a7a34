"""Whatever bytes a file holds, they are rewritten and told, or refused in one way."""

from io import BytesIO

from hypothesis import given
from hypothesis import strategies as st

from gateway.dicomweb.dicom_json import write_json
from gateway.retrieval.forms.reencode import NotNative, Reencoder

VRS = st.sampled_from([b"SQ", b"UN", b"LO", b"PN", b"DS", b"US", b"FD", b"OW", b"AT", b"ZZ"])
TAGS = st.sampled_from(
    [b"\xfe\xff\0\xe0", b"\xfe\xff\x0d\xe0", b"\xfe\xff\xdd\xe0", b"\x08\0\x40\x11",
     b"\x08\0\x05\0", b"\x28\0\x03\1", b"\x28\0\x06\1", b"\x28\0\2\x30", b"\x28\0\6\x30",
     b"\xe0\x7f\x10\0", b"\x09\0\x10\0", b"\x09\0\1\x10"]
)  # fmt: skip
LENGTHS = st.sampled_from(
    [b"\0\0\0\0", b"\2\0\0\0", b"\4\0\0\0", b"\0\0\2\0", b"\x20\0\0\0", b"\xff\xff\xff\xff"]
)
PIECES = st.one_of(VRS, TAGS, LENGTHS, st.binary(max_size=6))
# Bytes that look like data sets get further into the reader than bytes drawn at random.
DATA_SETS = st.one_of(st.binary(max_size=200), st.lists(PIECES, max_size=60).map(b"".join))


@given(DATA_SETS, st.booleans())
def test_any_bytes_are_rewritten_or_refused(source: bytes, big_endian: bool) -> None:
    target = BytesIO()
    try:
        Reencoder(memoryview(source), target, big_endian=big_endian).run()
    except NotNative:
        return

    again = BytesIO()
    Reencoder(memoryview(target.getvalue()), again).run()
    assert again.getvalue() == target.getvalue()


@given(DATA_SETS)
def test_any_bytes_are_told_or_refused(source: bytes) -> None:
    try:
        content = write_json(source)
    except ValueError:
        return

    assert content.startswith(b"{")
