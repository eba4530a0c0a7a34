"""Reports as a RIS sends them: a CDA, and the ORU^R01 around it. Nobody in them is real."""

import base64
from zoneinfo import ZoneInfo

PARIS = ZoneInfo("Europe/Paris")
STUDY = "1.2.250.1.999.1.1"
INS = "155059999900196"
INS_OID = "1.2.250.1.213.1.4.10"
LOCAL_ID_OID = "1.2.250.1.999.2"

EVENT = f"""
  <documentationOf><serviceEvent classCode="ACT">
    <id root="{STUDY}"/>
    <code code="24727-0" codeSystem="2.16.840.1.113883.6.1" displayName="CT tête">
      <translation code="ACQH004" codeSystem="1.2.250.1.215.300.1" displayName="Scanner"/>
      <translation code="CT" codeSystem="1.2.840.10008.2.16.4" displayName="Scanographie">
        <qualifier><name code="121139" codeSystem="1.2.840.10008.2.16.4"/></qualifier>
      </translation>
      <translation code="774007" codeSystem="2.16.840.1.113883.6.96" displayName="Tête et cou">
        <qualifier><name code="39111-0" codeSystem="2.16.840.1.113883.6.1"/></qualifier>
      </translation>
    </code>
    <effectiveTime><low value="20260102102500+0100"/><high value="20260102111700"/></effectiveTime>
    <performer typeCode="PRF"><assignedEntity>
      <id root="1.2.250.1.71.4.2.1" extension="810999000002"/>
      <representedOrganization>
        <id root="1.2.250.1.71.4.2.2" extension="1990000333"/><name>Plateau technique</name>
        <standardIndustryClassCode code="ETABLISSEMENT" codeSystem="1.2.250.1.213.1.1.4.9"/>
      </representedOrganization>
    </assignedEntity></performer>
  </serviceEvent></documentationOf>"""

CDA = f"""<?xml version="1.0" encoding="UTF-8"?>
<ClinicalDocument xmlns="urn:hl7-org:v3" xmlns:ps3-20="urn:dicom-org:ps3-20">
  <typeId root="2.16.840.1.113883.1.3" extension="POCD_HD000040"/>
  <id root="1.2.250.1.999.4.1"/>
  <code code="18748-4" codeSystem="2.16.840.1.113883.6.1"/>
  <title>CR d’imagerie médicale</title>
  <effectiveTime value="20260102111700+0100"/>
  <confidentialityCode code="N" codeSystem="2.16.840.1.113883.5.25"/>
  <setId root="1.2.250.1.999.5.1"/>
  <versionNumber value="1"/>
  <recordTarget><patientRole>
    <id root="{INS_OID}" extension="{INS}"/>
    <id root="{LOCAL_ID_OID}" extension="LOC900"/>
    <patient>
      <name>
        <family qualifier="BR">EXEMPLE</family>
        <given qualifier="BR">CAMILLE</given>
        <given>CAMILLE LOU</given>
        <family qualifier="CL">ESSAI</family>
        <given qualifier="CL">LOU</given>
      </name>
      <administrativeGenderCode code="M" codeSystem="2.16.840.1.113883.5.1"/>
      <birthTime value="19550517"/>
      <birthplace><place><addr><county>99999</county></addr></place></birthplace>
    </patient>
  </patientRole></recordTarget>
  <author><time value="20260102111700+0100"/><assignedAuthor>
    <id root="1.2.250.1.71.4.2.1" extension="810999000001"/>
    <assignedPerson><name><given>Anne</given><family>TESTEUR</family></name></assignedPerson>
    <representedOrganization>
      <id root="1.2.250.1.71.4.2.2" extension="1990000111"/><name>Cabinet d’Anne</name>
      <standardIndustryClassCode code="AMBULATOIRE" codeSystem="1.2.250.1.213.1.1.4.9"/>
    </representedOrganization>
  </assignedAuthor></author>
  <custodian><assignedCustodian><representedCustodianOrganization>
    <id root="1.2.250.1.71.4.2.2" extension="1990000444"/><name>Archives</name>
  </representedCustodianOrganization></assignedCustodian></custodian>
  <legalAuthenticator><assignedEntity>
    <id root="1.2.250.1.71.4.2.1" extension="810999000009"/>
    <assignedPerson><name><given>Luc</given><family>SIGNE</family></name></assignedPerson>
    <representedOrganization>
      <id root="1.2.250.1.71.4.2.2" extension="1990000222"/><name>Centre d’essai</name>
    </representedOrganization>
  </assignedEntity></legalAuthenticator>
  <inFulfillmentOf><order>
    <id root="1.2.250.1.999.6" extension="ORD1"/>
    <ps3-20:accessionNumber root="1.2.250.1.999.7" extension="ACC1"/>
  </order></inFulfillmentOf>{EVENT}
  <componentOf><encompassingEncounter><location><healthCareFacility>
    <code code="SA08" codeSystem="1.2.250.1.71.4.2.4" displayName="Cabinet de groupe"/>
  </healthCareFacility></location></encompassingEncounter></componentOf>
  <component><nonXMLBody>
    <text mediaType="application/pdf" representation="B64">JVBERi0=</text>
  </nonXMLBody></component>
</ClinicalDocument>
"""

