"""A digest knows an instance again after what a gateway may do to it, and no other change."""

from io import BytesIO

import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import UID, ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from simulators.digest import digest_of
from simulators.synthetic.examination import make_examination
from simulators.synthetic.studies import build_instances


def an_instance() -> Dataset:
    return next(build_instances(make_examination(5, 1, "CT")))


def written(ds: Dataset, transfer_syntax: UID = ExplicitVRLittleEndian) -> BytesIO:
    ds.file_meta.TransferSyntaxUID = transfer_syntax
    file = BytesIO()
    ds.save_as(file, enforce_file_format=True)
    file.seek(0)
    return file


@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, ExplicitVRBigEndian])
def test_it_is_the_same_in_every_native_syntax(syntax: UID) -> None:
    native, other = an_instance(), an_instance()
    if syntax == ExplicitVRBigEndian:  # pixels are words, and lie the other way round
        pixels = bytearray(other.PixelData)
        pixels[::2], pixels[1::2] = pixels[1::2], pixels[::2]
        other.PixelData = bytes(pixels)

    assert digest_of(written(other, syntax)) == digest_of(written(native))


@pytest.mark.parametrize("nested", [False, True])
def test_it_reads_what_a_writer_did_not_know_as_little_endian(nested: bool) -> None:
    """PS3.5 §6.2.2, whatever the file's order of bytes; the private dictionary knows a SL here."""

    def with_an_unknown(native: Dataset) -> Dataset:
        ds = Dataset()
        ds.add_new(0x00190010, "LO", "GEMS_ACQU_01")
        ds.add_new(0x00191002, "UN", b"\x90\x03\x00\x00")
        if nested:
            native.ProcedureCodeSequence = Sequence([ds])
        else:
            native.update(ds)
        del native.PixelData
        return native

    little, big = with_an_unknown(an_instance()), with_an_unknown(an_instance())

    assert digest_of(written(big, ExplicitVRBigEndian)) == digest_of(written(little))


def test_it_does_not_see_the_identity_that_a_gateway_adds() -> None:
    coerced = an_instance()
    national = Dataset()
    national.PatientID = "279035121518989"
    coerced.OtherPatientIDsSequence = Sequence([national])

    assert digest_of(written(coerced)) == digest_of(written(an_instance()))


def test_it_does_not_see_the_file_meta_information() -> None:
    received = an_instance()
    received.file_meta.SourceApplicationEntityTitle = "ANOTHER"

    assert digest_of(written(received)) == digest_of(written(an_instance()))


def test_it_does_not_see_how_sequences_end() -> None:
    def with_a_sequence(*, undefined_length: bool) -> Dataset:
        ds = an_instance()
        item = Dataset()
        item.CodeValue = "1"
        item.is_undefined_length_sequence_item = undefined_length
        ds.ProcedureCodeSequence = Sequence([item])
        ds["ProcedureCodeSequence"].is_undefined_length = undefined_length
        return ds

    assert digest_of(written(with_a_sequence(undefined_length=True))) == digest_of(
        written(with_a_sequence(undefined_length=False))
    )


@pytest.mark.parametrize(
    "change",
    [
        lambda ds: setattr(ds, "PatientID", "SOMEONE-ELSE"),
        lambda ds: setattr(ds, "PixelData", b"\x01" + ds.PixelData[1:]),
        lambda ds: delattr(ds, "KVP"),
    ],
)
def test_it_sees_any_other_change(change) -> None:
    changed = an_instance()
    change(changed)

    assert digest_of(written(changed)) != digest_of(written(an_instance()))
