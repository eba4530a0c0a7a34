"""Answers of the standard: DIMSE statuses, and reasons to refuse or abort an association."""

from enum import Enum, IntEnum


class Status(IntEnum):
    """Statuses that every DIMSE service shares (PS3.7 Annex C)."""

    SUCCESS = 0x0000
    INVALID_ATTRIBUTE_VALUE = 0x0106
    PROCESSING_FAILURE = 0x0110
    INVALID_SOP_INSTANCE = 0x0117
    SOP_CLASS_NOT_SUPPORTED = 0x0122
    NOT_AUTHORISED = 0x0124
    UNRECOGNISED_OPERATION = 0x0211
    MISTYPED_ARGUMENT = 0x0212
    RESOURCE_LIMITATION = 0x0213


class StoreStatus(IntEnum):
    """Statuses of the Storage service (PS3.4 §B.2.3)."""

    SUCCESS = 0x0000
    OUT_OF_RESOURCES = 0xA700
    DATA_SET_DOES_NOT_MATCH = 0xA900
    CANNOT_UNDERSTAND = 0xC000


class RejectReason(Enum):
    """Result, source and diagnostic of an A-ASSOCIATE-RJ (PS3.8 §9.3.4)."""

    APPLICATION_CONTEXT_NOT_SUPPORTED = (1, 1, 2)
    CALLING_AE_NOT_RECOGNISED = (1, 1, 3)
    CALLED_AE_NOT_RECOGNISED = (1, 1, 7)
    PROTOCOL_VERSION_NOT_SUPPORTED = (1, 2, 2)
    LOCAL_LIMIT_EXCEEDED = (2, 3, 2)


class AbortReason(Enum):
    """Source and reason of an A-ABORT (PS3.8 §9.3.8)."""

    SERVICE_USER = (0, 0)
    UNRECOGNISED_PDU = (2, 1)
    UNEXPECTED_PDU = (2, 2)
    INVALID_PARAMETER = (2, 6)
