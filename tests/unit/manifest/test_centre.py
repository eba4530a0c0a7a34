"""What a centre may call itself."""

from dataclasses import replace

import pytest

from gateway.errors import InvalidRequest
from indexer.contract.identifiers import Uid
from tests.support.manifests import CENTRE


@pytest.mark.parametrize("url", ["https://gateway.example", "https://gateway.example/"])
def test_a_series_is_had_below_the_public_url(url: str) -> None:
    centre = replace(CENTRE, public_url=url)

    assert centre.retrieve_url(Uid("1.2"), Uid("1.2.3")) == (
        "https://gateway.example/dicom-web/studies/1.2/series/1.2.3"
    )


@pytest.mark.parametrize(
    "url",
    ["", "gateway.example", "ftp://gateway.example", "https://", "https://é.example", "http://a b"],
)
def test_a_public_url_that_nobody_can_ask_is_refused(url: str) -> None:
    with pytest.raises(InvalidRequest, match="public URL"):
        replace(CENTRE, public_url=url)


@pytest.mark.parametrize("title", ["", "  ", "A" * 17, "A\\B", "É", "A\n"])
def test_an_ae_title_that_no_data_set_holds_is_refused(title: str) -> None:
    with pytest.raises(InvalidRequest, match="AE title"):
        replace(CENTRE, ae_title=title)
