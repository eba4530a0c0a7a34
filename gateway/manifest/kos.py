"""Writes the French manifest of a study: a Key Object Selection Document (PS3.3 §A.35.4).

It is the manifest of IHE XDS-I.b as the agency's samples write it: the patient by their INS, a
Retrieve URL for each series, the order and the frames of the instances in the evidence, and a text
that tells the modality of each series. Identifiers that France does not ask for but IHE does
(RetrieveAETitle, RetrieveLocationUID, ContentTemplateSequence) are added.
"""

import io
from collections.abc import Iterator, MutableMapping
from datetime import datetime, timedelta, timezone
from functools import lru_cache
from itertools import product
from typing import Final

from pydicom import config
from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.filewriter import dcmwrite
from pydicom.multival import MultiValue
from pydicom.tag import BaseTag, Tag
from pydicom.uid import UID, ImplicitVRLittleEndian

from gateway.manifest import values
from gateway.manifest.centre import Centre
from gateway.manifest.description import write_description
from gateway.model.implementation import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION
from gateway.model.pointer import ListedInstance, ListedSeries, PointerContent
from gateway.model.sop_classes import KEY_OBJECTS
from indexer.contract.document import Identifier
from indexer.contract.identifiers import INS_NIA, INS_NIR, INS_NIR_DEMO, INS_NIR_TEST, Ins, Uid

SERIES_NUMBER: Final = "59"  # as in every sample; high enough to come after the images

_ISSUERS: Final = {
    INS_NIR: "ASIP-SANTE-INS-NIR",
    INS_NIR_TEST: "ASIP-SANTE-INS-NIR",
    INS_NIR_DEMO: "ASIP-SANTE-INS-NIR",
    INS_NIA: "ASIP-SANTE-INS-NIA",
}

_STORAGE = "1.2.840.10008.5.1.4.1.1."
_SUFFIXES_WITHOUT_PIXELS = (
    "4.2 11.1 11.2 11.3 11.4 11.5 66 66.1 66.2 66.3 66.4 66.5 67 68.1 68.2 88.59"
)
_WITHOUT_PIXELS: Final = frozenset(
    f"{_STORAGE}{suffix}" for suffix in _SUFFIXES_WITHOUT_PIXELS.split()
)
"""Admissible classes that the content tree names COMPOSITE: no image is shown for them. Of the
waveform classes none is admissible, so WAVEFORM is never written."""


def build_kos(
    content: PointerContent,
    *,
    sop_instance: Uid,
    series: Uid,
    made_at: datetime,
    centre: Centre,
    revision: int = 1,
) -> bytes:
    """The manifest as a file (PS3.10), Implicit VR Little Endian; the same input, the same bytes.

    Takes a third of a second for 2,000 instances: not to be called on the event loop.

    Args:
        sop_instance: new for each manifest; also the document's unique id in the index.
        series: new for each study; none of the series that are listed.
        made_at: aware; written, as every time in the object, at the centre's offset on the day of
            the study.
        revision: from 1, counts the manifests of this study.
    """
    moment = made_at.astimezone(_offset(content, made_at, centre))
    text = write_description(content)
    document = _header(content, moment, centre, text)
    document.update(
        _elements(
            SOPClassUID=KEY_OBJECTS,
            SOPInstanceUID=sop_instance,
            SeriesInstanceUID=series,
            InstanceNumber=str(revision),
        )
    )
    document.update(_content(content, text))
    document.update(_evidence(content, centre))
    return _file(document, sop_instance)


def _header(content: PointerContent, moment: datetime, centre: Centre, text: str) -> Dataset:
    """All that holds texts of others: in Latin-1 as the samples, in UTF-8 where one does not fit
    it (PS3.3 §C.12.1.1.2)."""
    name, header = "ISO_IR 100", _told(content, moment, centre, "latin-1")
    if not _fit_latin_1(text, *_texts(header)):
        name, header = "ISO_IR 192", _told(content, moment, centre, "utf-8")
    header.update(_elements(SpecificCharacterSet=name))
    return header


def _told(content: PointerContent, moment: datetime, centre: Centre, encoding: str) -> Dataset:
    told = _identity(content, encoding)
    told.update(_study(content, moment, centre, encoding))
    told.update(_requests(content, encoding))
    return told


