"""The report of an examination as a CDA R2 document, level 1: a French header around a PDF.

The header has what the CI-SIS asks of every document (Structuration minimale) and of an imaging
report (CR-IMG): one `serviceEvent` per act, whose id is the Study Instance UID.
"""

from base64 import b64encode
from datetime import datetime, timedelta

from lxml import etree

from simulators.imaging_centre.pdf import build_pdf
from simulators.synthetic.examination import Examination
from simulators.synthetic.identity import (
    ACCESSION_ISSUER,
    CENTRE,
    ORDER_ISSUER,
    RADIOLOGIST,
    Patient,
    Professional,
)

_V3 = "urn:hl7-org:v3"
_PS3_20 = "urn:dicom-org:ps3-20"
_EMPTY = f'<ClinicalDocument xmlns="{_V3}" xmlns:ps3-20="{_PS3_20}"/>'
_TEMPLATES = ("2.16.840.1.113883.2.8.2.1", "1.2.250.1.213.1.1.1.1", "1.3.6.1.4.1.19376.1.2.20")
_LOINC, _DCM, _SNOMED = "2.16.840.1.113883.6.1", "1.2.840.10008.2.16.4", "2.16.840.1.113883.6.96"
_PROFESSIONALS, _STRUCTURES = "1.2.250.1.71.4.2.1", "1.2.250.1.71.4.2.2"
_LASTS = timedelta(minutes=20)
_Element = etree._Element


def build_report(examination: Examination, document_id: str) -> bytes:
    """The report, in UTF-8.

    Args:
        document_id: its OID; the DMP takes no document id that has an extension.
    """
    root = etree.fromstring(_EMPTY)
    ended_at = examination.started_at + _LASTS
    act = examination.act
    _add(root, "realmCode", code="FR")
    _add(root, "typeId", root="2.16.840.1.113883.1.3", extension="POCD_HD000040")
    for template in _TEMPLATES:
        _add(root, "templateId", root=template)
    _add(root, "id", root=document_id)
    code = _add_code(root, "code", "18748-4", _LOINC, "CR d'imagerie médicale")
    _add_code(code, "translation", act.loinc, _LOINC, act.label)
    _add(root, "title", f"CR d'imagerie médicale - {examination.description}")
    _add(root, "effectiveTime", value=_time(ended_at))
    _add_code(root, "confidentialityCode", "N", "2.16.840.1.113883.5.25", "Normal")
    _add(root, "languageCode", code="fr-FR")
    _add(root, "setId", root=f"{document_id}.0")
    _add(root, "versionNumber", value="1")
    _add_patient(root, examination.patient)
    _add_people(root, ended_at)
    order = _add(_add(root, "inFulfillmentOf"), "order")
    _add(order, "id", root=ORDER_ISSUER, extension=examination.order)
    accession = {"root": ACCESSION_ISSUER, "extension": examination.accession}
    etree.SubElement(order, f"{{{_PS3_20}}}accessionNumber", accession)
    _add_act(root, examination)
    _add_encounter(root, examination.started_at, ended_at)
    _add_body(root, examination)
    return etree.tostring(root, xml_declaration=True, encoding="UTF-8")


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


def _add_people(root: _Element, at: datetime) -> None:
    """Who wrote the report, who keeps it, and who answers for it."""
    author = _add(root, "author")
    _add(author, "time", value=_time(at))
    _add_professional(_add(author, "assignedAuthor"), RADIOLOGIST)
    custodian = _add(_add(root, "custodian"), "assignedCustodian")
    _add_organisation(custodian, "representedCustodianOrganization")
    signer = _add(root, "legalAuthenticator")
    _add(signer, "time", value=_time(at))
    _add(signer, "signatureCode", code="S")
    _add_professional(_add(signer, "assignedEntity"), RADIOLOGIST)


def _add_professional(parent: _Element, professional: Professional) -> None:
    _add(parent, "id", root=_PROFESSIONALS, extension=professional.number)
    _add_code(
        parent, "code", "G15_10/SM44", "1.2.250.1.213.1.1.4.5", "Médecin - Radio-diagnostic (SM)"
    )
    _add(parent, "addr", nullFlavor="NASK")
    _add(parent, "telecom", nullFlavor="NASK")
    name = _add(_add(parent, "assignedPerson"), "name")
    _add(name, "given", professional.given)
    _add(name, "family", professional.family)
    organisation = _add_organisation(parent, "representedOrganization")
    _add_code(
        organisation,
        "standardIndustryClassCode",
        "AMBULATOIRE",
        "1.2.250.1.213.1.1.4.9",
        "Ambulatoire",
    )


def _add_organisation(parent: _Element, tag: str) -> _Element:
    organisation = _add(parent, tag)
    # 1 tells that the number is a FINESS (nomenclature TRE_G07).
    _add(organisation, "id", root=_STRUCTURES, extension=f"1{CENTRE.number}")
    _add(organisation, "name", CENTRE.name)
    _add(organisation, "telecom", nullFlavor="NASK")
    _add(organisation, "addr", nullFlavor="NASK")
    return organisation


def _add_act(root: _Element, examination: Examination) -> None:
    event = _add(_add(root, "documentationOf"), "serviceEvent", classCode="ACT")
    act = examination.act
    _add(event, "id", root=examination.study_uid)
    code = _add_code(event, "code", act.loinc, _LOINC, act.label)
    modality = _add_code(
        code, "translation", examination.modality, _DCM, f"Modalité {examination.modality}"
    )
    _add_code(_add(modality, "qualifier"), "name", "121139", _DCM, "Modalité d'imagerie")
    region = _add_code(code, "translation", act.region, _SNOMED, act.region_label)
    _add_code(_add(region, "qualifier"), "name", "39111-0", _LOINC, "localisation anatomique")
    lasted = _add(event, "effectiveTime")
    _add(lasted, "low", value=_time(examination.started_at))
    _add(lasted, "high", value=_time(examination.started_at + _LASTS))
    performer = _add(event, "performer", typeCode="PRF")
    _add_professional(_add(performer, "assignedEntity"), RADIOLOGIST)


def _add_encounter(root: _Element, began: datetime, ended: datetime) -> None:
    encounter = _add(_add(root, "componentOf"), "encompassingEncounter")
    _add_code(encounter, "code", "AMB", "2.16.840.1.113883.5.4", "ambulatoire")
    lasted = _add(encounter, "effectiveTime")
    _add(lasted, "low", value=_time(began))
    _add(lasted, "high", value=_time(ended))
    facility = _add(_add(encounter, "location"), "healthCareFacility")
    _add(facility, "id", root=_STRUCTURES, extension=f"1{CENTRE.number}")
    _add_code(facility, "code", "SA08", "1.2.250.1.71.4.2.4", "Cabinet de groupe")


def _add_body(root: _Element, examination: Examination) -> None:
    page = build_pdf(
        [
            CENTRE.name,
            f"Compte rendu : {examination.description}",
            f"Examen du {examination.started_at:%d/%m/%Y}, demande {examination.order}",
            "Document fictif, sans patient réel. Images conservées 20 ans.",
        ]
    )
    body = _add(_add(root, "component"), "nonXMLBody")
    _add(
        body,
        "text",
        b64encode(page).decode("ascii"),
        mediaType="application/pdf",
        representation="B64",
    )
