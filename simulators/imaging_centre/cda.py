"""A report as a CDA R2 document: a French header around a PDF (level 1) or sections (level 3).

The header has what the CI-SIS asks of every document (Structuration minimale) and of an imaging
report (CR-IMG): one `serviceEvent` per act, whose id is the Study Instance UID.
"""

from base64 import b64encode
from datetime import datetime, timedelta

from lxml import etree

from simulators.imaging_centre.document import Document
from simulators.imaging_centre.pdf import build_pdf
from simulators.synthetic.examination import Act, Examination
from simulators.synthetic.identity import Organisation, Patient

_V3 = "urn:hl7-org:v3"
_PS3_20 = "urn:dicom-org:ps3-20"
_EMPTY = f'<ClinicalDocument xmlns="{_V3}" xmlns:ps3-20="{_PS3_20}"/>'
_TEMPLATES = ("2.16.840.1.113883.2.8.2.1", "1.2.250.1.213.1.1.1.1", "1.3.6.1.4.1.19376.1.2.20")
_STRUCTURED = "1.2.250.1.213.1.1.1.45"  # IMG-CR-IMG, the imaging report of level 3
_CCAM = "1.2.250.1.215.300.1"
_VISIBILITIES = "1.2.250.1.213.1.1.4.13"
_LOINC, _DCM, _SNOMED = "2.16.840.1.113883.6.1", "1.2.840.10008.2.16.4", "2.16.840.1.113883.6.96"
_PROFESSIONALS, _STRUCTURES = "1.2.250.1.71.4.2.1", "1.2.250.1.71.4.2.2"
_LASTS = timedelta(minutes=20)
_Element = etree._Element


def build_report(document: Document) -> bytes:
    """The report, in UTF-8."""
    root = etree.fromstring(_EMPTY)
    first = document.examination
    _add(root, "realmCode", code="FR")
    _add(root, "typeId", root="2.16.840.1.113883.1.3", extension="POCD_HD000040")
    for template in (*_TEMPLATES, *((_STRUCTURED,) if document.structured else ())):
        _add(root, "templateId", root=template)
    _add(root, "id", root=document.document_id)
    code = _add_code(root, "code", "18748-4", _LOINC, "CR d'imagerie médicale")
    for loinc, label in dict.fromkeys((one.act.loinc, one.act.label) for one in _acts(document)):
        _add_code(code, "translation", loinc, _LOINC, label)
    _add(root, "title", f"CR d'imagerie médicale - {first.description}")
    _add(root, "effectiveTime", value=_time(document.written_at))
    _add_code(root, "confidentialityCode", "N", "2.16.840.1.113883.5.25", "Normal")
    for hidden in document.hidden:
        _add_code(root, "confidentialityCode", hidden, _VISIBILITIES, hidden)
    _add(root, "languageCode", code="fr-FR")
    _add(root, "setId", root=document.set_id)
    _add(root, "versionNumber", value=str(document.version))
    _add_patient(root, document.patient)
    _add_people(root, document)
    _add_orders(root, document)
    for one in _acts(document):
        _add_act(root, document, one)
    if document.replaces:
        parent = _add(_add(root, "relatedDocument", typeCode="RPLC"), "parentDocument")
        _add(parent, "id", root=document.replaces)
    _add_encounter(root, document)
    if document.structured:
        _add_sections(root, document)
    else:
        _add_page(root, document)
    return etree.tostring(root, xml_declaration=True, encoding="UTF-8")


def _acts(document: Document) -> tuple[Examination, ...]:
    """The examinations of which each has an act of its own in the document."""
    return document.examinations[:1] if document.joint_act else document.examinations


def _add(parent: _Element, tag: str, text: str | None = None, **attributes: str) -> _Element:
    element = etree.SubElement(parent, f"{{{_V3}}}{tag}", attributes)
    element.text = text
    return element


def _add_code(parent: _Element, tag: str, code: str, system: str, display: str) -> _Element:
    return _add(parent, tag, code=code, codeSystem=system, displayName=display)


def _time(at: datetime) -> str:
    return f"{at:%Y%m%d%H%M%S%z}"


def _add_patient(root: _Element, patient: Patient) -> None:
    role = _add(_add(root, "recordTarget"), "patientRole")
    _add(role, "id", root=patient.ins_oid, extension=patient.ins)
    _add(role, "id", root=patient.local_id_issuer, extension=patient.local_id)
    _add(role, "addr", nullFlavor="NASK")
    _add(role, "telecom", nullFlavor="NASK")
    person = _add(role, "patient")
    name = _add(person, "name")
    _add(name, "given", " ".join(patient.given_names))
    _add(name, "given", patient.given_names[0], qualifier="BR")
    _add(name, "family", patient.birth_name, qualifier="BR")
    gender = {"F": ("F", "Féminin"), "M": ("M", "Masculin")}.get(patient.sex, ("UN", "Inconnu"))
    _add_code(person, "administrativeGenderCode", gender[0], "2.16.840.1.113883.5.1", gender[1])
    _add(person, "birthTime", value=patient.birth_date)
    place = _add(_add(person, "birthplace"), "place")
    _add(_add(place, "addr"), "county", patient.birth_place)


