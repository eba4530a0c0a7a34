"""Frames of the minimal lower layer protocol: VT, the message, FS CR (HL7 2.5 appendix C §C.4.3).

Pure: bytes go in as they come, whole messages come out.
"""

from gateway.hl7.faults import ErrorCode, RefusedMessage
from gateway.hl7.message import HEADER_BYTES_MAX

START = b"\x0b"
END = b"\x1c\r"
BETWEEN = b"\r\n"
"""Bytes that may stand between two frames: some senders end their last segment out there."""


class BrokenFrame(RefusedMessage):
    """The bytes are not framed as they must be; the message may be sound, so it may come again."""

    def __init__(self, what: str) -> None:
        super().__init__(f"the MLLP frame is broken: {what}", code=ErrorCode.SEGMENT_SEQUENCE)


class FrameReader:
    """Finds messages in a stream of bytes, however it is cut."""

    def __init__(self, *, message_bytes_max: int) -> None:
        self._message_bytes_max = message_bytes_max
        self._buffer = bytearray()
        self._seen = 0

    @property
    def within_message(self) -> bool:
        """A message has begun and its end has not come."""
        return bool(self._buffer)

    @property
    def head(self) -> bytes:
        """The start of the message that is coming, for whoever must refuse it."""
        return bytes(self._buffer[1:HEADER_BYTES_MAX])

    def feed(self, data: bytes) -> None:
        """Take what came in."""
        self._buffer += data

    def take(self) -> bytes | None:
        """The next message, or None where more bytes are needed.

        Raises:
            BrokenFrame: what came is no frame.
            RefusedMessage: the message is too long.
        """
        if not self._find_start():
            return None
        end = self._buffer.find(END[:1], max(self._seen, 1))
        self._check_no_start(end)
        length = (len(self._buffer) if end < 0 else end) - 1
        if length > self._message_bytes_max:
            raise RefusedMessage(
                f"the message is longer than {self._message_bytes_max} bytes",
                code=ErrorCode.INTERNAL,
            )
        if end < 0 or end + 1 == len(self._buffer):
            self._seen = len(self._buffer) if end < 0 else end
            return None
        if self._buffer[end + 1] != END[1]:
            raise BrokenFrame("FS is not followed by CR")
        message = bytes(self._buffer[1:end])
        del self._buffer[: end + len(END)]
        self._seen = 0
        return message

    def _find_start(self) -> bool:
        if self._seen == 0:
            others = (place for place, byte in enumerate(self._buffer) if byte not in BETWEEN)
            del self._buffer[: next(others, len(self._buffer))]
        if self._buffer and self._buffer[:1] != START:
            raise BrokenFrame("there are bytes outside of a frame")
        return bool(self._buffer)

    def _check_no_start(self, end: int) -> None:
        within = (max(self._seen, 1), len(self._buffer) if end < 0 else end)
        if self._buffer.find(START, *within) >= 0:
            raise BrokenFrame("a frame begins inside a frame")
