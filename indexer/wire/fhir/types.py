"""The elements of FHIR R4's types that are spoken here, in the order that XML has them in.

XML orders elements, and does not show which of them are lists, numbers or truth values. A name
alone is a text; `:` names another type, and `*` says that there may be several.
"""

from dataclasses import dataclass
from typing import Final

_RESOURCE: Final = "id meta:Meta implicitRules language "
_DOMAIN_RESOURCE: Final = (
    f"{_RESOURCE}text:Narrative contained:Resource* extension:Extension* "
    "modifierExtension:Extension* "
)
_ELEMENT: Final = "id extension:Extension* "
_BACKBONE_ELEMENT: Final = f"{_ELEMENT}modifierExtension:Extension* "

_VALUES: Final = (
    "valueBase64Binary valueBoolean:boolean valueCanonical valueCode valueDate "
    "valueDateTime valueDecimal:decimal valueId valueInstant valueInteger:integer "
    "valueMarkdown valueOid valuePositiveInt:integer valueString valueTime "
    "valueUnsignedInt:integer valueUri valueUrl valueUuid valueAddress:Address "
    "valueAnnotation:Annotation valueAttachment:Attachment "
    "valueCodeableConcept:CodeableConcept valueCoding:Coding valueContactPoint:ContactPoint "
    "valueHumanName:HumanName valueIdentifier:Identifier valueMoney:Money "
    "valuePeriod:Period valueQuantity:Quantity valueRange:Range valueRatio:Ratio "
    "valueReference:Reference valueSignature:Signature"
)
"""Of any type (value[x])."""

_RESOURCES: Final = {
    "Bundle": (
        "identifier:Identifier type timestamp total:integer link:BundleLink* entry:BundleEntry* "
        "signature:Signature"
    ),
    "Binary": "contentType securityContext:Reference data",
    "Parameters": "parameter:ParametersParameter*",
}

_DOMAIN_RESOURCES: Final = {
    "DocumentReference": (
        "masterIdentifier:Identifier identifier:Identifier* status docStatus "
        "type:CodeableConcept category:CodeableConcept* subject:Reference date "
        "author:Reference* authenticator:Reference custodian:Reference "
        "relatesTo:DocumentReferenceRelatesTo* description securityLabel:CodeableConcept* "
        "content:DocumentReferenceContent* context:DocumentReferenceContext"
    ),
    "List": (
        "identifier:Identifier* status mode title code:CodeableConcept subject:Reference "
        "encounter:Reference date source:Reference orderedBy:CodeableConcept note:Annotation* "
        "entry:ListEntry* emptyReason:CodeableConcept"
    ),
    "OperationOutcome": "issue:OperationOutcomeIssue*",
    "CapabilityStatement": (
        "url version name title status experimental:boolean date publisher "
        "contact:ContactDetail* description useContext:UsageContext* "
        "jurisdiction:CodeableConcept* purpose copyright kind instantiates* imports* "
        "software:CapabilityStatementSoftware implementation:CapabilityStatementImplementation "
        "fhirVersion format* patchFormat* implementationGuide* rest:CapabilityStatementRest* "
        "messaging:CapabilityStatementMessaging* document:CapabilityStatementDocument*"
    ),
    "Patient": (
        "identifier:Identifier* active:boolean name:HumanName* telecom:ContactPoint* gender "
        "birthDate deceasedBoolean:boolean deceasedDateTime address:Address* "
        "maritalStatus:CodeableConcept multipleBirthBoolean:boolean "
        "multipleBirthInteger:integer photo:Attachment* contact:PatientContact* "
        "communication:PatientCommunication* generalPractitioner:Reference* "
        "managingOrganization:Reference link:PatientLink*"
    ),
    "Practitioner": (
        "identifier:Identifier* active:boolean name:HumanName* telecom:ContactPoint* "
        "address:Address* gender birthDate photo:Attachment* "
        "qualification:PractitionerQualification* communication:CodeableConcept*"
    ),
    "PractitionerRole": (
        "identifier:Identifier* active:boolean period:Period practitioner:Reference "
        "organization:Reference code:CodeableConcept* specialty:CodeableConcept* "
        "location:Reference* healthcareService:Reference* telecom:ContactPoint* "
        "availableTime:PractitionerRoleAvailableTime* "
        "notAvailable:PractitionerRoleNotAvailable* availabilityExceptions endpoint:Reference*"
    ),
    "Organization": (
        "identifier:Identifier* active:boolean type:CodeableConcept* name alias* "
        "telecom:ContactPoint* address:Address* partOf:Reference contact:OrganizationContact* "
        "endpoint:Reference*"
    ),
    "Device": (
        "identifier:Identifier* definition:Reference udiCarrier:DeviceUdiCarrier* status "
        "statusReason:CodeableConcept* distinctIdentifier manufacturer manufactureDate "
        "expirationDate lotNumber serialNumber deviceName:DeviceDeviceName* modelNumber "
        "partNumber type:CodeableConcept specialization:DeviceSpecialization* "
        "version:DeviceVersion* property:DeviceProperty* patient:Reference owner:Reference "
        "contact:ContactPoint* location:Reference url note:Annotation* safety:CodeableConcept* "
        "parent:Reference"
    ),
    "AuditEvent": (
        "type:Coding subtype:Coding* action period:Period recorded outcome outcomeDesc "
        "purposeOfEvent:CodeableConcept* agent:AuditEventAgent* source:AuditEventSource "
        "entity:AuditEventEntity*"
    ),
}