def _add_people(root: _Element, document: Document) -> None:
    """Who wrote the report, who keeps it, and who answers for it."""
    author = _add(root, "author")
    _add(author, "time", value=_time(document.written_at))
    _add_professional(_add(author, "assignedAuthor"), document)
    custodian = _add(_add(root, "custodian"), "assignedCustodian")
    _add_organisation(custodian, "representedCustodianOrganization", document.organisation)
    signer = _add(root, "legalAuthenticator")
    _add(signer, "time", value=_time(document.written_at))
    _add(signer, "signatureCode", code="S")
    _add_professional(_add(signer, "assignedEntity"), document)


def _add_professional(parent: _Element, document: Document) -> None:
    _add(parent, "id", root=_PROFESSIONALS, extension=document.author.number)
    _add_code(
        parent, "code", "G15_10/SM44", "1.2.250.1.213.1.1.4.5", "Médecin - Radio-diagnostic (SM)"
    )
    _add(parent, "addr", nullFlavor="NASK")
    _add(parent, "telecom", nullFlavor="NASK")
    name = _add(_add(parent, "assignedPerson"), "name")
    _add(name, "given", document.author.given)
    _add(name, "family", document.author.family)
    organisation = _add_organisation(parent, "representedOrganization", document.organisation)
    _add_code(
        organisation,
        "standardIndustryClassCode",
        "AMBULATOIRE",
        "1.2.250.1.213.1.1.4.9",
        "Ambulatoire",
    )


def _add_organisation(parent: _Element, tag: str, told: Organisation) -> _Element:
    organisation = _add(parent, tag)
    _add(organisation, "id", root=_STRUCTURES, extension=_number(told))
    _add(organisation, "name", told.name)
    _add(organisation, "telecom", nullFlavor="NASK")
    _add(organisation, "addr", nullFlavor="NASK")
    return organisation


def _number(organisation: Organisation) -> str:
    return f"1{organisation.number}"  # 1 tells that it is a FINESS (nomenclature TRE_G07)


def _add_orders(root: _Element, document: Document) -> None:
    """One order for each accession number."""
    for order_issuer, order_number, issuer, accession in dict.fromkeys(
        (one.order_issuer, one.order, one.accession_issuer, one.accession)
        for one in document.examinations
    ):
        order = _add(_add(root, "inFulfillmentOf"), "order")
        _add(order, "id", root=order_issuer, extension=order_number)
        number = {"root": issuer, "extension": accession}
        etree.SubElement(order, f"{{{_PS3_20}}}accessionNumber", number)


def _add_act(root: _Element, document: Document, examination: Examination) -> None:
    event = _add(_add(root, "documentationOf"), "serviceEvent", classCode="ACT")
    together = document.examinations if document.joint_act else (examination,)
    for study_uid in dict.fromkeys(one.study_uid for one in together):
        _add(event, "id", root=study_uid)
    _add_act_codes(event, examination.act, examination.modality)
    lasted = _add(event, "effectiveTime")
    _add(lasted, "low", value=_time(examination.started_at))
    _add(lasted, "high", value=_time(examination.started_at + _LASTS))
    performer = _add(event, "performer", typeCode="PRF")
    _add_professional(_add(performer, "assignedEntity"), document)


def _add_act_codes(event: _Element, act: Act, of_images: str) -> None:
    code = _add_code(event, "code", act.loinc, _LOINC, act.label)
    if act.ccam:
        _add_code(code, "translation", act.ccam, _CCAM, act.label)
    reported = act.modality or of_images
    modality = _add_code(code, "translation", reported, _DCM, f"Modalité {reported}")
    _add_code(_add(modality, "qualifier"), "name", "121139", _DCM, "Modalité d'imagerie")
    region = _add_code(code, "translation", act.region, _SNOMED, act.region_label)
    _add_code(_add(region, "qualifier"), "name", "39111-0", _LOINC, "localisation anatomique")


def _add_encounter(root: _Element, document: Document) -> None:
    began = document.examination.started_at
    encounter = _add(_add(root, "componentOf"), "encompassingEncounter")
    _add_code(encounter, "code", "AMB", "2.16.840.1.113883.5.4", "ambulatoire")
    lasted = _add(encounter, "effectiveTime")
    _add(lasted, "low", value=_time(began))
    _add(lasted, "high", value=_time(began + _LASTS))
    facility = _add(_add(encounter, "location"), "healthCareFacility")
    _add(facility, "id", root=_STRUCTURES, extension=_number(document.organisation))
    _add_code(facility, "code", "SA08", "1.2.250.1.71.4.2.4", "Cabinet de groupe")


def _told(document: Document) -> list[str]:
    first = document.examination
    return [
        document.organisation.name,
        f"Compte rendu : {first.description}",
        f"Examen du {first.started_at:%d/%m/%Y}, demande {first.order}",
        "Document fictif, sans patient réel. Images conservées 20 ans.",
    ]


def _add_page(root: _Element, document: Document) -> None:
    body = _add(_add(root, "component"), "nonXMLBody")
    _add(
        body,
        "text",
        b64encode(build_pdf(_told(document))).decode("ascii"),
        mediaType="application/pdf",
        representation="B64",
    )


def _add_sections(root: _Element, document: Document) -> None:
    titles = {"55111-5": "Acte d'imagerie", "59776-5": "Résultats", "19005-8": "Conclusion"}
    body = _add(_add(root, "component"), "structuredBody")
    for loinc, title in titles.items():
        section = _add(_add(body, "component"), "section")
        _add_code(section, "code", loinc, _LOINC, title)
        _add(section, "title", title)
        _add(section, "text", " ".join(_told(document)))
