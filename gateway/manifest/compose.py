"""Makes the manifest of a study from what is published of it."""

import hashlib
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from itertools import product

from gateway.manifest import values
from gateway.manifest.centre import Centre
from gateway.manifest.concepts import DCM
from gateway.manifest.model import (
    NOTHING,
    Manifest,
    ManifestForm,
    ManifestInstance,
    ManifestPatient,
    ManifestSeries,
    Request,
    Selection,
)
from gateway.manifest.names import title_name
from gateway.model.pointer import ListedInstance, ListedSeries, PointerContent
from gateway.model.sop_classes import KEY_OBJECTS
from indexer.contract.document import Code, Identifier, Organisation
from indexer.contract.identifiers import Uid

ACCESSION_LENGTH = 16  # characters, all that SH holds


def build_manifest(
    content: PointerContent,
    *,
    identifier: Uid,
    made_at: datetime,
    centre: Centre,
    form: ManifestForm,
) -> Manifest:
    """The manifest, its texts without what no document can hold.

    Args:
        identifier: new for each manifest; also the document's unique id in the index.
        made_at: aware; kept, as every time in the manifest, at the centre's offset on the day of
            the study.
        form: decides by which id the patient goes, and whether there must be an accession number.
    """
    requests = tuple(Request(accession=one, order=other) for one, other in _pairs(content))
    if not requests and form in (ManifestForm.MADO, ManifestForm.MADO_FHIR):
        requests = (Request(accession=_made_accession(content.study, centre)),)
    regions = tuple(_code(one) for one in content.regions)
    return Manifest(
        identifier=identifier,
        study=content.study,
        patient=_patient(content, form),
        study_date=values.date(content.study_date),
        study_time=values.time(content.study_time),
        description=values.clean(content.study_description),
        study_id=values.whole(content.study_id),
        referring_physician=values.clean(content.referring_physician),
        requests=requests,
        acts=tuple(_code(one) for one in content.acts),
        regions=regions,
        series=tuple(_series(one, content.study, regions, centre) for one in content.series),
        made_at=made_at.astimezone(_offset(content, made_at, centre)).replace(microsecond=0),
        organisation=Organisation(
            number=values.whole(centre.organisation_id),
            name=values.component(centre.organisation_name),
        ),
        manufacturer=values.clean(centre.manufacturer),
    )


def _patient(content: PointerContent, form: ManifestForm) -> ManifestPatient:
    """The identity of the report: the one that is qualified.

    XDS-I.b's manifest is one of the department, whose viewers know the patient by its own id
    (RAD TF-3 §4.68.4.1); the national one is beside it. Only France tells the place of birth.
    """
    patient = content.patient
    family = values.component(patient.birth_name)
    national = Identifier(value=content.ins.value, authority=content.ins.oid)
    local = _identifier(content.local_id)
    ids = (local, national) if form is ManifestForm.XDS_I else (national, local)
    return ManifestPatient(
        ids=tuple(one for one in ids if one.value),
        name=values.two_names(f"{family}^{values.component(patient.first_given_name)}"),
        other_names=tuple(name for one in patient.used_names if (name := values.two_names(one))),
        birth_date=values.date(patient.birth_date),
        sex=values.sex(patient.sex),
        birth_place=values.clean(patient.birth_place) if form is ManifestForm.FRENCH else "",
    )


def _series(
    listed: ListedSeries, study: Uid, regions: tuple[Code, ...], centre: Centre
) -> ManifestSeries:
    # Nothing tells which series shows which region, unless there is only one.
    shows_images = any(one.sop_class != KEY_OBJECTS for one in listed.instances)
    region = regions[0] if len(regions) == 1 and shows_images else None
    return ManifestSeries(
        series=listed.series,
        modality=values.code_string(listed.modality),
        number=values.number(listed.number),
        description=values.clean(listed.description),
        region=region,
        retrieve_url=centre.retrieve_url(study, listed.series),
        location_uid=centre.location_uid,
        instances=tuple(_instance(one) for one in listed.instances),
    )


def _instance(one: ListedInstance) -> ManifestInstance:
    return ManifestInstance(
        instance=one.instance,
        sop_class=one.sop_class,
        number=values.number(one.number),
        frames=one.frames if one.frames is not None and one.frames > 0 else None,
        selection=_selection(one),
    )


def _selection(one: ListedInstance) -> Selection | None:
    """Of a key object document; its title is told where the standard names it."""
    if one.sop_class != KEY_OBJECTS:
        return None
    name = title_name(one.title_code)
    title = Code(code=one.title_code, scheme=DCM, display=name) if name else None
    text = values.clean(one.key_text)
    told = title is not None or text or one.selected
    return Selection(title=title, text=text, instances=one.selected) if told else None


def _pairs(content: PointerContent) -> Iterator[tuple[Identifier, Identifier]]:
    """Accessions with their orders, which a report lists apart.

    As many of both: they were listed in the same order. One of either: it goes with each of the
    other. Else nothing tells which go together, and each stands alone.
    """
    accessions = [_identifier(one) for one in content.accessions]
    orders = [_identifier(one) for one in content.orders]
    if len(accessions) == len(orders):
        yield from zip(accessions, orders, strict=True)
    elif min(len(accessions), len(orders)) == 1:
        yield from product(accessions, orders)
    else:
        yield from ((one, NOTHING) for one in accessions)
        yield from ((NOTHING, one) for one in orders)


def _identifier(told: Identifier) -> Identifier:
    return Identifier(value=values.whole(told.value), authority=told.authority)


def _made_accession(study: Uid, centre: Centre) -> Identifier:
    """Of a study that nobody ordered: MADO has whoever makes the manifest make one (§6.X.2.8).

    The same for every manifest of the study; the gateway is its authority.
    """
    digest = hashlib.sha256(study.encode()).hexdigest()
    return Identifier(value=digest[:ACCESSION_LENGTH], authority=centre.location_uid)


def _code(told: Code) -> Code:
    value = values.clean(told.code)
    return Code(code=value, scheme=told.scheme, display=values.clean(told.display) or value)


def _offset(content: PointerContent, made_at: datetime, centre: Centre) -> timezone:
    """The centre's offset from UTC on the day of the study, which its dates are told in.

    Whole minutes, for TimezoneOffsetFromUTC has no more (PS3.3 §C.12.1.1.8), and zones had
    seconds until about 1911.
    """
    wall = values.wall_clock(content.study_date, content.study_time)
    moment = made_at.astimezone(centre.time_zone) if wall is None else wall
    offset = moment.replace(tzinfo=centre.time_zone).utcoffset() or timedelta()
    return timezone(timedelta(minutes=round(offset.total_seconds() / 60)))
