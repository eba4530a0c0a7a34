"""MADO's key object document, and its Image Library as others write it."""

import io
from dataclasses import replace

import pytest
from pydicom import Dataset, dcmwrite
from pydicom.sequence import Sequence

from gateway.manifest.kos_reader import ITEMS_MAX
from gateway.manifest.model import MadoCodes, Manifest, ManifestForm, ManifestInstance
from gateway.manifest.reader import SIZE_BYTES_MAX, read_manifest
from gateway.model.pointer import PointerContent
from indexer.contract.document import Code, Identifier
from tests.support.manifests import (
    CONTENT,
    LOCATION,
    a_series,
    composed,
    opened,
    with_key_images,
    written,
)

DATED = composed(with_key_images(CONTENT), form=ManifestForm.MADO)
DATED = replace(
    DATED,
    series=tuple(replace(one, date="20260115", time="101112.5") for one in DATED.series),
    display_uri="https://viewer.example/?study=1",
)
"""What nothing in a pointer tells yet, too."""


ITEM = b"\xfe\xff\x00\xe0"


def mado(manifest: Manifest = DATED, codes: MadoCodes = MadoCodes.TRIAL) -> Dataset:
    return opened(written(manifest, ManifestForm.MADO, mado_codes=codes))


def a_mado(content: PointerContent) -> Dataset:
    return mado(composed(content, form=ManifestForm.MADO))


def name_of(item: Dataset) -> str:
    return (
        str(item.ConceptNameCodeSequence[0].CodeMeaning)
        if "ConceptNameCodeSequence" in item
        else ""
    )


def outline(item: Dataset) -> list[tuple[str, str, str]]:
    """The items below one, by relationship, value type and name."""
    return [(one.RelationshipType, one.ValueType, name_of(one)) for one in item.ContentSequence]


def library(manifest: Dataset) -> Dataset:
    [found] = [one for one in manifest.ContentSequence if name_of(one) == "Image Library"]
    return found


def test_the_tree_has_acts_the_library_and_each_instance_once_more() -> None:
    assert outline(mado()) == [
        ("HAS CONCEPT MOD", "CODE", "Procedure Code"),
        ("CONTAINS", "CONTAINER", "Image Library"),
        ("CONTAINS", "IMAGE", ""),
        ("CONTAINS", "IMAGE", ""),
        ("CONTAINS", "COMPOSITE", ""),
    ]


def test_the_library_tells_of_the_study_then_of_each_series() -> None:
    assert outline(library(mado())) == [
        ("HAS ACQ CONTEXT", "CODE", "Modality"),
        ("HAS ACQ CONTEXT", "CODE", "Target Region"),
        ("HAS ACQ CONTEXT", "NUM", "Number of Study Related Series"),
        ("CONTAINS", "CONTAINER", "Image Library Group"),
        ("CONTAINS", "CONTAINER", "Image Library Group"),
    ]


def test_a_group_tells_of_its_series_then_of_each_instance() -> None:
    [group, _] = library(mado()).ContentSequence[-2:]

    assert [(two, three) for _, two, three in outline(group)] == [
        ("CODE", "Modality"),
        ("CODE", "Target Region"),
        ("DATE", "Series Date"),
        ("TIME", "Series Time"),
        ("TEXT", "Series Description"),
        ("TEXT", "Series Number"),
        ("UIDREF", "Series Instance UID"),
        ("NUM", "Number of Series Related Instances"),
        ("IMAGE", ""),
        ("IMAGE", ""),
    ]
    assert outline(group.ContentSequence[-1]) == [
        ("HAS ACQ CONTEXT", "TEXT", "Instance Number"),
        ("HAS ACQ CONTEXT", "NUM", "Number of Frames"),
    ]


def test_a_key_object_has_its_title_and_its_text() -> None:
    group = library(mado()).ContentSequence[-1]
    *_, title, text = group.ContentSequence[-1].ContentSequence

    assert name_of(title) == "Document Title"
    assert title.ConceptCodeSequence[0].CodeValue == "113000"
    assert (name_of(text), text.TextValue) == ("Key Object Description", "Lésion suspecte")


def test_counts_have_their_units() -> None:
    count = library(mado()).ContentSequence[2].MeasuredValueSequence[0]

    assert count.NumericValue == 2
    unit = count.MeasurementUnitsCodeSequence[0]
    assert (unit.CodeValue, unit.CodingSchemeDesignator) == ("{series}", "UCUM")


@pytest.mark.parametrize(
    "codes, title, count",
    [(MadoCodes.TRIAL, "MADOTEMP001", "MADOTEMP009"), (MadoCodes.FINAL, "131560", "131565")],
)
def test_madoes_own_concepts_have_the_codes_that_are_set(
    codes: MadoCodes, title: str, count: str
) -> None:
    manifest = mado(codes=codes)

    [named] = manifest.ConceptNameCodeSequence
    [counted] = library(manifest).ContentSequence[2].ConceptNameCodeSequence
    assert (named.CodeValue, named.CodingSchemeDesignator) == (title, codes.value)
    assert (counted.CodeValue, counted.CodingSchemeDesignator) == (count, codes.value)


