"""Manifests of ours and of others, and what is none."""

import io
import struct
from collections.abc import Callable
from dataclasses import replace

import pytest
from pydicom import Dataset, dcmwrite
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

from gateway.errors import InvalidRequest
from gateway.manifest import reader
from gateway.manifest.description import SeriesWords, read_description
from gateway.manifest.reader import Manifest, ManifestInstance, ManifestSeries, read_manifest
from indexer.contract.document import Identifier
from tests.support.manifests import (
    CONTENT,
    CT,
    INS,
    LOCATION,
    SOP_INSTANCE,
    STUDY,
    a_manifest,
    opened,
)


def changed(change: Callable[[Dataset], object], *, syntax: str = ImplicitVRLittleEndian) -> bytes:
    """Our manifest after a change, in another transfer syntax."""
    manifest = opened(a_manifest())
    change(manifest)
    manifest.file_meta.TransferSyntaxUID = UID(syntax)
    implicit, little = syntax == ImplicitVRLittleEndian, syntax != ExplicitVRBigEndian
    file = io.BytesIO()
    dcmwrite(file, manifest, implicit_vr=implicit, little_endian=little, force_encoding=True)
    return file.getvalue()


def nothing(_: Dataset) -> None:
    """No change."""


def the_series(manifest: Dataset) -> list[Dataset]:
    return list(manifest.CurrentRequestedProcedureEvidenceSequence[0].ReferencedSeriesSequence)


def with_url(url: str) -> Callable[[Dataset], None]:
    def change(manifest: Dataset) -> None:
        for series in the_series(manifest):
            series.RetrieveURL = url

    return change


def test_what_was_written_is_read() -> None:
    manifest = read_manifest(a_manifest())

    assert replace(manifest, series=manifest.series[:1]) == Manifest(
        study=STUDY,
        sop_instance=SOP_INSTANCE,
        title="113030",
        patient=Identifier(value=INS.value, authority=INS.oid),
        study_date="20260115",
        series=(
            ManifestSeries(
                series=CONTENT.series[0].series,
                modality="CT",
                number="1",
                description="Axial été",
                retrieve_url="https://gateway.example/box/dicom-web"
                f"/studies/{STUDY}/series/{STUDY}.1",
                location_uid=LOCATION,
                ae_title="DRIMBOX",
                instances=tuple(
                    ManifestInstance(
                        instance=one.instance, sop_class=CT, number=one.number, frames=1
                    )
                    for one in CONTENT.series[0].instances
                ),
            ),
        ),
    )
    assert manifest.modalities == ("CT",)
    assert manifest.retrieve_urls == tuple(one.retrieve_url for one in manifest.series)


@pytest.mark.parametrize(
    "syntax", [ImplicitVRLittleEndian, ExplicitVRLittleEndian, ExplicitVRBigEndian]
)
def test_every_uncompressed_transfer_syntax_is_read(syntax: str) -> None:
    assert read_manifest(changed(nothing, syntax=syntax)) == read_manifest(a_manifest())


def test_sequences_of_undefined_length_are_read() -> None:
    def undefined(manifest: Dataset) -> None:
        for element in manifest.iterall():
            element.is_undefined_length = element.VR == "SQ"

    assert read_manifest(changed(undefined)) == read_manifest(a_manifest())


@pytest.mark.parametrize(
    "line",
    [
        "Série-1.2 : MR @ : Axial T2",
        "Série-1.2 : MR @  : Axial T2",
        "Série-1.2 : MR @ Tête : Axial T2",
        "Serie-1.2 : MR : Axial T2",
        "S\ufffdrie-1.2 : MR @ : Axial T2",
        "SÃ©rie-1.2:MR@:Axial T2",
        "  Série-1.2 : MR @ : Axial T2\r",
    ],
)
def test_every_known_form_of_the_text_is_read(line: str) -> None:
    text = f"Examen : Exam A\nActe =  : Abdomen\n{line}\n"

    assert read_description(text) == {"1.2": SeriesWords(modality="MR", description="Axial T2")}


def test_a_description_keeps_its_own_colons() -> None:
    assert read_description("Série-1.2 : CT @ : A : B @ C\n")["1.2"].description == "A : B @ C"


def test_lines_that_tell_of_no_series_are_passed_over() -> None:
    assert read_description("Examen : Série-1.2\nSupérieurie-1 : CT\n\n-: \nActe = x") == {}


def test_a_manifest_without_its_text_is_read_without_modalities() -> None:
    def without_text(manifest: Dataset) -> None:
        del manifest.ContentSequence[-1]

    manifest = read_manifest(changed(without_text))

    assert [one.modality for one in manifest.series] == ["", "KO"]  # the class tells of key objects
    assert manifest.modalities == ()


