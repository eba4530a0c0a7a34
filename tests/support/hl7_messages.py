"""Messages beside the ORU: reports as MDM, orders, and the words of a master patient index. Nobody
in them is real."""

import base64

from gateway.model.notification import OrderReceived, PatientTold, ReportReceived
from tests.support.reports import CDA, INS, INS_OID, LOCAL_ID_OID, STUDY, flag, replaced

DOCUMENT_ID = "1.2.250.1.999.4.1"

PID = (
    f"PID|||{INS}^^^ASIP-SANTE-INS-NIR&{INS_OID}&ISO^INS"
    f"~LOC900^^^AUT-AFFECTATION&{LOCAL_ID_OID}&ISO^PI"
    "||EXEMPLE^CAMILLE^CAMILLE LOU^^^^L||19550517|M" + "|" * 24 + "VALI\r"
)

MDM = (
    r"MSH|^~\&|RIS_X|CENTRE_X|GATEWAY|CENTRE_X|20260102030405||MDM^T02^MDM_T02|M0001|P|2.6"
    "|||||FRA|UNICODE UTF-8|||2.1^CISIS_CDA_HL7_V2\r"
    "EVN||20260102030405|||OP1^TESTEUR^ANNE|20260102030405\r"
    f"{PID}"
    "PV1|1|I|RADIO1\r"
    "ORC|NW|\r"
    "OBR|1|||18748-4^CR d'imagerie médicale^LN|\r"
    f"TXA|1|18748-4|TEXT|202601020304||||||||{DOCUMENT_ID}|||||AU|||||810999000010\r"
    "OBX|1|ED|18748-4^CR d'imagerie médicale^LN||^text^XML^Base64^{document}||||||F|\r"
    "PRT||UC||SB^^participation|810999000010^EXEMPLE^Anne\r"
)

OMI = (
    r"MSH|^~\&|PACS_X|CENTRE_X|GATEWAY|CENTRE_X|20260102030405||OMI^O23^OMI_O23|M0001|P|2.5.1"
    "||||||||\r"
    f"{PID}"
    "PV1|1|I|RADIO1\r"
    "ORC|NW|P900^RIS^1.2.250.1.999.6^ISO|F900^RIS^1.2.250.1.999.8^ISO||SC||||20260102030000\r"
    "TQ1|||||||20260102||\r"
    "OBR|1|P0001^EntityNAME|F0001^EntityNAME|24727-0^CT tête^LN^774007^Tête et cou^SCT"
    "||||||||||||810999000002^TESTEUR^ANNE||F0001|||||||F|||||||810999000001&EXEMPLE&Anne\r"
    "OBX|1|ST|ACT^Modification Examen Imagerie||||||||O\r"
    f"IPC|ACC900^RIS^1.2.250.1.999.7^ISO|PACS_X|{STUDY}|40000001|CT\r"
)

ORM = (
    r"MSH|^~\&|RIS_X|CENTRE_X|GATEWAY|CENTRE_X|20260102030405||ORM^O01|M0001|P|2.3.1"
    "||||||8859/1\r"
    f"{PID}"
    "PV1||I|RADIO1\r"
    "ORC|NW|P900^RIS|F900^RIS||SC||||20260102030000+0100\r"
    "OBR|1|P900^RIS|F900^RIS|ACQH004^Scanner du crâne^CCAM||||||||||||||ACC900\r"
    f"ZDS|{STUDY}^RIS^Application^DICOM\r"
)

ADT = (
    r"MSH|^~\&|MPI_X|CENTRE_X|GATEWAY|CENTRE_X|20260102030405||ADT^A08^ADT_A01|M0001|P|2.5^FRA^2.1"
    "|||||FRA|8859/15\r"
    "EVN||20260102030405\r"
    f"{PID}"
    "PV1||N\r"
)

MERGE_GROUP = f"MRG|LOC800^^^AUT-AFFECTATION&{LOCAL_ID_OID}&ISO^PI\r"


class Told:
    """Stands in for the assembler: keeps what it is told, or fails as it is told to."""

    def __init__(self, failure: Exception | None = None) -> None:
        self.news: list[ReportReceived | OrderReceived | PatientTold] = []
        self.kinds: list[str] = []
        self._failure = failure

    async def report_received(self, news: ReportReceived) -> None:
        self._take("report", news)

    async def order_received(self, news: OrderReceived) -> None:
        self._take("order", news)

    async def patient_told(self, news: PatientTold) -> None:
        self._take("patient", news)

    def _take(self, kind: str, news: ReportReceived | OrderReceived | PatientTold) -> None:
        if self._failure is not None:
            raise self._failure
        self.kinds.append(kind)
        self.news.append(news)


def an_mdm(*changes: tuple[str, str], cda: str | bytes = CDA) -> bytes:
    """The MDM^T02 of a new report, hidden from the patient."""
    text = changed(MDM + flag("INVISIBLE_PATIENT", "Y"), changes)
    data = cda.encode() if isinstance(cda, str) else cda
    return text.replace("{document}", base64.b64encode(data).decode()).encode()


def an_omi(*changes: tuple[str, str]) -> bytes:
    """The OMI^O23 which tells that an exam has changed; it names no character set."""
    return changed(OMI, changes).encode()


def an_orm(*changes: tuple[str, str]) -> bytes:
    """The ORM^O01 of a new order, as IHE's RAD-4."""
    return changed(ORM, changes).encode("iso-8859-1")


def an_adt(*changes: tuple[str, str]) -> bytes:
    """The ADT^A08 about a patient with an INS and a local id."""
    return changed(ADT, changes).encode("iso-8859-15")


def a_merge(*changes: tuple[str, str]) -> bytes:
    """The ADT^A40 that merges LOC800 into LOC900, and LOC801 into LOC901."""
    other = PID.replace("LOC900", "LOC901") + MERGE_GROUP.replace("LOC800", "LOC801")
    text = ADT.replace("A08^ADT_A01", "A40^ADT_A39").replace("PV1||N\r", MERGE_GROUP) + other
    return changed(text, changes).encode("iso-8859-15")


def changed(text: str, changes: tuple[tuple[str, str], ...]) -> str:
    """The text with each change, which must be one."""
    for old, new in changes:
        text = replaced(text, old, new)
    return text
