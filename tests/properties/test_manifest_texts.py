"""Whatever PACS and reports write, the manifest is well formed and says what it can."""

from dataclasses import replace

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.errors import InvalidRequest
from gateway.manifest import values
from gateway.manifest.reader import read_manifest
from gateway.model.pointer import PointerContent
from indexer.contract.document import Code, Identifier
from tests.support.manifests import CONTENT, PATIENT, a_manifest, a_series, opened

# Surrogates too: a wrong character set in a report can leave halves of a pair behind.
texts = st.text(st.one_of(st.characters(), st.sampled_from("éœ\\^=\n\x1b\ud800 :@-")), max_size=90)
identifiers = st.lists(
    st.builds(Identifier, value=texts, authority=st.sampled_from(["", "1.2.3"])), max_size=3
).map(tuple)
contents = st.builds(
    lambda name, used, study, series, code, ids, orders: replace(
        CONTENT,
        patient=replace(
            PATIENT,
            birth_name=name,
            used_names=(used, name),
            birth_date=used,
            sex=used,
            birth_place=name,
        ),
        study_date=used,
        study_time=name,
        study_description=study,
        study_id=name,
        referring_physician=used,
        acts=(Code(code=name, scheme="1.2", display=code),),
        accessions=ids,
        orders=orders,
        series=(
            replace(a_series(1, text=series), number=name),
            a_series(2, modality=code, text=study),
        ),
    ),
    texts,
    texts,
    texts,
    texts,
    texts,
    identifiers,
    identifiers,
)
LENGTH_MAX = {"SH": 16, "LO": 64, "CS": 16, "DA": 8, "TM": 14}  # PS3.5 §6.2


@given(contents)
@settings(suppress_health_check=[HealthCheck.too_slow])
def test_any_text_gives_a_manifest_whose_values_fit_their_vr(content: PointerContent) -> None:
    manifest = opened(a_manifest(content))

    encoding = {"ISO_IR 100": "latin-1", "ISO_IR 192": "utf-8"}[manifest.SpecificCharacterSet]
    for element in manifest.iterall():
        if element.VR in LENGTH_MAX and element.VM == 1:
            length = len(str(element.value).encode(encoding))
            assert length <= LENGTH_MAX[element.VR], element.keyword
        if element.VR in ("SH", "LO"):
            assert element.VM <= 1, element.keyword
    for name in (manifest.PatientName, manifest.ReferringPhysicianName):
        assert all(len(group.encode(encoding)) <= 64 for group in str(name).split("="))


@given(contents)
@settings(suppress_health_check=[HealthCheck.too_slow])
def test_what_was_written_is_read_back(content: PointerContent) -> None:
    manifest = read_manifest(a_manifest(content))

    [patient] = manifest.patient.ids
    assert (manifest.study, patient.value) == (content.study, content.ins.value)
    for read, listed in zip(manifest.series, content.series, strict=True):
        assert read.series == listed.series
        assert read.description == values.clean(listed.description)
        assert [one.instance for one in read.instances] == [
            one.instance for one in listed.instances
        ]
    assert manifest.series[0].modality == "CT"


@given(contents)
@settings(suppress_health_check=[HealthCheck.too_slow], max_examples=50)
def test_texts_survive_their_character_set(content: PointerContent) -> None:
    manifest = opened(a_manifest(content))

    written = str(manifest.StudyDescription or "")
    assert values.clean(content.study_description.replace("\\", "/")).startswith(written)
    assert manifest.ContentSequence[-1].TextValue.startswith(
        f"Examen : {values.clean(content.study_description)}\n"
    )


@given(st.binary(max_size=400), st.integers(0, 2000))
def test_foreign_bytes_are_refused_or_read_and_never_another_error(
    noise: bytes, offset: int
) -> None:
    document = a_manifest()
    damaged = document[: 128 + offset] + noise + document[128 + offset + len(noise) :]

    try:
        manifest = read_manifest(damaged)
    except InvalidRequest:
        return
    assert manifest.series != ()