_BACKBONE_ELEMENTS: Final = {
    "Element": "",
    "AuditEventAgent": (
        "type:CodeableConcept role:CodeableConcept* who:Reference altId name requestor:boolean "
        "location:Reference policy* media:Coding network:AuditEventAgentNetwork "
        "purposeOfUse:CodeableConcept*"
    ),
    "AuditEventAgentNetwork": "address type",
    "AuditEventEntity": (
        "what:Reference type:Coding role:Coding lifecycle:Coding securityLabel:Coding* name "
        "description query detail:AuditEventEntityDetail*"
    ),
    "AuditEventEntityDetail": "type valueString valueBase64Binary",
    "AuditEventSource": "site observer:Reference type:Coding*",
    "BundleEntry": (
        "link:BundleLink* fullUrl resource:Resource search:BundleEntrySearch "
        "request:BundleEntryRequest response:BundleEntryResponse"
    ),
    "BundleEntryRequest": "method url ifNoneMatch ifModifiedSince ifMatch ifNoneExist",
    "BundleEntryResponse": "status location etag lastModified outcome:Resource",
    "BundleEntrySearch": "mode score:decimal",
    "BundleLink": "relation url",
    "CapabilityStatementDocument": "mode documentation profile",
    "CapabilityStatementImplementation": "description url custodian:Reference",
    "CapabilityStatementMessaging": (
        "endpoint:CapabilityStatementMessagingEndpoint* reliableCache:integer documentation "
        "supportedMessage:CapabilityStatementMessagingSupportedMessage*"
    ),
    "CapabilityStatementMessagingEndpoint": "protocol:Coding address",
    "CapabilityStatementMessagingSupportedMessage": "mode definition",
    "CapabilityStatementRest": (
        "mode documentation security:CapabilityStatementRestSecurity "
        "resource:CapabilityStatementRestResource* "
        "interaction:CapabilityStatementRestInteraction* "
        "searchParam:CapabilityStatementRestResourceSearchParam* "
        "operation:CapabilityStatementRestResourceOperation* compartment*"
    ),
    "CapabilityStatementRestInteraction": "code documentation",
    "CapabilityStatementRestResource": (
        "type profile supportedProfile* documentation "
        "interaction:CapabilityStatementRestResourceInteraction* versioning readHistory:boolean "
        "updateCreate:boolean conditionalCreate:boolean conditionalRead "
        "conditionalUpdate:boolean conditionalDelete referencePolicy* searchInclude* "
        "searchRevInclude* searchParam:CapabilityStatementRestResourceSearchParam* "
        "operation:CapabilityStatementRestResourceOperation*"
    ),
    "CapabilityStatementRestResourceInteraction": "code documentation",
    "CapabilityStatementRestResourceOperation": "name definition documentation",
    "CapabilityStatementRestResourceSearchParam": "name definition type documentation",
    "CapabilityStatementRestSecurity": "cors:boolean service:CodeableConcept* description",
    "CapabilityStatementSoftware": "name version releaseDate",
    "DeviceDeviceName": "name type",
    "DeviceProperty": "type:CodeableConcept valueQuantity:Quantity* valueCode:CodeableConcept*",
    "DeviceSpecialization": "systemType:CodeableConcept version",
    "DeviceUdiCarrier": "deviceIdentifier issuer jurisdiction carrierAIDC carrierHRF entryType",
    "DeviceVersion": "type:CodeableConcept component:Identifier value",
    "DocumentReferenceContent": "attachment:Attachment format:Coding",
    "DocumentReferenceContext": (
        "encounter:Reference* event:CodeableConcept* period:Period facilityType:CodeableConcept "
        "practiceSetting:CodeableConcept sourcePatientInfo:Reference related:Reference*"
    ),
    "DocumentReferenceRelatesTo": "code target:Reference",
    "ListEntry": "flag:CodeableConcept deleted:boolean date item:Reference",
    "OperationOutcomeIssue": (
        "severity code details:CodeableConcept diagnostics location* expression*"
    ),
    "OrganizationContact": (
        "purpose:CodeableConcept name:HumanName telecom:ContactPoint* address:Address"
    ),
    "ParametersParameter": (
        f"name {_VALUES} valueMeta:Meta resource:Resource part:ParametersParameter*"
    ),
    "PatientCommunication": "language:CodeableConcept preferred:boolean",
    "PatientContact": (
        "relationship:CodeableConcept* name:HumanName telecom:ContactPoint* address:Address "
        "gender organization:Reference period:Period"
    ),
    "PatientLink": "other:Reference type",
    "PractitionerQualification": (
        "identifier:Identifier* code:CodeableConcept period:Period issuer:Reference"
    ),
    "PractitionerRoleAvailableTime": (
        "daysOfWeek* allDay:boolean availableStartTime availableEndTime"
    ),
    "PractitionerRoleNotAvailable": "description during:Period",
}

