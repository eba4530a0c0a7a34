"""Where the parts of an XDM archive lie, and what makes one unreadable."""

from dataclasses import replace
from pathlib import Path

import pytest

from gateway.errors import InvalidRequest
from gateway.media.tree import MediaFile, open_medium
from gateway.media.xdm import (
    MediaPointer,
    archive_of,
    cover_files,
    is_metadata,
    is_part,
    pointer_files,
    read_pointers,
)
from indexer.client.xdm import read_metadata, write_metadata
from indexer.contract.document import Identifier, Organisation
from tests.support.manifests import INS
from tests.support.media import CENTRE_OID, REPORT_ID, a_folder, a_pointer, an_archive


def read(folder: Path, files: dict[str, bytes]) -> list[MediaPointer]:
    tree = open_medium(a_folder(folder, files))
    [metadata] = [
        one for one in tree.walk() if isinstance(one, MediaFile) and is_metadata(one.name)
    ]
    return read_pointers(tree, metadata, read_metadata)


def test_a_pointer_is_read_with_its_manifest_and_its_report(tmp_path: Path) -> None:
    [pointer] = read(tmp_path, an_archive(a_pointer()))

    assert pointer == MediaPointer(submission=a_pointer(), report_id=REPORT_ID)


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    pointer = MediaPointer(submission=a_pointer(), report_id=REPORT_ID)
    files = pointer_files(pointer, 12, lambda one, uri: write_metadata(one, uri=uri))

    assert read(tmp_path, dict(files)) == [pointer]


def test_files_have_the_names_of_the_agencys_archive() -> None:
    pointer = MediaPointer(submission=a_pointer(), report_id=REPORT_ID)
    month = f"KA{pointer.submission.entry.created_at:%Y%m}"

    files = dict(pointer_files(pointer, 1, lambda one, uri: uri.encode()))

    folder = f"{month}/IHE_XDM/SS000001"
    assert list(files) == [f"{folder}/{one}" for one in ("METADATA.XML", "KOS_1_1.DCM", "CR.TXT")]
    assert files[f"{folder}/METADATA.XML"] == b"KOS_1_1.DCM"
    told = files[f"{folder}/CR.TXT"].decode()
    assert told == f"1.2.250.1.999.5;7;{INS.value};{INS.oid};LOC900;{CENTRE_OID}"


def test_a_manifest_in_fhir_has_a_name_of_its_own(tmp_path: Path) -> None:
    pointer = MediaPointer(
        submission=a_pointer(mime_type="application/fhir+json"), report_id=REPORT_ID
    )

    files = dict(pointer_files(pointer, 1, lambda one, uri: write_metadata(one, uri=uri)))

    assert [name.rpartition("/")[2] for name in files][1] == "KOS_1_1.JSN"
    assert read(tmp_path, files) == [pointer]


@pytest.mark.parametrize("uri", ["KOS_1_1.DCM", "kos_1_1.dcm", "SS000001/KOS_1_1.DCM"])
def test_a_manifest_is_found_from_either_folder(tmp_path: Path, uri: str) -> None:
    assert len(read(tmp_path, an_archive(a_pointer(), uri=uri))) == 1


@pytest.mark.parametrize("month", ["", "KA202601/", "a/b/"])
def test_an_archive_may_lie_anywhere(tmp_path: Path, month: str) -> None:
    assert len(read(tmp_path, an_archive(a_pointer(), month=month))) == 1


@pytest.mark.parametrize(
    "uri", ["../KOS_1_1.DCM", "/KOS_1_1.DCM", "..\\SS000001\\KOS_1_1.DCM", "", "OTHER.DCM"]
)
def test_a_manifest_elsewhere_is_not_looked_for(tmp_path: Path, uri: str) -> None:
    with pytest.raises(InvalidRequest):
        read(tmp_path, an_archive(a_pointer(), uri=uri))


def test_the_patients_id_in_the_centre_is_that_of_the_report_line(tmp_path: Path) -> None:
    """The agency's demonstrator repeats the INS where the metadata has it."""
    repeated = Identifier(value=INS.value, authority=INS.oid)
    submission = a_pointer(local_patient=repeated)

    [pointer] = read(tmp_path, an_archive(submission))

    assert pointer.submission == a_pointer()


@pytest.mark.parametrize(
    "line, report_id",
    [
        ("1.2.3", "1.2.3"),
        ("1.2.3;;;;;", "1.2.3"),
        (" 1.2.3 ; 4 ;;;;\r\n\r\n", "1.2.3^4"),
        ("\ufeff1.2.3;4", "1.2.3^4"),
        ("1.2.3;4\n1.2.3;5\n", "1.2.3^4"),
        ("", ""),
    ],
)
def test_a_report_line_is_read_whatever_is_missing(
    tmp_path: Path, line: str, report_id: str
) -> None:
    [pointer] = read(tmp_path, an_archive(a_pointer(), report=line))

    assert pointer.report_id == report_id


def test_metadata_without_a_manifest_is_refused(tmp_path: Path) -> None:
    files = an_archive(a_pointer())
    [name] = [one for one in files if one.endswith("METADATA.XML")]
    files[name] = files[name].replace(b"application/dicom", b"text/xml")

    with pytest.raises(InvalidRequest, match="describes no manifest"):
        read(tmp_path, files)


def test_a_value_that_would_part_the_report_line_is_left_out() -> None:
    pointer = a_pointer(local_patient=Identifier(value="A;B", authority=CENTRE_OID))
    files = dict(
        pointer_files(MediaPointer(submission=pointer, report_id="1.2\n.3"), 1, lambda *_: b"")
    )

    [told] = [data.decode() for name, data in files.items() if name.endswith("CR.TXT")]
    assert told == f"1.2 .3;;{INS.value};{INS.oid};;{CENTRE_OID}"


def test_parts_of_an_archive_are_nothing_to_read_for_themselves() -> None:
    metadata = "usb/ka202601/ihe_xdm/ss000001/metadata.xml"
    archives = frozenset({archive_of(metadata)})

    assert is_metadata(metadata)
    assert is_part("usb/KA202601/README.TXT", archives)
    assert is_part("usb/KA202601/IHE_XDM/SS000001/SIGN_1.XML", archives)
    assert not is_part("usb/README.TXT", archives)
    assert not is_part("usb/KA202601/IMAGES/1", archives)
    assert not is_metadata("METADATA.XML")


def test_the_covers_name_the_sender_and_no_patient() -> None:
    sender = Organisation(number="1990000127", name="A & <B>")
    files = dict(cover_files("KA202601", pointers=2, sender=sender, application="x 1"))

    index, readme = files["KA202601/INDEX.HTM"], files["KA202601/README.TXT"]
    assert b"A &amp; &lt;B&gt; (1990000127)" in index
    assert b"A & <B> (1990000127)" in readme
    assert b"signature" in readme


def test_one_report_line_is_that_of_every_manifest_of_the_set(tmp_path: Path) -> None:
    files = an_archive(a_pointer())
    [name] = [one for one in files if one.endswith("METADATA.XML")]
    text = files[name].decode()
    start, end = text.index("<rim:ExtrinsicObject"), text.index("</rim:ExtrinsicObject>") + 22
    files[name] = (text[:end] + text[start:end] + text[end:]).encode()

    pointers = read(tmp_path, files)

    assert [one.report_id for one in pointers] == [REPORT_ID, REPORT_ID]
    assert pointers[0] == replace(pointers[1])
