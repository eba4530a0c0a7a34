"""Who gets a compressed body (RFC 9110 §12.5.3)."""

import pytest

from gateway.dicomweb.codings import CODINGS_LENGTH_MAX, takes_gzip


@pytest.mark.parametrize(
    "header",
    ["gzip", "GZIP", "gzip, deflate, br", "br;q=1, gzip;q=0.2", "*", "x-gzip", "*;q=0.1",
     "identity;q=0.5, gzip", "deflate , gzip ;q=1.000", "gzip;q=0.5, identity;q=0.5"],
)  # fmt: skip
def test_one_who_takes_gzip_gets_it(header: str) -> None:
    assert takes_gzip(header)


@pytest.mark.parametrize(
    "header",
    ["", "identity", "br", "gzip;q=0", "*, gzip;q=0", "gzip;q=nonsense", "gzip;q=0.5, identity",
     "gzip;level=9", "*;q=0", ";;,=,", "gzip" + " " * CODINGS_LENGTH_MAX],
)  # fmt: skip
def test_one_who_does_not_gets_the_body_as_it_is(header: str) -> None:
    assert not takes_gzip(header)