_ELEMENTS: Final = {
    "Element": "",
    "Address": "use type text line* city district state postalCode country period:Period",
    "Annotation": "authorReference:Reference authorString time text",
    "Attachment": "contentType language data url size:integer hash title creation",
    "CodeableConcept": "coding:Coding* text",
    "Coding": "system version code display userSelected:boolean",
    "ContactDetail": "name telecom:ContactPoint*",
    "ContactPoint": "system value use rank:integer period:Period",
    "Extension": f"url {_VALUES}",
    "HumanName": "use text family given* prefix* suffix* period:Period",
    "Identifier": "use type:CodeableConcept system value period:Period assigner:Reference",
    "Meta": "versionId lastUpdated source profile* security:Coding* tag:Coding*",
    "Money": "value:decimal currency",
    "Narrative": "status div:xhtml",
    "Period": "start end",
    "Quantity": "value:decimal comparator unit system code",
    "Range": "low:Quantity high:Quantity",
    "Ratio": "numerator:Quantity denominator:Quantity",
    "Reference": "reference type identifier:Identifier display",
    "Signature": "type:Coding* when who:Reference onBehalfOf:Reference targetFormat sigFormat data",
    "UsageContext": (
        "code:Coding valueCodeableConcept:CodeableConcept valueQuantity:Quantity "
        "valueRange:Range valueReference:Reference"
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Child:
    """An element of a type."""

    name: str
    kind: str
    """`text`, `boolean`, `integer`, `decimal`, `xhtml`, `Resource`, or a type of this table."""
    several: bool


def _children(text: str) -> dict[str, Child]:
    found = {}
    for one in text.split():
        name, _, kind = one.rstrip("*").partition(":")
        found[name] = Child(name=name, kind=kind or "text", several=one.endswith("*"))
    return found


RESOURCE_TYPES: Final = frozenset(_RESOURCES | _DOMAIN_RESOURCES)
TYPES: Final = {
    name: _children(base + own)
    for base, types in (
        (_RESOURCE, _RESOURCES),
        (_DOMAIN_RESOURCE, _DOMAIN_RESOURCES),
        (_BACKBONE_ELEMENT, _BACKBONE_ELEMENTS),
        (_ELEMENT, _ELEMENTS),
    )
    for name, own in types.items()
}
"""The elements of each type, by name, in their order."""
