"""What a key object document says of the images that it selects."""

from pathlib import Path

import pytest
from pydicom import Dataset, dcmwrite
from pydicom.dataset import FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import UID, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from gateway.catalogue import header
from gateway.catalogue.header import read_header
from gateway.catalogue.key_objects import (
    SELECTED_MAX,
    TEXT_LENGTH_MAX,
    Selected,
    read_selected,
)
from gateway.model.sop_classes import KEY_OBJECTS


def a_code(value: str) -> Dataset:
    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator = value, "DCM"
    return code


def a_text(text: str, concept: str = "113012") -> Dataset:
    item = Dataset()
    item.ValueType, item.TextValue = "TEXT", text
    item.ConceptNameCodeSequence = [a_code(concept)]
    return item


def an_image(*uids: str) -> Dataset:
    item = Dataset()
    item.ValueType = "IMAGE"
    item.ReferencedSOPSequence = Sequence()
    for uid in uids:
        reference = Dataset()
        reference.add_new("ReferencedSOPInstanceUID", "UI", uid)
        item.ReferencedSOPSequence.append(reference)
    return item


def a_document(*items: Dataset, title: str = "113000") -> Dataset:
    ds = Dataset()
    ds.SpecificCharacterSet = "ISO_IR 192"
    ds.SOPClassUID, ds.SOPInstanceUID = KEY_OBJECTS, "1.2.3.1"
    ds.StudyInstanceUID, ds.SeriesInstanceUID = "1.2", "1.2.3"
    ds.ConceptNameCodeSequence = [a_code(title)]
    ds.ContentSequence = Sequence(items)
    return ds


def stored(ds: Dataset, folder: Path, *, syntax: str = ExplicitVRLittleEndian) -> Path:
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = UID(syntax)
    ds.file_meta.MediaStorageSOPClassUID = UID(KEY_OBJECTS)
    ds.file_meta.MediaStorageSOPInstanceUID = UID("1.2.3.1")
    path = folder / "key-object.dcm"
    dcmwrite(path, ds, enforce_file_format=True)
    return path


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian])
def test_its_text_and_what_it_selects_are_told_with_its_header(tmp_path: Path, syntax: str) -> None:
    ds = a_document(an_image("1.2.9.1"), a_text("Lésion"), an_image("1.2.9.2"))

    image = read_header(stored(ds, tmp_path, syntax=syntax)).image

    assert (image.title_code, image.key_text) == ("113000", "Lésion")
    assert image.selected == ("1.2.9.1", "1.2.9.2")


def test_of_a_rejection_note_nothing_is_told_here(tmp_path: Path) -> None:
    ds = a_document(an_image("1.2.9.1"), a_text("Faux patient"), title="113037")

    image = read_header(stored(ds, tmp_path)).image

    assert (image.key_text, image.selected) == ("", ())


def test_an_instance_is_selected_once() -> None:
    assert read_selected(a_document(an_image("1.2", "1.2"), an_image("1.2"))).instances == ("1.2",)


def test_what_cannot_be_read_is_passed_over() -> None:
    broken = an_image("1.2", "no uid", "")
    broken.ConceptNameCodeSequence = []
    other = a_text("not the description", concept="113011")

    told = read_selected(a_document(broken, other))

    assert (told.text, told.instances) == ("", ("1.2",))


def test_a_document_whose_content_cannot_be_read_still_has_its_header(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreadable(_: Dataset) -> Selected:
        raise RecursionError  # as pydicom does on nested items without end

    monkeypatch.setattr(header, "read_selected", unreadable)

    image = read_header(stored(a_document(an_image("1.2.9.1")), tmp_path)).image

    assert (image.title_code, image.selected) == ("113000", ())


def test_no_more_is_kept_than_a_radiologist_selects() -> None:
    many = [f"1.2.{number}" for number in range(SELECTED_MAX + 1)]

    told = read_selected(a_document(a_text("x" * (TEXT_LENGTH_MAX + 1)), an_image(*many)))

    assert len(told.instances) == SELECTED_MAX
    assert len(told.text) == TEXT_LENGTH_MAX
