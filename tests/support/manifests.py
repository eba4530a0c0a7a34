"""The content of a pointer, its centre and the manifest made from them. Nobody in it is real."""

import io
from dataclasses import replace
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from pydicom import Dataset, dcmread

from gateway.manifest.centre import Centre
from gateway.manifest.compose import build_manifest
from gateway.manifest.forms import write_manifest
from gateway.manifest.kos import OwnSeries
from gateway.manifest.model import MadoCodes, Manifest, ManifestForm
from gateway.model.pointer import ListedInstance, ListedSeries, PointerContent
from gateway.model.report import ReportedPatient
from gateway.model.sop_classes import KEY_OBJECTS
from indexer.contract.document import Code, Identifier, Organisation, Person
from indexer.contract.identifiers import INS_NIR_TEST, Ins, Oid, Uid

CT = Uid("1.2.840.10008.5.1.4.1.1.2")
KEY_OBJECT = Uid(KEY_OBJECTS)
STUDY = Uid("1.2.250.1.999.1")
SOP_INSTANCE = Uid("2.25.1001")
MANIFEST_SERIES = Uid("2.25.1002")
LOCATION = Uid("2.25.1003")
MADE_AT = datetime(2026, 7, 1, 12, 30, 15, 999, tzinfo=UTC)
PARIS = ZoneInfo("Europe/Paris")

INS = Ins(value="155059999900196", oid=Oid(INS_NIR_TEST))
PATIENT = ReportedPatient(
    ins=INS,
    local_ids=(Identifier(value="LOC900", authority="1.2.250.1.999.2"),),
    birth_name="EXEMPLE",
    first_given_name="CAMILLE",
    given_names="CAMILLE LOU",
    used_names=("^LOU", "AUTRE^CAMILLE"),
    birth_date="19550517",
    sex="M",
    birth_place="99999",
)
CENTRE = Centre(
    public_url="https://gateway.example/box/",
    ae_title="DRIMBOX",
    location_uid=LOCATION,
    organisation_id="1990000127",
    organisation_name="Centre X",
    time_zone=PARIS,
    manufacturer="DRIM gateway",
)


def a_series(
    number: int, *, instances: int = 2, modality: str = "CT", sop_class: Uid = CT, text: str = ""
) -> ListedSeries:
    """A series with its number in its UID, and in those of its instances."""
    return ListedSeries(
        series=Uid(f"{STUDY}.{number}"),
        modality=modality,
        number=str(number),
        description=text,
        instances=tuple(
            ListedInstance(
                instance=Uid(f"{STUDY}.{number}.{one}"),
                sop_class=sop_class,
                number=str(one),
                frames=1,
            )
            for one in range(1, instances + 1)
        ),
    )


CONTENT = PointerContent(
    study=STUDY,
    ins=INS,
    patient=PATIENT,
    local_id=PATIENT.local_ids[0],
    study_date="20260115",
    study_time="101112.5",
    study_description="Tête sans injection",
    study_id="E12",
    referring_physician="TESTEUR^ANNE",
    accessions=(Identifier(value="ACN9001", authority="1.2.250.1.999.3"),),
    orders=(Identifier(value="OPN9001", authority="1.2.250.1.999.4"),),
    series=(
        a_series(1, text="Axial été"),
        a_series(2, instances=1, modality="KO", sop_class=KEY_OBJECT, text="Images clés"),
    ),
    acts=(Code(code="24725-4", scheme="2.16.840.1.113883.6.1", display="Scanner de la tête"),),
    regions=(Code(code="774007", scheme="2.16.840.1.113883.6.96", display="Tête et cou"),),
    visibility=frozenset(),
    started_at=datetime(2026, 1, 15, 9, 11, 12, tzinfo=UTC),
    ended_at=datetime(2026, 1, 15, 9, 41, 12, tzinfo=UTC),
    report_id="1.2.250.1.999.5",
    author=Person(number="810999000010", family="EXEMPLE", given="Anne"),
    legal_authenticator=Person(number="810999000011", family="AUTRE", given="Jean"),
    organisation=Organisation(number="1990000127", name="Centre X"),
    facility=Code(code="SA05", scheme="1.2.250.1.71.4.2.4", display="Centre de santé"),
    practice_setting=Code(
        code="AMBULATOIRE", scheme="1.2.250.1.213.1.1.4.9", display="Ambulatoire"
    ),
)


def with_key_images(content: PointerContent) -> PointerContent:
    """The content, of whose images the key object document selects the first."""
    images, keys = content.series
    [key_object] = keys.instances
    selecting = replace(
        key_object,
        title_code="113000",
        key_text="Lésion suspecte",
        selected=(images.instances[0].instance,),
    )
    return replace(content, series=(images, replace(keys, instances=(selecting,))))


def composed(
    content: PointerContent = CONTENT,
    *,
    form: ManifestForm = ManifestForm.FRENCH,
    made_at: datetime = MADE_AT,
    zone: ZoneInfo = PARIS,
) -> Manifest:
    """What the manifest of the content says."""
    centre = replace(CENTRE, time_zone=zone)
    return build_manifest(
        content, identifier=SOP_INSTANCE, made_at=made_at, centre=centre, form=form
    )


def written(
    manifest: Manifest,
    form: ManifestForm = ManifestForm.FRENCH,
    *,
    revision: int = 1,
    mado_codes: MadoCodes = MadoCodes.TRIAL,
) -> bytes:
    """The manifest as a document."""
    own = OwnSeries(series=MANIFEST_SERIES, ae_title=CENTRE.ae_title, revision=revision)
    return write_manifest(manifest, form, own=own, mado_codes=mado_codes)


def a_manifest(
    content: PointerContent = CONTENT,
    *,
    form: ManifestForm = ManifestForm.FRENCH,
    made_at: datetime = MADE_AT,
    zone: ZoneInfo = PARIS,
    revision: int = 1,
) -> bytes:
    """The manifest of the content, as the centre makes it."""
    manifest = composed(content, form=form, made_at=made_at, zone=zone)
    return written(manifest, form, revision=revision)


def opened(document: bytes) -> Dataset:
    """The manifest as a data set."""
    return dcmread(io.BytesIO(document))
