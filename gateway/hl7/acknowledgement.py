"""The answer to a message, in original mode (HL7 2.5 §2.9.2.1).

AA  taken: from here on it is ours
AE  refused: the same message again would be refused again; ERR says why and where
AR  not now: the sender keeps it and tries again
"""

import secrets
from datetime import datetime
from enum import StrEnum
from typing import Final

from gateway.hl7.faults import RefusedMessage
from gateway.hl7.message import Header

VERSION = "2.5"
"""MSH-12 of an answer to a message that names no version."""

WITHOUT_ERR_2: Final = frozenset({"2.1", "2.2", "2.3", "2.3.1", "2.4"})
"""Versions in which ERR has its first field only."""

ECHO_LENGTH_MAX = 255  # characters; an HD or a control id is far shorter


class AckCode(StrEnum):
    """MSA-1 (HL7 table 0008)."""

    ACCEPTED = "AA"
    ERROR = "AE"
    REJECTED = "AR"


def acknowledge(
    header: Header, code: AckCode, fault: RefusedMessage | None = None, *, answered_at: datetime
) -> bytes:
    """The ACK to a message of this header, in its own separators and bytes.

    The reason stands in ERR-8, and in MSA-3 too: that field is deprecated, yet it is what most
    senders show.

    Args:
        fault: what to say in MSA-3 and ERR; required for anything but success.
        answered_at: aware.
    """
    component = header.encoding[0]
    _, _, trigger = _echo(header, 9).partition(component)
    trigger = trigger.split(component)[0]
    msh = {
        3: _echo(header, 5),
        4: _echo(header, 6),
        5: _echo(header, 3),
        6: _echo(header, 4),
        7: answered_at.strftime("%Y%m%d%H%M%S%z"),
        9: component.join(["ACK", trigger, "ACK"]) if trigger else "ACK",
        10: secrets.token_hex(10),
        11: _echo(header, 11) or "P",
        12: _echo(header, 12) or VERSION,
        18: _echo(header, 18),
    }
    last = 18 if msh[18] else 12
    opening = f"MSH{header.separator}{header.encoding}"
    segments = [
        header.separator.join([opening, *(msh.get(number, "") for number in range(3, last + 1))]),
        header.separator.join(["MSA", code, _echo(header, 10)]),
    ]
    if fault is not None:
        segments[1] += header.separator + _escaped(str(fault), header)
        segments.append(_err(fault, header))
    # A byte of the message stands as one character of the header, so it goes back unchanged.
    return "".join(f"{segment}\r" for segment in segments).encode("latin-1", "replace")


def _err(fault: RefusedMessage, header: Header) -> str:
    """Place, condition and reason. The first field says the first two in the way of the versions
    before 2.5; what came later is passed over by who speaks those (HL7 2.5 §2.8.2)."""
    component = header.encoding[0]
    words = [fault.code, fault.code.meaning, "HL70357"]
    location = fault.location.replace("^", component)
    reason = _escaped(str(fault), header)
    old = ""
    if _echo(header, 12).split(component)[0] in WITHOUT_ERR_2:
        segment, sequence, field = (fault.location.split("^")[:3] + [""] * 3)[:3]
        old = component.join([segment, sequence, field, header.encoding[3].join(words)])
    fields = ["ERR", old, location, component.join(words), "E", "", "", "", reason]
    return header.separator.join(fields)


def _echo(header: Header, field: int) -> str:
    return header.field(field)[:ECHO_LENGTH_MAX]


def _escaped(text: str, header: Header) -> str:
    """The text with delimiters as escape sequences (HL7 2.5 §2.7.1)."""
    escape, names = header.encoding[2], header.escapes
    return "".join(f"{escape}{names[one]}{escape}" if one in names else one for one in text)