@pytest.mark.parametrize(
    "told, read",
    [
        ("https://a.example/rs/", f"https://a.example/rs/studies/{STUDY}/series/"),
        (f"https://a.example/studies/{STUDY}", f"https://a.example/studies/{STUDY}/series/"),
        ("https://a.example/series/x", "https://a.example/series/x"),
        ("ftp://a.example/", ""),
        ("javascript:alert(1)", ""),
        ("https://a.ex\nample/", ""),
        (f"https://a.example/{'a' * 2048}", ""),
    ],
)
def test_a_retrieve_url_names_the_series_or_is_empty(told: str, read: str) -> None:
    manifest = read_manifest(changed(with_url(told)))

    for one in manifest.series:
        assert one.retrieve_url == (f"{read}{one.series}" if read.endswith("/series/") else read)


def test_an_address_of_the_whole_document_serves_series_without_their_own() -> None:
    def at_the_root(manifest: Dataset) -> None:
        with_url("")(manifest)
        manifest.RetrieveURL = "https://a.example/rs"

    manifest = read_manifest(changed(at_the_root))

    assert manifest.retrieve_urls[0] == f"https://a.example/rs/studies/{STUDY}/series/{STUDY}.1"


def another_class(manifest: Dataset) -> None:
    manifest.SOPClassUID = CT


def a_rejection_note(manifest: Dataset) -> None:
    manifest.ConceptNameCodeSequence[0].CodeValue = "113001"


def without_content(manifest: Dataset) -> None:
    del manifest.ContentSequence


def without_instances(manifest: Dataset) -> None:
    del manifest.CurrentRequestedProcedureEvidenceSequence


def of_two_studies(manifest: Dataset) -> None:
    manifest.CurrentRequestedProcedureEvidenceSequence[0].StudyInstanceUID = "1.2"


def without_a_study(manifest: Dataset) -> None:
    del manifest.StudyInstanceUID


@pytest.mark.parametrize(
    "change, reason",
    [
        (another_class, "not a key object selection document"),
        (a_rejection_note, "rejection note"),
        (without_content, "no content"),
        (without_instances, "lists no instance"),
        (of_two_studies, "another study"),
        (without_a_study, "not a UID"),
    ],
)
def test_what_is_no_manifest_is_refused_with_its_reason(
    change: Callable[[Dataset], None], reason: str
) -> None:
    with pytest.raises(InvalidRequest, match=reason):
        read_manifest(changed(change))


@pytest.mark.parametrize("data", [b"", b"%PDF-1.7", b"\0" * 128 + b"DICM", b"\0" * 4096])
def test_bytes_that_are_no_dicom_file_are_refused(data: bytes) -> None:
    with pytest.raises(InvalidRequest):
        read_manifest(data)


def test_a_deflated_file_is_not_inflated() -> None:
    with pytest.raises(InvalidRequest, match="transfer syntax"):
        read_manifest(changed(nothing, syntax=DeflatedExplicitVRLittleEndian))


def test_a_manifest_that_is_cut_off_anywhere_is_refused() -> None:
    document = a_manifest()

    for end in range(0, len(document), 7):  # odd, so that it falls into every kind of element
        with pytest.raises(InvalidRequest):
            read_manifest(document[:end])


@pytest.mark.parametrize(
    "limit, value, reason",
    [
        ("SIZE_BYTES_MAX", 1000, "larger than 1000 bytes"),
        ("INSTANCES_MAX", 2, "more than 2 instances"),
        ("ITEMS_MAX", 5, "more than 5 items"),
    ],
)
def test_a_manifest_beyond_a_limit_is_refused(
    monkeypatch: pytest.MonkeyPatch, limit: str, value: int, reason: str
) -> None:
    monkeypatch.setattr(reader, limit, value)

    with pytest.raises(InvalidRequest, match=reason):
        read_manifest(a_manifest())


def test_nested_items_without_end_are_refused() -> None:
    item = b"\xfe\xff\x00\xe0\xff\xff\xff\xff"
    sequence = b"\x40\x00\x30\xa7\xff\xff\xff\xff"
    document = a_manifest()
    at = document.index(b"\x40\x00\x30\xa7")

    with pytest.raises(InvalidRequest):
        read_manifest(document[:at] + (sequence + item) * 10_000)


@pytest.mark.filterwarnings("error")  # a word on each would fill the log
def test_elements_that_nobody_asks_for_cost_nothing() -> None:
    unknown = (struct.pack("<HHI", 0x4200, element, 0) for element in range(2**16))
    document = a_manifest() + b"".join(unknown)

    assert read_manifest(document) == read_manifest(a_manifest())
