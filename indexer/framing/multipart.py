"""Takes `multipart/related` bodies apart as they come (RFC 2387, RFC 2046 §5.1).

Bytes go in, heads and contents of parts come out; a part is never held, whatever its size. Clients
leave out the quotes of a boundary, the line end before the first one and after the last, or a
part's own headers; all of that is read.
"""

from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from indexer.contract.errors import InvalidValue
from indexer.framing.media_types import read_media_type

BOUNDARY_LENGTH_MAX: Final = 200
"""Characters; the standard stops at 70 (RFC 2046 §5.1.1), and some clients do not."""
AROUND_BYTES_MAX: Final = 64 * 1024
"""Before the first part, and after the last, where nothing is meant to be read."""
HEAD_BYTES_MAX: Final = 16 * 1024
"""Headers of one part."""

_LINE_END: Final = b"\r\n"
_HEAD_END: Final = b"\r\n\r\n"
_LAST: Final = b"--"
_BLANKS: Final = b" \t"


@dataclass(frozen=True, slots=True)
class ContentType:
    """A Content-Type header (RFC 9110 §8.3.1); names in lower case, the boundary as it is."""

    kind: str
    """As `application/dicom`; empty where there was no header."""
    part_type: str = ""
    """The `type` parameter of multipart/related, without its own parameters."""
    boundary: str = ""

    @classmethod
    def parse(cls, text: str) -> "ContentType":
        """Read a header, whatever it holds."""
        kind, parameters = read_media_type(text)
        part_type, _, _ = parameters.get("type", "").partition(";")
        return cls(
            kind=kind,
            part_type=part_type.strip().lower(),
            boundary=parameters.get("boundary", ""),
        )


@dataclass(frozen=True, slots=True)
class PartBegins:
    """The head of a part has been read."""

    content_type: ContentType
    content_id: str = ""
    """Content-ID without its angle brackets (RFC 2392); empty where there is none."""
    transfer_encoding: str = ""
    """Content-Transfer-Encoding in lower case, which the content is still in."""


@dataclass(frozen=True, slots=True)
class PartEnds:
    """All of the part has been given."""


Event = PartBegins | PartEnds | memoryview
"""What has been read; a memoryview holds bytes of the part that has begun."""


class _Within(Enum):
    PREAMBLE = auto()
    DELIMITER = auto()
    HEAD = auto()
    PART = auto()
    EPILOGUE = auto()


class MultipartReader:
    """Reads one body.

    Args:
        boundary: as the body's own Content-Type names it.

    Raises:
        InvalidValue: the boundary is empty or too long, or no ASCII.
    """

    def __init__(self, boundary: str) -> None:
        if not 0 < len(boundary) <= BOUNDARY_LENGTH_MAX or not boundary.isascii():
            raise InvalidValue("the body's boundary is missing or too long")
        self._delimiter = b"\r\n--" + boundary.encode("ascii")
        self._within = _Within.PREAMBLE
        # The first delimiter may be the very first bytes, without the line end before it.
        self._buffer = bytearray(_LINE_END)
        self._passed_bytes = 0

    def feed(self, chunk: bytes) -> list[Event]:
        """What the next bytes of the body bring.

        Raises:
            InvalidValue: the body is no multipart body with this boundary.
        """
        self._buffer += chunk
        events: list[Event] = []
        while self._step(events):
            pass
        return events

    def close(self) -> None:
        """The body has ended.

        Raises:
            InvalidValue: its last delimiter has not come, so that it was broken off, or none.
        """
        if self._within is _Within.DELIMITER and self._buffer.startswith(_LAST):
            return
        if self._within is _Within.PREAMBLE:
            raise InvalidValue("the body has no part with the boundary that its type names")
        if self._within is not _Within.EPILOGUE:
            raise InvalidValue("the body is cut short: its last delimiter is missing")

    def _step(self, events: list[Event]) -> bool:
        """Read on; False where more bytes are needed."""
        match self._within:
            case _Within.PREAMBLE:
                return self._read_preamble()
            case _Within.DELIMITER:
                return self._read_delimiter()
            case _Within.HEAD:
                return self._read_head(events)
            case _Within.PART:
                return self._read_part(events)
            case _Within.EPILOGUE:
                self._pass_over(len(self._buffer), "the body goes on after its last delimiter")
                return False

    def _read_preamble(self) -> bool:
        at = self._buffer.find(self._delimiter)
        skipped = at if at >= 0 else max(0, len(self._buffer) - len(self._delimiter) + 1)
        self._pass_over(skipped, "no part begins where the first is expected")
        return at >= 0 and self._pass_delimiter()

    def _pass_over(self, size_bytes: int, fault: str) -> None:
        """Forget what belongs to no part."""
        self._passed_bytes += size_bytes
        if self._passed_bytes > AROUND_BYTES_MAX:
            raise InvalidValue(fault)
        del self._buffer[:size_bytes]

    def _pass_delimiter(self) -> bool:
        del self._buffer[: len(self._delimiter)]
        self._within = _Within.DELIMITER
        return True

    def _read_delimiter(self) -> bool:
        """What follows the boundary on its line: the last one's dashes, or blanks to its end."""
        if len(self._buffer) < len(_LAST):
            return False
        if self._buffer.startswith(_LAST):
            self._within = _Within.EPILOGUE
            return True
        at = self._buffer.find(_LINE_END)
        padding = self._buffer if at < 0 else self._buffer[:at]
        if padding.strip(_BLANKS + b"\r") or len(padding) > HEAD_BYTES_MAX:
            raise InvalidValue("a delimiter's line is not the boundary alone, ended by CRLF")
        if at < 0:
            return False
        # The line end stays, for where a part has no headers it is the first half of the blank
        # line that ends them.
        del self._buffer[:at]
        self._within = _Within.HEAD
        return True

    def _read_head(self, events: list[Event]) -> bool:
        at = self._buffer.find(_HEAD_END, 0, HEAD_BYTES_MAX)
        if at < 0:
            if len(self._buffer) >= HEAD_BYTES_MAX:
                raise InvalidValue(f"a part's headers are longer than {HEAD_BYTES_MAX} bytes")
            return False
        events.append(_begins(bytes(self._buffer[:at])))
        del self._buffer[: at + len(_HEAD_END)]
        self._within = _Within.PART
        return True

    def _read_part(self, events: list[Event]) -> bool:
        at = self._buffer.find(self._delimiter)
        given = at if at >= 0 else len(self._buffer) - len(self._delimiter) + 1
        if given > 0:
            events.append(memoryview(bytes(memoryview(self._buffer)[:given])))
            del self._buffer[:given]
        if at < 0:
            return False
        events.append(PartEnds())
        return self._pass_delimiter()


def _begins(head: bytes) -> PartBegins:
    told: dict[bytes, str] = {}
    for line in head.split(_LINE_END):
        name, _, value = line.partition(b":")
        told.setdefault(name.strip().lower(), value.strip().decode("latin-1"))
    return PartBegins(
        content_type=ContentType.parse(told.get(b"content-type", "")),
        content_id=told.get(b"content-id", "").removeprefix("<").removesuffix(">"),
        transfer_encoding=told.get(b"content-transfer-encoding", "").lower(),
    )