def test_the_address_of_a_series_is_that_of_its_service() -> None:
    [study] = mado().CurrentRequestedProcedureEvidenceSequence

    for series in study.ReferencedSeriesSequence:
        assert series.RetrieveURL == "https://gateway.example/box/dicom-web"
        assert series.RetrieveLocationUID == LOCATION


def test_where_to_look_is_private_in_the_trial_and_an_attribute_after_it() -> None:
    [trial] = mado().CurrentRequestedProcedureEvidenceSequence
    [final] = mado(codes=MadoCodes.FINAL).CurrentRequestedProcedureEvidenceSequence

    assert trial.private_block(0x000D, "IHE_MADO_PRIVATE")[0x01].value == DATED.display_uri
    assert final[0x0040E012].value == DATED.display_uri


def test_several_accession_numbers_leave_the_root_empty() -> None:
    several = tuple(Identifier(value=one, authority="1.2.3") for one in "AB")

    manifest = a_mado(replace(CONTENT, accessions=several))

    assert manifest.AccessionNumber == ""
    assert [one.AccessionNumber for one in manifest.ReferencedRequestSequence] == ["A", "B"]


def test_a_scheme_without_a_designator_is_explained() -> None:
    ccam = Code(code="ZBQK002", scheme="1.2.250.1.213.2.5", display="Radiographie du thorax")

    manifest = a_mado(replace(CONTENT, acts=(ccam,)))

    [scheme] = manifest.CodingSchemeIdentificationSequence
    [act] = manifest.ContentSequence[0].ConceptCodeSequence
    assert scheme.CodingSchemeUID == ccam.scheme
    assert act.CodingSchemeDesignator == scheme.CodingSchemeDesignator == "99OID1"


def rewritten(manifest: Dataset) -> Manifest:
    file = io.BytesIO()
    dcmwrite(file, manifest)
    return read_manifest(file.getvalue())


def test_descriptors_before_their_instance_are_read_as_those_within_it() -> None:
    """IHE's samples have them so."""
    manifest = mado()
    for group in library(manifest).ContentSequence[-2:]:
        flat = Sequence()
        for one in group.ContentSequence:
            flat.extend(one.get("ContentSequence") or ())
            if "ContentSequence" in one:
                del one.ContentSequence
            flat.append(one)
        group.ContentSequence = flat

    told = [one for listed in rewritten(manifest).series for one in listed.instances]

    assert told == [without_images(one) for listed in DATED.series for one in listed.instances]


def without_images(one: ManifestInstance) -> ManifestInstance:
    """As MADO tells it: not what a key object selects."""
    return replace(one, selection=one.selection and replace(one.selection, instances=()))


def test_a_tree_that_has_its_root_twice_is_read() -> None:
    """A converter of IHE's European projects writes it so."""
    manifest = mado()
    again = Dataset()
    again.RelationshipType, again.ValueType = "CONTAINS", "CONTAINER"
    again.ConceptNameCodeSequence = manifest.ConceptNameCodeSequence
    again.ContentSequence = manifest.ContentSequence
    manifest.ContentSequence = Sequence([again])

    assert rewritten(manifest) == rewritten(mado())


def test_counts_that_are_texts_are_passed_over() -> None:
    """IHE's samples write `(20, UCUM, "instances")`."""
    manifest = mado()
    count = library(manifest).ContentSequence[-1].ContentSequence[-2]
    assert name_of(count) == "Number of Series Related Instances"
    del count.MeasuredValueSequence
    count.ValueType, count.TextValue = "TEXT", '(20, UCUM, "instances")'

    assert len(rewritten(manifest).series[1].instances) == 1


@pytest.mark.parametrize("code", ["ddd002", "MADOTEMP002", "131563"])
@pytest.mark.parametrize("scheme", ["99IHE", "DCM"])
def test_each_code_that_a_concept_ever_had_is_known(code: str, scheme: str) -> None:
    manifest = mado()
    for group in library(manifest).ContentSequence[-2:]:
        [text] = [one for one in group.ContentSequence if name_of(one) == "Series Description"]
        text.ConceptNameCodeSequence[0].CodeValue = code
        text.ConceptNameCodeSequence[0].CodingSchemeDesignator = scheme

    assert [one.description for one in rewritten(manifest).series] == ["Axial été", "Images clés"]


@pytest.mark.parametrize("place", ["study", "root"])
def test_where_to_look_is_read_at_either_place(place: str) -> None:
    manifest = mado(replace(DATED, display_uri=""))
    [study] = manifest.CurrentRequestedProcedureEvidenceSequence
    (study if place == "study" else manifest).add_new(0x0040E012, "UR", "https://a.example/")

    assert rewritten(manifest).display_uri == "https://a.example/"


def test_ten_thousand_instances_fit_into_what_is_read() -> None:
    series = tuple(a_series(one, instances=500) for one in range(1, 5))
    manifest = composed(replace(CONTENT, series=series), form=ManifestForm.MADO)

    document = written(manifest, ManifestForm.MADO)

    assert len(document) * 5 < SIZE_BYTES_MAX
    assert document.count(ITEM) * 5 < ITEMS_MAX
