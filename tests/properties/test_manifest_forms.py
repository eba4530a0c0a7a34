"""Whatever a manifest says, each form says the same, and strange bytes are refused or read."""

import json
from dataclasses import replace

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.errors import InvalidRequest
from gateway.manifest.model import MadoCodes, Manifest, ManifestForm, Selection
from gateway.manifest.reader import read_manifest
from indexer.contract.document import Code
from tests.support.any_manifests import manifests
from tests.support.manifests import a_manifest, composed, written

SLOW = settings(suppress_health_check=[HealthCheck.too_slow], max_examples=40, deadline=None)
FORMS = st.sampled_from(ManifestForm)

json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(manifests(), st.sampled_from(MadoCodes))
@SLOW
def test_a_mado_key_object_document_is_read_as_it_was_meant(
    manifest: Manifest, codes: MadoCodes
) -> None:
    assert read_manifest(written(manifest, ManifestForm.MADO, mado_codes=codes)) == manifest


@given(manifests())
@SLOW
def test_a_mado_bundle_is_read_as_it_was_meant(manifest: Manifest) -> None:
    assert read_manifest(written(manifest, ManifestForm.MADO_FHIR)) == manifest


@given(manifests(), st.sampled_from([ManifestForm.FRENCH, ManifestForm.XDS_I]))
@SLOW
def test_the_other_forms_say_what_they_have_a_place_for(
    manifest: Manifest, form: ManifestForm
) -> None:
    read = read_manifest(written(manifest, form))

    for name in ("identifier", "study", "study_date", "study_time", "requests", "made_at"):
        assert getattr(read, name) == getattr(manifest, name)
    assert read.patient.ids[:1] == manifest.patient.ids[:1]
    for one, meant in zip(read.series, manifest.series, strict=True):
        assert (one.series, one.modality) == (meant.series, meant.modality)
        assert (one.description, one.retrieve_url) == (meant.description, meant.retrieve_url)
        assert [each.instance for each in one.instances] == [
            each.instance for each in meant.instances
        ]


@given(st.sets(st.integers(0, 1)), st.text("ab", max_size=3))
def test_a_french_manifest_tells_which_images_a_key_object_selects(
    chosen: set[int], text: str
) -> None:
    manifest = composed()
    images, keys = manifest.series
    title = Code(code="113000", scheme="1.2.840.10008.2.16.4", display="Of Interest")
    selected = tuple(images.instances[one].instance for one in sorted(chosen))
    selection = Selection(title=title, text=text, instances=selected)
    [key_object] = keys.instances
    keys = replace(keys, instances=(replace(key_object, selection=selection),))

    read = read_manifest(written(replace(manifest, series=(images, keys))))

    [told] = read.series[1].instances
    assert told.selection == (selection if selected else None)


@given(FORMS, st.binary(max_size=400), st.integers(0, 4000))
def test_foreign_bytes_are_refused_or_read(form: ManifestForm, noise: bytes, offset: int) -> None:
    document = a_manifest(form=form)
    damaged = document[:offset] + noise + document[offset + len(noise) :]

    try:
        manifest = read_manifest(damaged)
    except InvalidRequest:
        return
    assert manifest.series != ()


@given(st.data())
@SLOW
def test_a_bundle_with_any_value_in_any_place_is_refused_or_read(data: st.DataObject) -> None:
    bundle = json.loads(a_manifest(form=ManifestForm.MADO_FHIR))
    place = bundle
    while isinstance(place, dict | list) and place and data.draw(st.integers(0, 9)):
        keys = sorted(place) if isinstance(place, dict) else range(len(place))
        key = data.draw(st.sampled_from(keys))
        inner = place[key]
        if not isinstance(inner, dict | list) or not data.draw(st.integers(0, 3)):
            place[key] = data.draw(json_values)
            break
        place = inner

    try:
        manifest = read_manifest(json.dumps(bundle).encode())
    except InvalidRequest:
        return
    assert manifest.series != ()


@given(st.dictionaries(st.sampled_from(["resourceType", "entry", "type"]), json_values))
def test_any_json_object_is_refused_or_read(bundle: dict[str, object]) -> None:
    try:
        manifest = read_manifest(json.dumps({**bundle, "resourceType": "Bundle"}).encode())
    except InvalidRequest:
        return
    assert manifest.series != ()
