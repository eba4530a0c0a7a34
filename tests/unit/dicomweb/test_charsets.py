"""Texts are UTF-8, and who takes only something else is told so (PS3.18 §8.3.3.2, §8.8)."""

import pytest

from gateway.dicomweb.attributes import SearchLevel
from gateway.dicomweb.charsets import CHARSETS_LENGTH_MAX, ensure_utf_8
from gateway.dicomweb.qido import parse_query
from gateway.errors import InvalidRequest
from gateway.retrieval.rendering.order import read_order

REFUSED = [
    "", "klingon", "iso-8859-1", "*", "utf-8;q=0", "utf-8; q=0.000, us-ascii", ",;,=", "utf-16",
    "é", "utf-8," + " " * CHARSETS_LENGTH_MAX,
]  # fmt: skip


@pytest.mark.parametrize(
    "value",
    [
        "utf-8",
        "UTF-8",
        "utf8",
        '"ISO_IR 192"',
        "ISO_IR 192",
        "iso-8859-1, utf-8;q=0.5",
        "utf-8;q=x",
    ],
)
def test_one_who_takes_utf_8_among_others_gets_it(value: str) -> None:
    ensure_utf_8(value)
    read_order((("charset", value),))
    parse_query(SearchLevel.STUDIES, [("charset", value)])


@pytest.mark.parametrize("value", REFUSED)
def test_one_who_does_not_is_refused(value: str) -> None:
    with pytest.raises(InvalidRequest, match="UTF-8"):
        ensure_utf_8(value)
    with pytest.raises(InvalidRequest, match="UTF-8"):
        read_order((("charset", value),))
    with pytest.raises(InvalidRequest, match="UTF-8"):
        parse_query(SearchLevel.STUDIES, [("charset", value)])
