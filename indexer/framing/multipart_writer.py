"""Writes `multipart/related` bodies (RFC 2387), part by part, without holding any of them.

The writer makes the lines between the parts; whoever sends puts each part's bytes in between.
"""

import re
import secrets
from collections.abc import Mapping
from typing import Final

_BOUNDARY: Final = re.compile(r"[0-9A-Za-z'()+_,./:=?-]{1,70}")  # RFC 2046 §5.1.1, without blanks


class MultipartRelated:
    """The framing of one body whose parts are all of one media type.

    Args:
        part_type: media type of the parts, such as `application/dicom`.
        boundary: chosen at random by default, so that no instance can be made to hold it.
        parameters: more of Content-Type, such as `start`; none holds a quote.

    Raises:
        ValueError: the boundary is none.
    """

    def __init__(
        self,
        part_type: str,
        *,
        boundary: str | None = None,
        parameters: Mapping[str, str] | None = None,
    ) -> None:
        self._boundary = secrets.token_hex(16) if boundary is None else boundary
        if not _BOUNDARY.fullmatch(self._boundary):
            raise ValueError("not a boundary")
        self._parameters = {"type": part_type, "boundary": self._boundary, **(parameters or {})}
        self._begun = False

    @property
    def content_type(self) -> str:
        """Content-Type of the whole body (PS3.18 §8.7.3)."""
        told = (f'; {name}="{value}"' for name, value in self._parameters.items())
        return "multipart/related" + "".join(told)

    def part(
        self, content_type: str, *, size_bytes: int, content_id: str = "", location: str = ""
    ) -> bytes:
        """What goes before the next part's bytes.

        Args:
            content_id: by which another part refers to it (RFC 2392); empty for none. Such a part
                says that its bytes are as they are, as XOP has it (§4.1, RFC 2045 §6).
            location: address of what the part is of (Content-Location); empty for none.

        Raises:
            ValueError: the content type or the location would end its line.
        """
        if any(sign in text for sign in "\r\n" for text in (content_type, location)):
            raise ValueError("a content type is one line, and so is a location")
        named = f"Content-ID: <{content_id}>\r\n" if content_id else ""
        named += "Content-Transfer-Encoding: binary\r\n" if content_id else ""
        named += f"Content-Location: {location}\r\n" if location else ""
        head = (
            f"--{self._boundary}\r\n"
            f"Content-Type: {content_type}\r\n"
            f"{named}"
            f"Content-Length: {size_bytes}\r\n\r\n"
        ).encode("ascii")
        between = b"\r\n" if self._begun else b""
        self._begun = True
        return between + head

    def end(self) -> bytes:
        """What goes after the last part. A body that lacks it was broken off."""
        between = b"\r\n" if self._begun else b""
        return between + f"--{self._boundary}--\r\n".encode("ascii")
