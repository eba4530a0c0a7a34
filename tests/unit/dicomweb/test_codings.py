"""In which coding a client gets a text (RFC 9110 §12.5.3)."""

import gzip

import brotli
import pytest

from gateway.dicomweb.codings import (
    CODINGS_LENGTH_MAX,
    OF_TEXTS,
    Coding,
    Effort,
    choose_coding,
    packed,
    packer,
    takes_as_is,
)
from gateway.errors import NotAcceptable

TEXT = b'{"00080005": {"vr": "CS", "Value": ["ISO_IR 100"]}}' * 500


@pytest.mark.parametrize(
    "header",
    ["br", "BR", "gzip, deflate, br", "gzip, deflate, br, zstd", "*", "gzip;q=0.5, br;q=0.5",
     "identity;q=0.5, br", "*;q=0.1", "gzip;q=0.2, *;q=0.5", "br;q=0.001"],
)  # fmt: skip
def test_one_who_takes_br_as_gladly_as_anything_gets_it(header: str) -> None:
    assert choose_coding(header, OF_TEXTS) is Coding.BR


@pytest.mark.parametrize(
    "header",
    ["gzip", "GZIP", "br;q=0.2, gzip;q=1", "x-gzip", "identity;q=0.5, gzip",
     "deflate , gzip ;q=1.000", "gzip;q=0.5, identity;q=0.5", "br;q=0, *", "br;q=nonsense, gzip",
     "identity;q=0, gzip;q=0.1"],
)  # fmt: skip
def test_one_who_prefers_gzip_gets_that(header: str) -> None:
    assert choose_coding(header, OF_TEXTS) is Coding.GZIP


@pytest.mark.parametrize(
    "header",
    ["", "identity", "deflate", "gzip;q=0", "gzip;q=nonsense", "gzip;q=0.5, identity",
     "gzip;level=9", ";;,=,", "br" + " " * CODINGS_LENGTH_MAX, "*;q=0, identity", "é, ¼",
     "identity;q=0, gzip" + " " * CODINGS_LENGTH_MAX],
)  # fmt: skip
def test_one_who_takes_neither_gets_the_body_as_it_is(header: str) -> None:
    assert choose_coding(header, OF_TEXTS) is Coding.AS_IS
    assert takes_as_is(header)


@pytest.mark.parametrize("header", ["identity;q=0", "*;q=0", "deflate, identity;q=0.0, *;q=0"])
def test_one_who_takes_nothing_is_refused(header: str) -> None:
    with pytest.raises(NotAcceptable, match="br, gzip, identity"):
        choose_coding(header, OF_TEXTS)


@pytest.mark.parametrize("header", ["gzip, identity;q=0", "*;q=0, br", "identity;q=0, *"])
def test_what_has_no_coding_is_refused_to_one_who_wants_one(header: str) -> None:
    assert not takes_as_is(header)
    with pytest.raises(NotAcceptable):
        choose_coding(header, (Coding.AS_IS,))


@pytest.mark.parametrize("effort", list(Effort))
@pytest.mark.parametrize(
    "coding, unpack",
    [(Coding.BR, brotli.decompress), (Coding.GZIP, gzip.decompress), (Coding.AS_IS, bytes)],
)
def test_what_is_packed_in_pieces_or_at_once_is_the_same_text(coding, unpack, effort) -> None:
    one = packer(coding, effort)
    pieces = [one.add(TEXT[at : at + 1000]) for at in range(0, len(TEXT), 1000)]

    assert unpack(b"".join([*pieces, one.end()])) == TEXT
    assert unpack(packed(TEXT, coding, effort)) == TEXT
