"""Answers of the standard: DIMSE statuses, and reasons to refuse or abort an association."""

from enum import Enum, IntEnum

from gateway.errors import InvalidRequest


class Status(IntEnum):
    """Statuses that every DIMSE service shares (PS3.7 Annex C)."""

    SUCCESS = 0x0000
    INVALID_ATTRIBUTE_VALUE = 0x0106
    PROCESSING_FAILURE = 0x0110
    DUPLICATE_SOP_INSTANCE = 0x0111
    NO_SUCH_SOP_INSTANCE = 0x0112
    INVALID_ARGUMENT_VALUE = 0x0115
    INVALID_SOP_INSTANCE = 0x0117
    CLASS_INSTANCE_CONFLICT = 0x0119
    MISSING_ATTRIBUTE = 0x0120
    MISSING_ATTRIBUTE_VALUE = 0x0121
    SOP_CLASS_NOT_SUPPORTED = 0x0122
    NO_SUCH_ACTION = 0x0123
    UNRECOGNISED_OPERATION = 0x0211
    MISTYPED_ARGUMENT = 0x0212
    RESOURCE_LIMITATION = 0x0213


class StoreStatus(IntEnum):
    """Statuses of the Storage service (PS3.4 §B.2.3)."""

    SUCCESS = 0x0000
    OUT_OF_RESOURCES = 0xA700
    DATA_SET_DOES_NOT_MATCH = 0xA900
    CANNOT_UNDERSTAND = 0xC000


class Refused(InvalidRequest):
    """A request that is refused with a status of its own.

    Args:
        message: the Error Comment; it holds no patient data.
        status: of PS3.7 Annex C, or of the service.
        error_id: what the service tells beside the status (0000,0903); 0 for nothing.
    """

    def __init__(self, message: str, status: Status, *, error_id: int = 0) -> None:
        super().__init__(message)
        self.status = status
        self.error_id = error_id


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
