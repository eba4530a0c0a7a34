"""Manifests with whatever a document can hold, in every field."""

from datetime import UTC, datetime, timedelta, timezone

from hypothesis import strategies as st

from gateway.manifest import values
from gateway.manifest.concepts import DCM, LOINC, SCT
from gateway.manifest.model import (
    NOTHING,
    Manifest,
    ManifestInstance,
    ManifestPatient,
    ManifestSeries,
    Request,
    Selection,
)
from gateway.model.sop_classes import ADMISSIBLE, KEY_OBJECTS
from indexer.contract.document import Code, Identifier, Organisation
from indexer.contract.identifiers import Uid

_LETTERS = st.characters(codec="utf-8", categories=["L", "N", "P", "S"], exclude_characters="\\^=")
_SIXTEEN_BYTES = 4  # characters of at most four bytes
_WORDS = st.text(_LETTERS, min_size=1, max_size=_SIXTEEN_BYTES)


def _normal(text: str) -> str:
    """A document's texts are composed and on one line."""
    return values.clean(text)


_words = _WORDS.map(_normal).filter(lambda text: 0 < len(text.encode()) <= 16)
_texts = st.just("") | st.lists(_words, min_size=1, max_size=3).map(" ".join)
_numbers = st.just("") | st.integers(0, 2**31 - 1).map(str)
_oids = st.from_regex(r"[0-2](\.(0|[1-9][0-9]{0,8})){1,6}", fullmatch=True)
_uids = _oids.map(Uid)
_dates = st.dates().map(lambda day: day.strftime("%Y%m%d").rjust(8, "0"))
_times = st.times().map(lambda time: time.strftime("%H%M%S.%f"))
_identifiers = st.builds(Identifier, value=_words, authority=st.just("") | _oids)
_codes = st.builds(
    Code,
    code=_words | st.text("0123456789", min_size=17, max_size=30),
    scheme=st.sampled_from([DCM, SCT, LOINC, "1.2.250.1.213.2.5", "http://a.example/scheme"]),
    display=_words,
)
_names = st.just("") | st.builds(lambda a, b: f"{a}^{b}", _words, _words) | _words
_moments = st.datetimes(datetime(1950, 1, 1), datetime(2100, 1, 1)).map(  # noqa: DTZ001
    lambda moment: moment.replace(microsecond=0, tzinfo=UTC)
)
_offsets = st.integers(-12 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
_urls = st.just("") | st.sampled_from(["https://a.example/rs", "http://b.example:8080/dicom-web"])


@st.composite
def _when(draw: st.DrawFn) -> tuple[str, str]:
    """A date, with a time or without; a time alone says nothing."""
    date = draw(st.just("") | _dates)
    return date, draw(st.just("") | _times) if date else ""


_selections = st.builds(Selection, title=_codes, text=_texts)


@st.composite
def _instances(draw: st.DrawFn) -> ManifestInstance:
    sop_class = Uid(draw(st.sampled_from(sorted({*ADMISSIBLE, KEY_OBJECTS}))))
    return ManifestInstance(
        instance=draw(_uids),
        sop_class=sop_class,
        number=draw(_numbers),
        frames=draw(st.none() | st.integers(1, 2**31 - 1)),
        selection=draw(st.none() | _selections) if sop_class == KEY_OBJECTS else None,
    )


@st.composite
def _series(draw: st.DrawFn, study: Uid) -> ManifestSeries:
    uid, (date, time), base = draw(_uids), draw(_when()), draw(_urls)
    instances = draw(
        st.lists(_instances(), min_size=1, max_size=3, unique_by=lambda one: one.instance)
    )
    only_key_objects = {one.sop_class for one in instances} == {KEY_OBJECTS}
    modalities = ["KO"] if only_key_objects else ["", "CT", "MR", "ZZ_9"]
    return ManifestSeries(
        series=uid,
        modality=draw(st.sampled_from(modalities)),
        number=draw(_numbers),
        description=draw(_texts),
        date=date,
        time=time,
        region=draw(st.none() | _codes),
        retrieve_url=f"{base}/studies/{study}/series/{uid}" if base else "",
        location_uid=draw(st.just("") | _uids),
        instances=tuple(instances),
    )


@st.composite
def manifests(draw: st.DrawFn) -> Manifest:
    """Any manifest that every form of MADO can hold all of."""
    study, (date, time) = draw(_uids), draw(_when())
    of_study = st.lists(_series(study), min_size=1, max_size=3, unique_by=lambda one: one.series)
    ids = st.lists(_identifiers, max_size=3, unique_by=lambda one: (one.value, one.authority))
    request = st.builds(Request, accession=_identifiers, order=st.just(NOTHING) | _identifiers)
    return Manifest(
        identifier=draw(_uids),
        study=study,
        patient=ManifestPatient(
            ids=tuple(draw(ids)),
            name=draw(_names.filter(bool)),
            other_names=tuple(draw(st.lists(_names.filter(bool), max_size=2))),
            birth_date=draw(st.just("") | _dates),
            sex=draw(st.sampled_from(["", "M", "F", "O"])),
        ),
        study_date=date,
        study_time=time,
        description=draw(_texts),
        study_id=draw(st.just("") | _words),
        referring_physician=draw(_names),
        requests=tuple(draw(st.lists(request, max_size=3))),
        acts=tuple(draw(st.lists(_codes, max_size=2))),
        regions=tuple(draw(st.lists(_codes, max_size=2))),
        series=tuple(draw(of_study)),
        made_at=draw(_moments).astimezone(draw(_offsets)),
        organisation=Organisation(number=draw(st.just("") | _words), name=draw(_words)),
        manufacturer=draw(_texts),
        display_uri=draw(st.sampled_from(["", "https://a.example/viewer?study=1.2"])),
    )
