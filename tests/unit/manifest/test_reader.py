"""Manifests of ours and of others, and what is none."""

import io
import struct
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from types import ModuleType

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
from gateway.manifest import kos_reader, limits, reader
from gateway.manifest.description import SeriesWords, read_description
from gateway.manifest.model import NOTHING, Request
from gateway.manifest.reader import read_manifest
from indexer.contract.document import Identifier, Organisation
from tests.support.manifests import (
    CONTENT,
    CT,
    INS,
    LOCATION,
    STUDY,
    a_manifest,
    composed,
    opened,
    with_key_images,
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


def test_what_was_written_is_read_but_for_what_the_french_form_has_no_place_for() -> None:
    manifest = composed()
    [national, _] = manifest.patient.ids

    assert read_manifest(a_manifest()) == replace(
        manifest,
        patient=replace(manifest.patient, ids=(national,)),
        acts=(),
        regions=(),
        series=tuple(replace(one, region=None) for one in manifest.series),
    )


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


@pytest.mark.parametrize(
    "offset, told",
    [("+0200", datetime(2026, 7, 1, 11, 30, 15, tzinfo=UTC)), ("", None), ("Paris", None)],
)
def test_without_its_offset_nobody_knows_when_a_manifest_was_made(
    offset: str, told: datetime | None
) -> None:
    def change(manifest: Dataset) -> None:
        manifest.TimezoneOffsetFromUTC = offset

    assert read_manifest(changed(change)).made_at == told


def test_an_authority_is_read_where_mado_misprints_its_tag() -> None:
    """MADO Rev 1.1 has (0010,0032) and (0010,0033) for the parts of a Hierarchic Designator."""

    def misprinted(manifest: Dataset) -> None:
        [request] = manifest.ReferencedRequestSequence
        for item in (manifest, *manifest.OtherPatientIDsSequence):
            misprint(item, "IssuerOfPatientIDQualifiersSequence")
        misprint(request, "IssuerOfAccessionNumberSequence")
        misprint(request, "OrderPlacerIdentifierSequence")

    def misprint(item: Dataset, keyword: str) -> None:
        designator = Dataset()
        designator.add_new(0x00100032, "UT", item[keyword].value[0].UniversalEntityID)
        designator.add_new(0x00100033, "CS", "ISO")
        item[keyword].value = [designator]

    for syntax in (ImplicitVRLittleEndian, ExplicitVRLittleEndian):
        manifest = read_manifest(changed(misprinted, syntax=syntax))
        assert manifest.patient.ids == read_manifest(a_manifest()).patient.ids
        assert manifest.requests == composed().requests


def test_an_accession_number_at_the_root_counts_where_there_is_no_request_item() -> None:
    def at_the_root(manifest: Dataset) -> None:
        del manifest.ReferencedRequestSequence
        manifest.AccessionNumber = "ACN1"

    [request] = read_manifest(changed(at_the_root)).requests

    assert (request.accession, request.order) == (Identifier(value="ACN1"), NOTHING)


@pytest.mark.parametrize(
    "name, organisation",
    [
        ("Centre X^^^^^^^^^199", Organisation(number="199", name="Centre X")),
        ("Centre X", Organisation(number="", name="Centre X")),
        ("", Organisation(number="")),
    ],
)
def test_a_structure_is_read_with_its_number_if_it_has_one(
    name: str, organisation: Organisation
) -> None:
    def named(manifest: Dataset) -> None:
        manifest.InstitutionName = name

    assert read_manifest(changed(named)).organisation == organisation


def test_a_manifest_of_one_image_and_without_a_title_is_read() -> None:
    def bare(manifest: Dataset) -> None:
        del manifest.ConceptNameCodeSequence
        manifest.ContentSequence = manifest.ContentSequence[:1]

    assert len(read_manifest(changed(bare)).series) == 2


def test_a_manifest_without_addresses_still_names_its_gateway() -> None:
    """As NIST's are: an AE title and a location UID, no URL, no issuers, one accession number."""

    def of_nist(manifest: Dataset) -> None:
        del manifest.IssuerOfPatientIDQualifiersSequence, manifest.OtherPatientIDsSequence
        del manifest.ReferencedRequestSequence, manifest.TimezoneOffsetFromUTC
        manifest.AccessionNumber, manifest.StudyTime = "IDS001", ""
        del manifest.ContentSequence[-1]
        for series in the_series(manifest):
            del series.RetrieveURL, series.SeriesNumber

    manifest = read_manifest(changed(of_nist, syntax=ExplicitVRLittleEndian))

    assert {(one.retrieve_url, one.location_uid) for one in manifest.series} == {("", LOCATION)}
    assert manifest.patient.ids == (Identifier(value=INS.value),)
    assert manifest.requests == (Request(accession=Identifier(value="IDS001")),)
    assert (manifest.study_time, manifest.made_at) == ("", None)


def test_a_key_image_is_read_as_the_agencys_sample_has_it() -> None:
    """Its `KIN` names the key object without its class."""
    manifest = opened(a_manifest(with_key_images(CONTENT)))
    [selecting] = the_series(manifest)[0].ReferencedSOPSequence[0].ReferencedSOPSequence
    del selecting.ReferencedSOPClassUID
    file = io.BytesIO()
    dcmwrite(file, manifest)

    [key_object] = read_manifest(file.getvalue()).series[1].instances

    assert key_object == composed(with_key_images(CONTENT)).series[1].instances[0]


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
    "module, limit, value, reason",
    [
        (reader, "SIZE_BYTES_MAX", 1000, "larger than 1000 bytes"),
        (limits, "INSTANCES_MAX", 2, "more than 2 instances"),
        (kos_reader, "ITEMS_MAX", 5, "more than 5 items"),
    ],
)
def test_a_manifest_beyond_a_limit_is_refused(
    monkeypatch: pytest.MonkeyPatch, module: ModuleType, limit: str, value: int, reason: str
) -> None:
    monkeypatch.setattr(module, limit, value)

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
