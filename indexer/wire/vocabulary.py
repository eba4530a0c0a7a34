"""Systems, profiles and codes that MHD documents are written with.

MHD: IHE ITI Mobile access to Health Documents 4.2 on FHIR 4.0.1. PDSm: its French profile, of
the ANS. MADO: IHE RAD Manifest-based Access to DICOM Objects.
"""

from typing import Final

from indexer.contract.document import ReferenceKind

JSON_MEDIA_TYPE: Final = "application/fhir+json"
XML_MEDIA_TYPE: Final = "application/fhir+xml"
PATCH_MEDIA_TYPE: Final = "application/json-patch+json"
XML_PATCH_MEDIA_TYPE: Final = "application/xml-patch+xml"

URI_SYSTEM: Final = "urn:ietf:rfc:3986"
OID_PREFIX: Final = "urn:oid:"
UUID_PREFIX: Final = "urn:uuid:"

PROFESSIONALS: Final = "1.2.250.1.71.4.2.1"
ORGANISATIONS: Final = "1.2.250.1.71.4.2.2"
ORIGINAL_TEXT: Final = "http://hl7.org/fhir/StructureDefinition/originalText"
IDENTIFIER_TYPES: Final = "http://terminology.hl7.org/CodeSystem/v2-0203"
DCM: Final = "http://dicom.nema.org/resources/ontology/DCM"

_MHD: Final = "https://profiles.ihe.net/ITI/MHD/"
SOURCE_ID: Final = f"{_MHD}StructureDefinition/ihe-sourceId"
DESIGNATION_TYPE: Final = f"{_MHD}StructureDefinition/ihe-designationType"
AUTHOR_ORGANISATION: Final = f"{_MHD}StructureDefinition/ihe-authorOrg"
LIST_TYPES: Final = f"{_MHD}CodeSystem/MHDlistTypes"
SUBMISSION_SET: Final = "submissionset"
FOLDER: Final = "folder"
INTENDED_RECIPIENT: Final = f"{_MHD}StructureDefinition/ihe-intendedRecipient"

PROVIDE_BUNDLE_PROFILE: Final = f"{_MHD}StructureDefinition/IHE.MHD.Comprehensive.ProvideBundle"
MINIMAL_BUNDLE_PROFILE: Final = f"{_MHD}StructureDefinition/IHE.MHD.Minimal.ProvideBundle"
SUBMISSION_SET_PROFILE: Final = f"{_MHD}StructureDefinition/IHE.MHD.Comprehensive.SubmissionSet"
DOCUMENT_REFERENCE_PROFILE: Final = (
    f"{_MHD}StructureDefinition/IHE.MHD.Comprehensive.DocumentReference"
)
PATCH_PROFILE: Final = f"{_MHD}StructureDefinition/IHE.MHD.Patch.Parameters"

REFERENCE_DCM_CODE: Final = {ReferenceKind.STUDY: "110180", ReferenceKind.ACCESSION: "121022"}
"""MADO types these identifiers by DICOM codes, PDSm by URN: both are written on the same type."""