FLAGS = ("MASQUE_PS", "INVISIBLE_PATIENT", "INVISIBLE_REP_LEGAUX", "CONNEXION_SECRETE", "DESTDMP")

ORU = (
    r"MSH|^~\&|RIS_X|CENTRE_X|GATEWAY|CENTRE_X|20260102030405||ORU^R01^ORU_R01|M0001|P|2.5"
    "|||||FRA|UNICODE UTF-8|||2.1^CISIS_CDA_HL7_V2\r"
    f"PID|||{INS}^^^ASIP-SANTE-INS-NIR&{INS_OID}&ISO^INS^^"
    f"~LOC900^^^AUT-AFFECTATION&{LOCAL_ID_OID}&ISO^PI"
    "||EXEMPLE^CAMILLE^CAMILLE LOU^^^^L~ESSAI^LOU^^^^^D||19550517|M|||^^^^^^BDL^^99999"
    "~1 rue Inventée^^LIEU^^00000^FRA^H||||||||||||C||||||||N|VALI\r"
    "PV1|1|I|RADIO1\r"
    "ORC|NW|\r"
    "OBR|1|P0001^EntityNAME|F0001^EntityNAME|18748-4^CR d'imagerie médicale^LN\r"
    "OBX|1|ED|18748-4^CR d'imagerie médicale^LN||^TEXT^XML^Base64^{document}||||||F|\r"
    "PRT||UC||SB^^participation|810999000010^EXEMPLE^Anne\r"
)


def flag(code: str, answer: str, *, place: int = 9, system: str = "MetaDMPMSS") -> str:
    """One OBX that asks for something about the document."""
    value = f"{answer}^^expandedYes-NoIndicator"
    return f"OBX|{place}|CE|{code}^Libellé^{system}||{value}||||||F|\r"


def a_report(*changes: tuple[str, str], cda: str | bytes = CDA, flags: str | None = None) -> bytes:
    """The ORU of a new report, hidden from the patient at first and meant for the DMP.

    Args:
        changes: pairs of what stands in the message and what shall stand there instead.
        flags: OBX segments in place of the usual ones.
    """
    answers = dict.fromkeys(FLAGS, "N") | {"INVISIBLE_PATIENT": "Y", "DESTDMP": "Y"}
    if flags is None:
        flags = "".join(flag(one, yes, place=n) for n, (one, yes) in enumerate(answers.items(), 2))
    text = ORU + flags
    for old, new in changes:
        text = replaced(text, old, new)
    data = cda.encode() if isinstance(cda, str) else cda
    return text.replace("{document}", base64.b64encode(data).decode()).encode()


def a_cda(*changes: tuple[str, str]) -> bytes:
    """The CDA of a report, with the changes made to it."""
    text = CDA
    for old, new in changes:
        text = replaced(text, old, new)
    return text.encode()


def replaced(text: str, old: str, new: str) -> str:
    """The text with a change that does change it: a test would else prove nothing."""
    assert old in text, f"nothing to replace: {old}"
    return text.replace(old, new)
