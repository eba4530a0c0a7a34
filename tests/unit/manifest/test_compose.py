"""What a manifest says, before it is written."""

from dataclasses import replace

import pytest

from gateway.manifest.model import ManifestForm, Selection
from indexer.contract.document import Code, Identifier
from tests.support.manifests import (
    CONTENT,
    INS,
    LOCATION,
    PATIENT,
    STUDY,
    a_series,
    composed,
    with_key_images,
)

MADO = pytest.mark.parametrize("form", [ManifestForm.MADO, ManifestForm.MADO_FHIR])
NATIONAL = Identifier(value=INS.value, authority=INS.oid)
LOCAL = PATIENT.local_ids[0]


@pytest.mark.parametrize(
    "form, ids",
    [
        (ManifestForm.FRENCH, (NATIONAL, LOCAL)),
        (ManifestForm.XDS_I, (LOCAL, NATIONAL)),
        (ManifestForm.MADO, (NATIONAL, LOCAL)),
        (ManifestForm.MADO_FHIR, (NATIONAL, LOCAL)),
    ],
)
def test_the_patient_goes_by_the_national_id_but_in_xds_i(
    form: ManifestForm, ids: tuple[Identifier, ...]
) -> None:
    assert composed(form=form).patient.ids == ids


def test_where_the_centre_has_no_id_the_national_one_is_left() -> None:
    content = replace(CONTENT, local_id=Identifier(value=""))

    assert composed(content, form=ManifestForm.XDS_I).patient.ids == (NATIONAL,)


@MADO
def test_a_study_that_nobody_ordered_gets_an_accession_number_in_mado(form: ManifestForm) -> None:
    content = replace(CONTENT, accessions=(), orders=())

    [made] = composed(content, form=form).requests

    assert len(made.accession.value) == 16
    assert made.accession.authority == LOCATION
    assert composed(content, form=form).requests == (made,)  # each time the same
    assert composed(content).requests == ()


def test_a_sole_region_is_that_of_each_series_with_images() -> None:
    images, keys = composed().series

    assert images.region == CONTENT.regions[0]
    assert keys.region is None


def test_nothing_tells_which_series_shows_which_of_two_regions() -> None:
    other = Code(code="80891009", scheme="2.16.840.1.113883.6.96", display="Cœur")

    manifest = composed(replace(CONTENT, regions=(*CONTENT.regions, other)))

    assert manifest.regions == (*CONTENT.regions, other)
    assert {one.region for one in manifest.series} == {None}


def test_a_code_without_a_name_is_named_by_itself() -> None:
    [act] = composed(replace(CONTENT, acts=(Code(code="ZBQK002", scheme="1.2"),))).acts

    assert act.display == "ZBQK002"


@pytest.mark.parametrize("told, number", [("007", "7"), ("+1", "1"), ("A", ""), ("", "")])
def test_numbers_are_told_in_their_shortest_form(told: str, number: str) -> None:
    manifest = composed(replace(CONTENT, series=(replace(a_series(1), number=told),)))

    assert manifest.series[0].number == number


@pytest.mark.parametrize(
    "used, name",
    [("A^B^C^Dr", "A^B"), ("A^B=Ideographic", "A^B"), ("^B", "^B"), ("A", "A"), ("=^", "")],
)
def test_a_name_is_family_and_given(used: str, name: str) -> None:
    manifest = composed(replace(CONTENT, patient=replace(PATIENT, used_names=(used,))))

    assert manifest.patient.other_names == ((name,) if name else ())


def test_a_key_object_says_what_it_selects() -> None:
    [key_object] = composed(with_key_images(CONTENT)).series[1].instances

    assert key_object.selection == Selection(
        title=Code(code="113000", scheme="1.2.840.10008.2.16.4", display="Of Interest"),
        text="Lésion suspecte",
        instances=(CONTENT.series[0].instances[0].instance,),
    )


def test_a_key_object_of_which_only_a_pacs_told_is_listed_alone() -> None:
    assert [one.selection for listed in composed().series for one in listed.instances] == [None] * 3


def test_every_series_has_the_address_of_this_gateway() -> None:
    for one in composed().series:
        assert one.location_uid == LOCATION
        assert one.retrieve_url.endswith(f"/dicom-web/studies/{STUDY}/series/{one.series}")