def _identity(content: PointerContent, encoding: str) -> Dataset:
    """The Patient module, with the identity of the report: the one that is qualified."""
    patient = content.patient
    name = f"{values.component(patient.birth_name)}^{values.component(patient.first_given_name)}"
    told = _elements(
        PatientName=values.person_name(name, encoding),
        PatientBirthDate=values.date(patient.birth_date),
        PatientSex=values.sex(patient.sex),
        OtherPatientIDsSequence=[_ins(content.ins, TypeOfPatientID="TEXT")],
    )
    told.update(_ins(content.ins))
    used = [values.person_name(one, encoding) for one in patient.used_names]
    if any(used):
        told.update(_elements(OtherPatientNames=[one for one in used if one]))
    if patient.birth_place:
        told.update(_elements(PatientComments=values.clean(patient.birth_place)))
    return told


def _ins(ins: Ins, **more: object) -> Dataset:
    if ins.oid in _ISSUERS:
        more["IssuerOfPatientID"] = _ISSUERS[ins.oid]
    return _elements(
        PatientID=ins.value, IssuerOfPatientIDQualifiersSequence=[_authority(ins.oid)], **more
    )


def _study(content: PointerContent, moment: datetime, centre: Centre, encoding: str) -> Dataset:
    """The study as the images tell it, and the series and document that are made now."""
    date, time = moment.strftime("%Y%m%d"), moment.strftime("%H%M%S")
    return _elements(
        InstanceCreationDate=date,
        InstanceCreationTime=time,
        StudyDate=values.date(content.study_date),
        StudyTime=values.time(content.study_time),
        SeriesDate=date,
        SeriesTime=time,
        ContentDate=date,
        ContentTime=time,
        TimezoneOffsetFromUTC=moment.strftime("%z"),
        # Empty as in the samples: the accessions are in the request items, however many there are.
        AccessionNumber="",
        Modality="KO",
        Manufacturer=values.long_string(centre.manufacturer, encoding),
        InstitutionName=values.institution(
            centre.organisation_name, centre.organisation_id, encoding
        ),
        ReferringPhysicianName=values.person_name(content.referring_physician, encoding),
        StudyDescription=values.long_string(content.study_description, encoding),
        ReferencedPerformedProcedureStepSequence=[],
        StudyInstanceUID=content.study,
        StudyID=values.identifier(content.study_id, encoding, length_max=values.SHORT_LENGTH_MAX),
        SeriesNumber=SERIES_NUMBER,
    )


def _requests(content: PointerContent, encoding: str) -> Dataset:
    items = [_request(content.study, *pair, encoding) for pair in _pairs(content)]
    return _elements(ReferencedRequestSequence=items) if items else Dataset()


def _pairs(content: PointerContent) -> list[tuple[Identifier | None, Identifier | None]]:
    """Accessions with their orders, which a report lists apart.

    As many of both: they were listed in the same order. One of either: it goes with each of the
    other. Else nothing tells which go together, and each stands alone.
    """
    accessions, orders = content.accessions, content.orders
    if len(accessions) == len(orders):
        return list(zip(accessions, orders, strict=True))
    if min(len(accessions), len(orders)) == 1:
        return list(product(accessions, orders))
    return [(one, None) for one in accessions] + [(None, one) for one in orders]


def _request(
    study: Uid, accession: Identifier | None, order: Identifier | None, encoding: str
) -> Dataset:
    """One item of the Referenced Request Sequence (PS3.3 §C.17.2.1)."""
    item = _elements(
        StudyInstanceUID=study,
        ReferencedStudySequence=[],
        AccessionNumber=_held(accession, encoding, values.SHORT_LENGTH_MAX),
        PlacerOrderNumberImagingServiceRequest=_held(order, encoding, values.LONG_LENGTH_MAX),
        FillerOrderNumberImagingServiceRequest="",
        RequestedProcedureID="",
        RequestedProcedureDescription="",
        RequestedProcedureCodeSequence=[],
    )
    if accession is not None and accession.authority:
        authority = [_authority(accession.authority)]
        item.update(_elements(IssuerOfAccessionNumberSequence=authority))
    if order is not None and order.authority:
        item.update(_elements(OrderPlacerIdentifierSequence=[_authority(order.authority)]))
    return item


def _held(told: Identifier | None, encoding: str, length_max: int) -> str:
    return "" if told is None else values.identifier(told.value, encoding, length_max=length_max)


def _authority(oid: str) -> Dataset:
    return _elements(UniversalEntityID=oid, UniversalEntityIDType="ISO")


def _content(content: PointerContent, text: str) -> Dataset:
    """The SR tree of TID 2010 (PS3.16): each instance, and the text last."""
    items = [_reference(one) for listed in content.series for one in listed.instances]
    items.append(
        _elements(
            RelationshipType="CONTAINS",
            ValueType="TEXT",
            ConceptNameCodeSequence=[_code("113012", "Key Object Description")],
            TextValue=text,
        )
    )
    return _elements(
        ValueType="CONTAINER",
        ConceptNameCodeSequence=[_code("113030", "MANIFEST")],
        ContinuityOfContent="SEPARATE",
        ContentTemplateSequence=[_elements(MappingResource="DCMR", TemplateIdentifier="2010")],
        ContentSequence=items,
    )


