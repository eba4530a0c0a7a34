"""What can be wrong with a message, in the words that HL7 has for it."""

from enum import StrEnum

from gateway.errors import InvalidRequest


class ErrorCode(StrEnum):
    """Message error condition codes (HL7 table 0357)."""

    SEGMENT_SEQUENCE = "100"
    REQUIRED_FIELD_MISSING = "101"
    DATA_TYPE = "102"
    TABLE_VALUE_NOT_FOUND = "103"
    UNSUPPORTED_MESSAGE_TYPE = "200"
    UNSUPPORTED_EVENT = "201"
    UNSUPPORTED_PROCESSING_ID = "202"
    UNSUPPORTED_VERSION = "203"
    INTERNAL = "207"

    @property
    def meaning(self) -> str:
        """The code's own words in the table."""
        return _MEANINGS[self]


_MEANINGS = {
    ErrorCode.SEGMENT_SEQUENCE: "Segment sequence error",
    ErrorCode.REQUIRED_FIELD_MISSING: "Required field missing",
    ErrorCode.DATA_TYPE: "Data type error",
    ErrorCode.TABLE_VALUE_NOT_FOUND: "Table value not found",
    ErrorCode.UNSUPPORTED_MESSAGE_TYPE: "Unsupported message type",
    ErrorCode.UNSUPPORTED_EVENT: "Unsupported event code",
    ErrorCode.UNSUPPORTED_PROCESSING_ID: "Unsupported processing id",
    ErrorCode.UNSUPPORTED_VERSION: "Unsupported version id",
    ErrorCode.INTERNAL: "Application internal error",
}


class RefusedMessage(InvalidRequest):
    """A message cannot be taken as it is; the same message again would be refused again.

    Args:
        reason: what is wrong, in ASCII and without any value of the message.
        code: the condition that HL7 table 0357 has for it.
        location: where it is, as an ERL (HL7 2.5 §2.A.28): segment^sequence^field^repetition^
            component; empty where the fault has no place.
    """

    def __init__(self, reason: str, *, code: ErrorCode, location: str = "") -> None:
        super().__init__(reason)
        self.code = code
        self.location = location
