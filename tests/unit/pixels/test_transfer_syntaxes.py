"""Which transfer syntax may be given as which."""

import pytest
from pydicom import uid
from pydicom.uid import UID, AllTransferSyntaxes

from gateway.pixels import syntaxes
from gateway.pixels.syntaxes import may_be_given_as

VIDEO = [one for one in AllTransferSyntaxes if "MPEG" in UID(one).name or "HEVC" in UID(one).name]


def test_each_name_is_that_of_the_dictionary() -> None:
    names = {
        name: UID(value).name
        for name, value in vars(syntaxes).items()
        if isinstance(value, str) and value.startswith("1.2.840.10008.1.2")
    }

    assert names["JPEG_LS_NEAR"] == "JPEG-LS Lossy (Near-Lossless) Image Compression"
    assert names["HTJ2K"] == "High-Throughput JPEG 2000 Image Compression"
    assert names["HTJ2K_LOSSLESS_RPCL"].startswith("High-Throughput JPEG 2000 with RPCL")
    assert names["JPEG_BASELINE"].startswith("JPEG Baseline")
    assert set(AllTransferSyntaxes) >= syntaxes.ENCODED


@pytest.mark.parametrize("stored", sorted(syntaxes.DECODED))
@pytest.mark.parametrize("asked", sorted(syntaxes.ENCODED))
def test_what_is_decoded_may_be_given_as_what_is_encoded(stored: str, asked: str) -> None:
    assert may_be_given_as(stored, asked)


@pytest.mark.parametrize("stored", VIDEO)
def test_video_is_given_as_it_is_stored(stored: str) -> None:
    others = [asked for asked in AllTransferSyntaxes if may_be_given_as(stored, asked)]

    assert others == [stored]


def test_what_the_web_forbids_is_never_given() -> None:
    given = [
        (stored, asked)
        for stored in AllTransferSyntaxes
        for asked in (uid.ImplicitVRLittleEndian, uid.ExplicitVRBigEndian)
        if may_be_given_as(stored, asked)
    ]

    assert given == []