def _reference(one: ListedInstance) -> Dataset:
    return _elements(
        RelationshipType="CONTAINS",
        ValueType="COMPOSITE" if one.sop_class in _WITHOUT_PIXELS else "IMAGE",
        ReferencedSOPSequence=[
            _elements(ReferencedSOPClassUID=one.sop_class, ReferencedSOPInstanceUID=one.instance)
        ],
    )


def _code(value: str, meaning: str) -> Dataset:
    return _elements(CodeValue=value, CodingSchemeDesignator="DCM", CodeMeaning=meaning)


def _evidence(content: PointerContent, centre: Centre) -> Dataset:
    """Where each series can be had, and what is in it (PS3.3 §C.17.2.1)."""
    series = [_evidence_series(content.study, one, centre) for one in content.series]
    study = _elements(StudyInstanceUID=content.study, ReferencedSeriesSequence=series)
    return _elements(CurrentRequestedProcedureEvidenceSequence=[study])


def _evidence_series(study: Uid, listed: ListedSeries, centre: Centre) -> Dataset:
    item = _elements(
        SeriesInstanceUID=listed.series,
        RetrieveAETitle=centre.ae_title,
        RetrieveLocationUID=centre.location_uid,
        RetrieveURL=centre.retrieve_url(study, listed.series),
        ReferencedSOPSequence=[_evidence_instance(one) for one in listed.instances],
    )
    if number := values.integer_string(listed.number):
        item.update(_elements(SeriesNumber=number))
    return item


def _evidence_instance(one: ListedInstance) -> Dataset:
    """Number and frames are French additions: a viewer orders the images by them."""
    more: dict[str, object] = {}
    if number := values.integer_string(one.number):
        more["InstanceNumber"] = number
    if one.frames is not None and one.frames > 0:
        more["NumberOfFrames"] = str(one.frames)
    return _elements(
        ReferencedSOPClassUID=one.sop_class, ReferencedSOPInstanceUID=one.instance, **more
    )


def _offset(content: PointerContent, made_at: datetime, centre: Centre) -> timezone:
    """The centre's offset from UTC on the day of the study, which its dates are told in.

    Whole minutes, for TimezoneOffsetFromUTC has no more (PS3.3 §C.12.1.1.8), and zones had
    seconds until about 1911.
    """
    wall = values.wall_clock(content.study_date, content.study_time)
    moment = made_at.astimezone(centre.time_zone) if wall is None else wall
    offset = moment.replace(tzinfo=centre.time_zone).utcoffset() or timedelta()
    return timezone(timedelta(minutes=round(offset.total_seconds() / 60)))


def _fit_latin_1(*texts: str) -> bool:
    try:
        "".join(texts).encode("latin-1")
    except UnicodeEncodeError:
        return False
    return True


def _texts(document: Dataset) -> Iterator[str]:
    for element in document.iterall():
        if element.VR in ("SH", "LO", "PN", "LT"):
            several = element.value if isinstance(element.value, MultiValue) else [element.value]
            yield from (str(one) for one in several)


def _elements(**told: object) -> Dataset:
    """A data set of these keywords.

    pydicom's own validation is left out: `values` has done it, at a fraction of the time, and a
    UID that an old modality wrote with leading zeros must go through as it is.
    """
    made: MutableMapping[BaseTag, DataElement | RawDataElement] = {}
    for keyword, value in told.items():
        tag, vr = _known(keyword)
        made[tag] = DataElement(tag, vr, value, validation_mode=config.IGNORE)
    return Dataset(made)


@lru_cache(maxsize=128)
def _known(keyword: str) -> tuple[BaseTag, str]:
    tag = Tag(tag_for_keyword(keyword) or keyword)
    return tag, dictionary_VR(tag)


def _file(document: Dataset, sop_instance: Uid) -> bytes:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = UID(KEY_OBJECTS)
    meta.MediaStorageSOPInstanceUID = UID(sop_instance)
    meta.TransferSyntaxUID = ImplicitVRLittleEndian
    meta.ImplementationClassUID = UID(IMPLEMENTATION_CLASS_UID)
    meta.ImplementationVersionName = IMPLEMENTATION_VERSION
    document.file_meta = meta
    buffer = io.BytesIO()
    dcmwrite(buffer, document, enforce_file_format=True)
    return buffer.getvalue()
