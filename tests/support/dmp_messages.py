"""TD0.2 and TD0.3 as a client of the DMP writes them, after GIE SESAM-Vitale's example messages."""

from lxml import etree

from indexer.contract.identifiers import Ins
from indexer.wire.xml import Element
from tests.support.pointers import ANNE
from tests.support.xds import Reply

TEST = "urn:hl7-org:v3:PRPA_IN201307UV02"
DECLARE = "urn:si-dmp-habilitations:HabilitationsEndPoint:setAuthorization"
SPACES = {"v3": "urn:hl7-org:v3", "h": "urn:si-dmp-habilitations"}


def a_test(patient: Ins = ANNE, *, reason: str = "TEST_EXST") -> Element:
    """The body of TD0.2."""
    return etree.fromstring(f"""
<urn:PRPA_IN201307UV02 ITSVersion="XML_1.0" xmlns="urn:hl7-org:v3" xmlns:urn="urn:hl7-org:v3">
  <id root="2.25.1.1" extension="message-1"/><creationTime value="20261123100000"/>
  <interactionId root="2.16.840.1.113883.1.6" extension="PRPA_IN201307UV02"/>
  <processingCode code="D"/><processingModeCode code="T"/><acceptAckCode code="AL"/>
  <receiver typeCode="RCV"><device classCode="DEV" determinerCode="INSTANCE">
    <id root="1.2.250.1.213.4.1.1.1"/><softwareName>DMP</softwareName></device></receiver>
  <sender typeCode="SND"><device classCode="DEV" determinerCode="INSTANCE">
    <id root="2.25.1"/><softwareName>DRIMbox</softwareName></device></sender>
  <urn:controlActProcess classCode="CACT" moodCode="EVN">
    <reasonCode code="{reason}" codeSystem="1.2.250.1.213.1.1.4.11"/>
    <queryByParameter><queryId root="2.25.1.2" extension="query-1"/><statusCode code="new"/>
      <parameterList><patientIdentifier>
        <value root="{patient.oid}" extension="{patient.value}"/>
        <semanticsText>Patient.id</semanticsText>
      </patientIdentifier></parameterList></queryByParameter>
  </urn:controlActProcess>
</urn:PRPA_IN201307UV02>""")


def a_declaration(action: str = "AJOUT", role: str = "") -> Element:
    """The body of TD0.3."""
    told = f"<role>{role}</role>" if role else ""
    told = f"<action>{action}</action>{told}"
    return etree.fromstring(f'<setAuthorization xmlns="{SPACES["h"]}">{told}</setAuthorization>')


def existence(reply: Reply) -> tuple[str, str, str]:
    """Of TD0.2 whether there is a record, its state, and whether it may be opened."""
    return (
        attribute(reply, "v3:controlActProcess/v3:queryAck/v3:queryResponseCode", "code"),
        attribute(reply, ".//v3:patient/v3:statusCode", "code"),
        attention(reply, "AUTORISATION"),
    )


def attention(reply: Reply, keyword: str) -> str:
    """What an attention line of TD0.2 tells; empty where it is not there."""
    for line in reply.body.iterfind("v3:attentionLine", SPACES):
        told = line.find("v3:keyWordText", SPACES)
        value = line.find("v3:value", SPACES)
        if told is not None and told.get("code") == keyword and value is not None:
            return value.get("code", "") or value.get("value", "")
    return ""


def failure(reply: Reply) -> tuple[str, str]:
    """Of TD0.2 how it was taken, and what was wrong."""
    kind = reply.body.find("v3:acknowledgement", SPACES)
    assert kind is not None
    return kind.get("typeCode", ""), kind.findtext(".//v3:text", "", SPACES)


def declared(reply: Reply) -> tuple[str, str]:
    """Of TD0.3 what became of it."""
    status = reply.body.findtext("h:output/h:status", "", SPACES)
    return status, reply.body.findtext("h:output/h:context", "", SPACES)


def attribute(reply: Reply, path: str, name: str) -> str:
    """An attribute of the one element at a path; empty where it is not there."""
    found = reply.body.find(path, SPACES)
    return "" if found is None else found.get(name, "")
