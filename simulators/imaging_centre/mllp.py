"""Sends HL7 messages over MLLP, in the clear or over TLS, without the help of any HL7 library."""

import asyncio
import socket
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ANSWER_BYTES_MAX = 64 * 1024
HANDSHAKE_S_MAX = 10.0
_START, _END = b"\x0b", b"\x1c\r"  # the MLLP frame, HL7 2.5 appendix C §4.3

CHARACTER_SETS: Final = {
    "UNICODE UTF-8": "utf-8",
    "8859/1": "iso8859-1",
    "8859/15": "iso8859-15",
    "": "utf-8",  # as the agency's test set does where it leaves MSH-18 empty
}
"""Codecs by MSH-18 (HL7 table 0211)."""


@dataclass(frozen=True, slots=True)
class Message:
    """A message ready to be sent."""

    control_id: str
    text: str
    """Segments that end in CR."""
    charset: str = "UNICODE UTF-8"
    """Its MSH-18."""

    @property
    def data(self) -> bytes:
        """The message in its own characters.

        Raises:
            UnicodeEncodeError: its character set has not all of them.
        """
        return self.text.encode(CHARACTER_SETS[self.charset])


class NotAcknowledged(Exception):
    """The receiver did not answer, or answered something else than `AA`.

    Args:
        code: MSA-1 of its answer; empty where there was none for the message.
        reason: what the answer says of it.
    """

    def __init__(self, told: str, *, code: str = "", reason: str = "") -> None:
        super().__init__(told)
        self.code, self.reason = code, reason


async def send(
    message: Message,
    host: str,
    port: int,
    *,
    tls: ssl.SSLContext | None = None,
    within_s: float = 30.0,
) -> None:
    """Send a message on a connection of its own and wait for its acknowledgement.

    Raises:
        NotAcknowledged: nobody answers in time, or the answer is not `AA` for this message.
        UnicodeEncodeError: the message's character set has not all of its characters.
    """
    data = message.data
    try:
        async with asyncio.timeout(within_s):
            answer = await _exchange(data, host, port, tls)
    except (OSError, TimeoutError, EOFError, asyncio.LimitOverrunError) as error:
        why = _why_no_answer(error, by_tls=tls is not None, within_s=within_s)
        raise NotAcknowledged(f"{host}:{port}: {why}") from error
    segments = {segment[:3]: segment.split("|") for segment in answer.split("\r")}
    code, control_id, text = [*segments.get("MSA", [])[1:4], "", "", ""][:3]
    if (code, control_id) == ("AA", message.control_id):
        return
    raise NotAcknowledged(
        f"the message was not accepted: {code}".removesuffix(": "),
        code=code,
        reason=_reason(segments.get("ERR", []), text),
    )


def tls_context(ca: Path, certificate: Path | None, key: Path | None) -> ssl.SSLContext:
    """What a sender shows of itself, and whom it believes (PEM files).

    Raises:
        OSError: a file cannot be read, or is none (ssl.SSLError).
    """
    context = ssl.create_default_context(cafile=ca)
    if certificate is not None:
        context.load_cert_chain(certificate, key)
    return context


async def _exchange(message: bytes, host: str, port: int, tls: ssl.SSLContext | None) -> str:
    reader, writer = await asyncio.open_connection(
        host,
        port,
        limit=ANSWER_BYTES_MAX,
        ssl=tls,
        ssl_handshake_timeout=HANDSHAKE_S_MAX if tls else None,
    )
    try:
        writer.write(_START + message + _END)
        await writer.drain()
        framed = await reader.readuntil(_END)
    finally:
        writer.close()
        await writer.wait_closed()
    return framed.removeprefix(_START).removesuffix(_END).decode(errors="replace")


def _why_no_answer(error: Exception, *, by_tls: bool, within_s: float) -> str:
    match error:
        case ssl.SSLCertVerificationError():
            return f"its certificate is not taken: {error.verify_message}"
        case ssl.SSLError(reason="WRONG_VERSION_NUMBER"):
            return "it does not speak TLS"
        case ssl.SSLError():
            return f"TLS: {(error.reason or 'it failed').lower().replace('_', ' ')}"
        case ConnectionRefusedError():
            return "nothing listens there"
        case socket.gaierror():
            return "the name leads to no address"
        case ConnectionError() | EOFError():
            mend = "not speak TLS, or take the sender's certificate" if by_tls else "want TLS"
            return f"it ended the connection without an answer: it may {mend}"
        case TimeoutError():
            return f"no answer within {within_s:.0f} s"
        case _:
            return f"no acknowledgement came: {type(error).__name__}"


def _reason(err: list[str], msa_3: str) -> str:
    """The reason for a person (ERR-8) and its place (ERR-2); MSA-3 of those who know no ERR."""
    reason = err[8] if len(err) > 8 else msa_3
    place = err[2] if len(err) > 2 else ""
    return f"{reason} ({place})" if place else reason
