"""Which transfer syntax may be given as which."""

import pytest
from pydicom import uid
from pydicom.uid import UID, AllTransferSyntaxes

from gateway.pixels import syntaxes
from gateway.pixels.syntaxes import given_as

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
    assert set(AllTransferSyntaxes) >= set(syntaxes.ENCODED)


@pytest.mark.parametrize("stored", sorted(syntaxes.DECODED))
def test_what_is_decoded_may_be_given_as_what_is_encoded(stored: str) -> None:
    assert {stored, *given_as(stored)} == {stored, *syntaxes.ENCODED}


@pytest.mark.parametrize("stored", sorted(syntaxes.DECODED))
def test_what_loses_some_of_the_picture_is_the_last_choice(stored: str) -> None:
    loses = [syntax in syntaxes.LOSSY_ENCODED for syntax in given_as(stored)]

    assert loses == sorted(loses)


@pytest.mark.parametrize("stored", VIDEO)
def test_video_is_given_as_it_is_stored(stored: str) -> None:
    assert list(given_as(stored)) == []


def test_what_the_web_forbids_is_never_given() -> None:
    given = {syntax for stored in AllTransferSyntaxes for syntax in given_as(stored)}

    assert given.isdisjoint({uid.ImplicitVRLittleEndian, uid.ExplicitVRBigEndian})
