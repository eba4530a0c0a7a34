"""Runs a program that insists on listening on every interface, where loopback is the only one.

    python tests/support/confined.py IN_PORTS OUT_PORTS COMMAND...

The command gets a network of its own. What comes to 127.0.0.1 at one of IN_PORTS (a list parted by
commas) is passed in, and what it sends to 127.0.0.1 at one of OUT_PORTS is passed out. Where the
system allows nobody a network of their own, the command runs as it would without this.

A benchmark goes into such a network as a whole, with no port to pass: what it starts there is alone
already, which it tells by ALONE, and nothing of ours carries its bytes.
"""

import asyncio
import ctypes
import fcntl
import os
import signal
import socket
import struct
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress

HOST = "127.0.0.1"
ALONE = "DRIM_ALONE"
"""In the environment of what this has run: 1 where loopback is all that it has."""
CONNECTIONS_OUT_MAX = 256
READ_BYTES = 256 * 1024

# Of Linux: unshare(2), prctl(2), netdevice(7).
CLONE_NEWUSER, CLONE_NEWNET = 0x10000000, 0x40000000
PR_SET_PDEATHSIG = 1
SIOCSIFFLAGS, IFF_UP = 0x8914, 1

Passed = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

_libc = ctypes.CDLL(None, use_errno=True)


def run(ports_in: Sequence[int], ports_out: Sequence[int], command: Sequence[str]) -> None:
    """Become the command; a child of it carries its connections, and ends with it."""
    # A socket stays in the network that it was made in, so those of ours are made first.
    listening = {port: socket.create_server((HOST, port)) for port in ports_in}
    ours = [_new_socket() for _ in range(CONNECTIONS_OUT_MAX)]
    alone = _leave_network()
    os.environ[ALONE] = "1" if alone else ""
    if alone and (ports_in or ports_out):
        command_id = os.getpid()
        if os.fork() == 0:
            _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
            if os.getppid() == command_id:
                asyncio.run(_carry(listening, ports_out, ours))
            os._exit(0)
    # All these sockets are closed by the next line.
    os.execvp(command[0], list(command))


def _leave_network() -> bool:
    flags = CLONE_NEWNET if os.geteuid() == 0 else CLONE_NEWUSER | CLONE_NEWNET
    if _libc.unshare(flags) != 0:
        return False
    with _new_socket() as any_socket:
        fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", IFF_UP))
    return True


def _new_socket() -> socket.socket:
    # Of this protocol by name: asyncio else leaves Nagle's algorithm on.
    return socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)


async def _carry(
    listening: Mapping[int, socket.socket], ports_out: Sequence[int], ours: list[socket.socket]
) -> None:
    async with asyncio.TaskGroup() as tasks:
        for port, sock in listening.items():
            server = await asyncio.start_server(_passing(port, _new_socket), sock=sock)
            tasks.create_task(server.serve_forever())
        for port in ports_out:
            server = await asyncio.start_server(_passing(port, ours.pop), HOST, port)
            tasks.create_task(server.serve_forever())


def _passing(port: int, a_socket: Callable[[], socket.socket]) -> Passed:
    async def passed(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            sock = a_socket()
            sock.setblocking(False)
            await asyncio.get_running_loop().sock_connect(sock, (HOST, port))
            other_reader, other_writer = await asyncio.open_connection(sock=sock)
        except (OSError, IndexError):  # nobody listens, or all of ours are used
            writer.transport.abort()
            return
        await asyncio.gather(_pump(reader, other_writer), _pump(other_reader, writer))

    return passed


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(READ_BYTES):
            writer.write(data)
            await writer.drain()
        if writer.can_write_eof():
            writer.write_eof()
            return
    writer.transport.abort()


def _ports(listed: str) -> list[int]:
    return [int(port) for port in listed.split(",") if port]


if __name__ == "__main__":
    run(_ports(sys.argv[1]), _ports(sys.argv[2]), sys.argv[3:])
