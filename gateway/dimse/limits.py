"""Bounds on what a peer can make the acceptor hold or wait for."""

from dataclasses import dataclass

CONTEXTS_MAX = 128  # odd numbers of one byte, PS3.8 §9.3.2.2
TRANSFER_SYNTAXES_MAX = 64  # per presentation context; the standard defines fewer than 64
USER_ITEMS_MAX = 512  # user information sub-items of one association request
FRAGMENTS_MAX = 256  # presentation data values in one P-DATA-TF PDU; peers send one or two


@dataclass(frozen=True, slots=True, kw_only=True)
class DimseLimits:
    """Ceilings of the acceptor. Bytes, seconds and counts, as each name says."""

    associations_max: int = 64
    """Connections served at once; one more is refused before anything is read from it, unless one
    of them is silent (`handshake_room_s`)."""

    pdu_bytes_announced: int = 256 * 1024
    """Maximum length that we announce (PS3.8 Annex D.1)."""

    pdu_bytes_max: int = 1024 * 1024
    """Longest PDU that we read; some peers go over what was announced."""

    command_bytes_max: int = 16 * 1024
    """Longest command set; a C-STORE request takes about 300 bytes."""

    message_bytes_max: int = 4 * 1024**3
    """Longest data set of a C-STORE; longer ones are refused as out of resources."""

    notification_bytes_max: int = 16 * 1024**2
    """Longest data set of an N-CREATE, which is held in memory."""

    notification_bytes_short: int = 256 * 1024
    """Longer ones are taken apart one at a time, for each item of theirs takes a kilobyte."""

    drained_bytes_max: int = 64 * 1024**2
    """How much of a refused data set is read to its end, so that the refusal can be told; after
    that the association is aborted."""

    handshake_s: float = 15.0
    """From the connection to the end of the association request: ARTIM of PS3.8 §9.1.4."""

    handshake_room_s: float = 1.0
    """When all places are taken, a connection that has not associated by then gives up its own."""

    idle_s: float = 600.0
    """Without a PDU on an established association."""

    pdu_s: float = 60.0
    """From the first byte of a PDU to its last."""

    message_s: float = 3600.0
    """From the first fragment of a message to its last."""

    handler_s: float = 900.0
    """For a handler to answer. Long, for a moved instance waits here for its slow reader."""

    write_s: float = 30.0
    """For the peer to take what we write."""

    artim_s: float = 10.0
    """For the peer to close after a refusal, an abort or a release (PS3.8 §9.1.4)."""
