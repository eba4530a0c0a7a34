"""Names of the VIHF, the assertion of who asks (CI-SIS, synchronous transport, §VIHF)."""

from typing import Final

from indexer.contract.access import CallerKind, Purpose
from indexer.contract.document import Code

SAML: Final = "urn:oasis:names:tc:SAML:2.0:assertion"
HL7: Final = "urn:hl7-org:v3"
XSI: Final = "http://www.w3.org/2001/XMLSchema-instance"

SUBJECT_NAME: Final = "urn:oasis:names:tc:SAML:1.1:nameid-format:X509SubjectName"
TLS_CLIENT: Final = "urn:oasis:names:tc:SAML:2.0:ac:classes:TLSClient"
UNSPECIFIED: Final = "urn:oasis:names:tc:SAML:2.0:ac:classes:unspecified"
BROWSER: Final = "APP_BROWSER_AUTH"
"""AuthnContextDecl of who signed in with Pro Santé Connect."""

VERSION: Final = "3.0"
VERSIONS: Final = frozenset({VERSION, "4.0"})
"""The agency's guides of 2024 name 4.0, and show 3.0, with the same attributes."""

RESOURCE: Final = "urn:dmp"
"""Ressource_URN: what the assertion is for."""

VIHF_VERSION: Final = "VIHF_Version"
SECTOR: Final = "Secteur_Activite"
RESOURCE_URN: Final = "Ressource_URN"
STRUCTURE: Final = "Identifiant_Structure"
AUTHENTICATION: Final = "Authentification_Mode"
"""As the agency's samples spell it."""
SPELLINGS: Final = {"Authentification_mode": AUTHENTICATION}
"""Names of attributes as the DMP's own example messages have them (GIE SESAM-Vitale, DMP_LPS)."""
SOFTWARE_NUMBER: Final = "LPS_ID"
SOFTWARE_NAME: Final = "LPS_Nom"
SOFTWARE_VERSION: Final = "LPS_Version"
SOFTWARE_APPROVAL: Final = "LPS_ID_HOMOLOGATION_DMP"
SUBJECT_ID: Final = "urn:oasis:names:tc:xspa:1.0:subject:subject-id"
RESOURCE_ID: Final = "urn:oasis:names:tc:xacml:2.0:resource:resource-id"
PURPOSE: Final = "urn:oasis:names:tc:xspa:1.0:subject:purposeofuse"
ROLE: Final = "urn:oasis:names:tc:xacml:2.0:subject:role"
SECRET: Final = "urn:oasis:names:tc:xspa:1.0:resource:patient:hl7:confidentiality-code"

PURPOSES: Final = "1.2.250.1.213.1.1.4.248"
PURPOSE_DISPLAY: Final = {
    Purpose.NORMAL: "Accès normal",
    Purpose.BREAK_GLASS: "Accès bris de glace",
    Purpose.CENTRE_15: "Accès centre de régulation",
}
HIDDEN_FROM_GUARDIANS: Final = "INVISIBLE_REPRESENTANTS_LEGAUX"

SECTORS: Final = "1.2.250.1.71.4.2.4"
PROFESSIONS: Final = "1.2.250.1.71.1.2.7"
PRODUCERS: Final = "1.2.250.1.213.1.1.4.6"
"""TRE_A00: who makes documents and is no professional."""
ROLE_SYSTEMS: Final = frozenset(
    {
        PROFESSIONS,
        PRODUCERS,
        "1.2.250.1.213.1.6.1.4",  # TRE_R94, social professions
        "1.2.250.1.213.1.6.1.109",  # TRE_R95, users of a professional title
    }
)
WITH_SPECIALITY: Final = frozenset({"10", "21"})
"""Doctors and pharmacists, who tell a speciality too."""

_ROLE_CLASS: Final = "2.16.840.1.113883.5.110"
ROLES_BY_KIND: Final = {
    CallerKind.SYSTEM: Code(code="AUTOMATE", scheme=PRODUCERS, display="Automate"),
    CallerKind.PATIENT: Code(code="PAT", scheme=_ROLE_CLASS, display="Patient"),
    CallerKind.REPRESENTATIVE: Code(code="GUARD", scheme=_ROLE_CLASS, display="Guardian"),
}
"""Who is no professional. The DMP lets patients in by other ways than a VIHF; theirs is by HL7's
RoleClass here."""
