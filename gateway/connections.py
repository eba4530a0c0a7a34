"""Takes connections for protocols other than HTTP, and opens their streams, with TLS or not."""

import asyncio
import logging
import socket
import ssl
from collections.abc import AsyncIterator
from typing import Final

log = logging.getLogger(__name__)

BACKLOG_MAX: Final = 128
ACCEPT_AGAIN_S: Final = 1.0
"""After a connection could not be accepted, as when no descriptor is left."""


def listen(host: str, port: int) -> socket.socket:
    """A listening socket for `arrivals`; port 0 takes a free one.

    Raises:
        OSError: the address cannot be listened on.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.create_server((host, port), family=family, backlog=BACKLOG_MAX)
    listening.setblocking(False)
    return listening


async def arrivals(listening: socket.socket) -> AsyncIterator[tuple[socket.socket, str]]:
    """Connections with the address that each comes from, until cancelled; closes the socket."""
    loop = asyncio.get_running_loop()
    with listening:
        while True:
            try:
                connection, address = await loop.sock_accept(listening)
            except OSError as error:
                log.warning("connection_not_accepted", extra={"errno": error.errno})
                await asyncio.sleep(ACCEPT_AGAIN_S)
            else:
                connection.setblocking(False)
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                yield connection, str(address[0])


async def open_streams(
    connection: socket.socket,
    tls: ssl.SSLContext | None,
    *,
    buffered_bytes: int,
    handshake_s: float,
    shutdown_s: float,
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """The streams of a connection, once it has come to terms with TLS where that is spoken.

    Called in the connection's own task: a listener would shake hands with any number at once. TLS
    has the socket from the start, for what is read before it takes over is lost to it.

    Args:
        buffered_bytes: read ahead of whoever reads.
        handshake_s: for the handshake of TLS.
        shutdown_s: for its end.

    Raises:
        OSError: there is no connection any more, or no TLS, in the time that it has.
    """
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=buffered_bytes, loop=loop)
    protocol = asyncio.StreamReaderProtocol(reader, loop=loop)
    transport, _ = await loop.connect_accepted_socket(
        lambda: protocol,
        connection,
        ssl=tls,
        ssl_handshake_timeout=handshake_s if tls else None,
        ssl_shutdown_timeout=shutdown_s if tls else None,
    )
    return reader, asyncio.StreamWriter(transport, protocol, reader, loop)


def why_no_tls(error: Exception) -> str:
    """Why a handshake failed, or a file of its own cannot be used, in OpenSSL's words for it.

    They quote nothing that a peer sent, and so may be logged.
    """
    if isinstance(error, ssl.SSLError):
        verified: str = getattr(error, "verify_message", "")
        return verified or (error.reason or "not a PEM file").lower().replace("_", " ")
    if isinstance(error, ConnectionAbortedError):
        return "it took too long"
    if isinstance(error, ConnectionError):
        return "the peer hung up"
    return str(getattr(error, "strerror", None) or type(error).__name__)
