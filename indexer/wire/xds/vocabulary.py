"""Names of XDS metadata in ebRIM 3.0 (ITI TF-3 §4.2.5)."""

from typing import Final

from indexer.contract.document import EntryStatus
from indexer.contract.document_set import Relation
from indexer.wire.vocabulary import UUID_PREFIX

RIM: Final = "urn:oasis:names:tc:ebxml-regrep:xsd:rim:3.0"
LCM: Final = "urn:oasis:names:tc:ebxml-regrep:xsd:lcm:3.0"
RS: Final = "urn:oasis:names:tc:ebxml-regrep:xsd:rs:3.0"
QUERY: Final = "urn:oasis:names:tc:ebxml-regrep:xsd:query:3.0"
XDS: Final = "urn:ihe:iti:xds-b:2007"

UUID: Final = UUID_PREFIX

STABLE_DOCUMENT: Final = f"{UUID}7edca82f-054d-47f2-a032-9b2a5b5186c1"
"""objectType of a DocumentEntry whose document does not change."""

REGISTRY_PACKAGE: Final = (
    "urn:oasis:names:tc:ebxml-regrep:ObjectType:RegistryObject:RegistryPackage"
)
ASSOCIATION: Final = "urn:oasis:names:tc:ebxml-regrep:ObjectType:RegistryObject:Association"

AUTHOR: Final = f"{UUID}93606bcf-9494-43ec-9b4e-a7748d1a838d"
CLASS_CODE: Final = f"{UUID}41a5887f-8865-4c09-adf7-e362475b143a"
CONFIDENTIALITY_CODE: Final = f"{UUID}f4f85eac-e6cb-4883-b524-f2705394840f"
EVENT_CODE: Final = f"{UUID}2c6b8cb7-8b2a-4051-b291-b1ae6a575ef4"
FORMAT_CODE: Final = f"{UUID}a09d5840-386c-46f2-b5ad-9c3699a4309d"
FACILITY_CODE: Final = f"{UUID}f33fb8ac-18af-42cc-ae0e-ed0b0bdb91e1"
PRACTICE_SETTING_CODE: Final = f"{UUID}cccf5598-8b07-4b77-a05e-ae952c785ead"
TYPE_CODE: Final = f"{UUID}f0306f51-975f-434e-a61c-c59651d33983"
PATIENT_ID: Final = f"{UUID}58a6f841-87b3-4a3e-92fd-a8ffeff98427"
UNIQUE_ID: Final = f"{UUID}2e82c1f6-a085-4c72-9da3-8640a32e42ab"

SUBMISSION_SET: Final = f"{UUID}a54d6aa5-d40d-43f9-88c5-b4633d873bdd"
SET_AUTHOR: Final = f"{UUID}a7058bb9-b4e4-4307-ba5b-e3f0ab85e12d"
SET_CONTENT_TYPE: Final = f"{UUID}aa543740-bdda-424e-8c96-df4873be8500"
SET_PATIENT_ID: Final = f"{UUID}6b5aea1a-874d-4603-a4bc-96a0a7b38446"
SET_UNIQUE_ID: Final = f"{UUID}96fdda7c-d067-4183-912e-bf5ee74998a8"
SET_SOURCE_ID: Final = f"{UUID}554ac39e-e3fe-47fe-b233-965d2a147832"

CODES: Final = frozenset(
    {
        CLASS_CODE,
        CONFIDENTIALITY_CODE,
        EVENT_CODE,
        FORMAT_CODE,
        FACILITY_CODE,
        PRACTICE_SETTING_CODE,
        TYPE_CODE,
        SET_CONTENT_TYPE,
    }
)
"""Classifications that are a code with its scheme."""

_ASSOCIATIONS: Final = "urn:ihe:iti:2007:AssociationType:"
ASSOCIATION_TYPES: Final = {
    Relation.MEMBER: "urn:oasis:names:tc:ebxml-regrep:AssociationType:HasMember",
    Relation.REPLACES: f"{_ASSOCIATIONS}RPLC",
    Relation.APPENDS: f"{_ASSOCIATIONS}APND",
    Relation.TRANSFORMS: f"{_ASSOCIATIONS}XFRM",
    Relation.TRANSFORMS_AND_REPLACES: f"{_ASSOCIATIONS}XFRM_RPLC",
    Relation.SIGNS: f"{_ASSOCIATIONS}signs",
}
RELATIONS: Final = {name: relation for relation, name in ASSOCIATION_TYPES.items()}
HAS_MEMBER: Final = ASSOCIATION_TYPES[Relation.MEMBER]
UPDATE_STATUS: Final = "urn:ihe:iti:2010:AssociationType:UpdateAvailabilityStatus"

STATUSES: Final = {
    EntryStatus.APPROVED: "urn:oasis:names:tc:ebxml-regrep:StatusType:Approved",
    EntryStatus.DEPRECATED: "urn:oasis:names:tc:ebxml-regrep:StatusType:Deprecated",
    EntryStatus.WITHDRAWN: "urn:asip:ci-sis:2010:StatusType:Deleted",
}
"""availabilityStatus; that of a deletion is the DMP's own."""
ARCHIVED: Final = "urn:asip:ci-sis:2010:StatusType:Archived"
"""As the DMP has what somebody put away, which is approved as before; our index has no archive."""

REFERENCE_ID_LIST: Final = "urn:ihe:iti:xds:2013:referenceIdList"

IDENTIFIER_LENGTH_MAX: Final = 256  # characters of a unique id, which is a UID of 64 here
