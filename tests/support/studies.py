"""Words of the gateway for tests: images, reports and snapshots. Nobody in them is real."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from gateway.model.decision import CentreDefaults, PublicationPolicy, PublishOn
from gateway.model.image import ImageDescription, ImagePatient, KnownImage, StoredObject
from gateway.model.notification import InstanceStored, ReportReceived
from gateway.model.order import Order
from gateway.model.report import Report, ReportedPatient, ReportedStudy
from gateway.model.study import NumberedReport, StudySnapshot
from indexer.contract.document import Code, Identifier, Organisation, Person
from indexer.contract.identifiers import INS_NIR_TEST, Ins, Oid, Uid

STUDY = Uid("1.2.250.1.999.1.1")
SERIES = Uid("1.2.250.1.999.1.1.1")
CT = Uid("1.2.840.10008.5.1.4.1.1.2")
EXPLICIT = Uid("1.2.840.10008.1.2.1")
LOCAL_ID = Identifier(value="LOC900", authority="1.2.250.1.999.2")
PLACER = Identifier(value="ORDER1", authority="1.2.3")
ACCESSION = Identifier(value="ACC1", authority="1.2.250.1.999.7")
INS = Ins(value="155059999900196", oid=Oid(INS_NIR_TEST))
OTHER_INS = Ins(value="279035121518989", oid=INS.oid)

WRITTEN_AT = datetime(2026, 1, 2, 10, 17, tzinfo=UTC)

POLICY = PublicationPolicy(
    ins_oids=frozenset({INS_NIR_TEST}), has_pacs=False, settle_ms=60_000, images_wait_ms=3_600_000
)
WITH_PACS = replace(POLICY, has_pacs=True)
DEFAULTS = CentreDefaults(
    author=Person(number="801234560801", family="DOE"),
    organisation=Organisation(number="1750803447"),
    facility=Code(code="SA07", scheme="1.2.250.1.71.4.2.4"),
    practice_setting=Code(code="AMBULATOIRE", scheme="1.2.250.1.213.1.1.4.9"),
    regions=(Code(code="67734004", scheme="2.16.840.1.113883.6.96"),),
)
ON_IMAGES = replace(POLICY, publish_on=PublishOn.IMAGES, defaults=DEFAULTS)


def an_image(number: int = 1, **told: Any) -> ImageDescription:
    """A CT slice of the patient; `patient` holds changes to the patient's own fields."""
    patient = ImagePatient(
        local_id=LOCAL_ID, name="EXEMPLE^CAMILLE", birth_date="19550517", sex="M"
    )
    image = ImageDescription(
        series=SERIES,
        instance=Uid(f"{SERIES}.{number}"),
        sop_class=CT,
        patient=replace(patient, **told.pop("patient", {})),
        accession=ACCESSION,
        study_date="20260102",
        study_time="102500",
        study_description="Scanner du crâne",
        modality="CT",
        series_number="1",
        instance_number=str(number),
    )
    return replace(image, **told)


def a_stored(key: str = "aa", *, sha256: str = "") -> StoredObject:
    """An object whose digest is its key's, unless told."""
    return StoredObject(key=key, transfer_syntax=EXPLICIT, size_bytes=1000, sha256=sha256 or key)


def a_known_image(number: int = 1, *, pacs: str = "", **told: Any) -> KnownImage:
    """An image that is stored here, or in a PACS if one is named."""
    image = an_image(number, **told)
    if pacs:
        return KnownImage(answer=image, pacs=pacs)
    return KnownImage(header=image, stored=a_stored(f"object-{number}"))


def an_instance_stored(
    number: int = 1, *, key: str = "", sha256: str = "", study: Uid = STUDY, **told: Any
) -> InstanceStored:
    """News of a pushed instance."""
    stored = a_stored(key or f"object-{number}", sha256=sha256)
    return InstanceStored(study=study, image=an_image(number, **told), stored=stored)


def a_patient(**told: Any) -> ReportedPatient:
    """The patient as a report names them."""
    patient = ReportedPatient(
        ins=INS,
        local_ids=(LOCAL_ID,),
        birth_name="EXEMPLE",
        first_given_name="CAMILLE",
        given_names="CAMILLE LOU",
        birth_date="19550517",
        sex="M",
        birth_place="99999",
    )
    return replace(patient, **told)


def a_report(**told: Any) -> Report:
    """A validated report on the study."""
    report = Report(
        document_id="1.2.250.1.999.4.1",
        set_id="1.2.250.1.999.5.1",
        version=1,
        written_at=WRITTEN_AT,
        status="F",
        identity_status="VALI",
        announced=a_patient(),
        patient=a_patient(),
        accessions=(ACCESSION,),
        orders=(Identifier(value="ORD1", authority="1.2.250.1.999.6"),),
        studies=(ReportedStudy(study=STUDY),),
        author=Person(number="810999000001", family="TESTEUR", given="Anne"),
        organisation=Organisation(number="1990000222", name="Centre d’essai"),
        facility=Code(code="SA08", scheme="1.2.250.1.71.4.2.4", display="Cabinet de groupe"),
        practice_setting=Code(code="AMBULATOIRE", scheme="1.2.250.1.213.1.1.4.9"),
    )
    return replace(report, **told)


def an_order(**told: Any) -> Order:
    """An order for the exam of the images, by which a centre may publish."""
    order = Order(
        placer=PLACER,
        filler=Identifier(value=""),
        control="NW",
        accessions=(ACCESSION,),
        identity_status="VALI",
        patient=a_patient(),
        ordered_at=WRITTEN_AT,
    )
    return replace(order, **told)


def report_news(message_digest: str = "m1", **told: Any) -> ReportReceived:
    """News of a report."""
    return ReportReceived(message_digest=message_digest, report=a_report(**told))


def a_snapshot(**told: Any) -> StudySnapshot:
    """A study whose report came second, whose one image was pushed first and has settled."""
    snapshot = StudySnapshot(
        study=STUDY,
        news=2,
        images=(a_known_image(),),
        reports=(NumberedReport(news=2, report=a_report()),),
        last_pushed_at_ms=0,
        ask_pacs_after=2,
    )
    return replace(snapshot, **told)
