"""A peer that sends what it likes: bytes it frames itself, correct or not."""

import asyncio
import struct
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress

CT = "1.2.840.10008.5.1.4.1.1.2"
MR = "1.2.840.10008.5.1.4.1.1.4"
VERIFICATION = "1.2.840.10008.1.1"
EXPLICIT = "1.2.840.10008.1.2.1"

ACCEPT, REJECT, DATA, RELEASE_RQ, RELEASE_RP, ABORT = 2, 3, 4, 5, 6, 7


def pdu(kind: int, payload: bytes) -> bytes:
    return struct.pack(">BxI", kind, len(payload)) + payload


def item(kind: int, payload: bytes) -> bytes:
    return struct.pack(">BxH", kind, len(payload)) + payload


def associate_rq(
    contexts: Sequence[tuple[str, Sequence[str]]] = ((CT, (EXPLICIT,)),),
    *,
    calling: str = "MODALITY",
    called: str = "DRIMBOX",
    version: int = 1,
    application_context: str = "1.2.840.10008.3.1.1.1",
    extra: bytes = b"",
    extra_user: bytes = b"",
) -> bytes:
    encoded = item(0x10, application_context.encode())
    for index, (abstract, syntaxes) in enumerate(contexts):
        inner = item(0x30, abstract.encode())
        inner += b"".join(item(0x40, syntax.encode()) for syntax in syntaxes)
        encoded += item(0x20, bytes(((2 * index + 1) % 256, 0, 0, 0)) + inner)
    user = item(0x51, struct.pack(">I", 16384)) + item(0x52, b"1.2.3") + extra_user
    encoded += item(0x50, user) + extra
    fixed = struct.pack(">HH16s16s32x", version, 0, called.ljust(16).encode(), _title(calling))
    return pdu(1, fixed + encoded)


def associate_ac(request: bytes) -> bytes:
    """The answer that accepts every context of a request, in its first transfer syntax."""
    accepted = item(0x10, b"1.2.840.10008.3.1.1.1")
    for number, syntaxes in contexts_asked(request).values():
        inner = item(0x40, syntaxes[0].encode())
        accepted += item(0x21, bytes((number, 0, 0, 0)) + inner)
    user = item(0x51, struct.pack(">I", 16384)) + item(0x52, b"1.2.3")
    return pdu(ACCEPT, request[6:74] + accepted + item(0x50, user))


def contexts_asked(request: bytes) -> dict[tuple[str, str], tuple[int, list[str]]]:
    """Id and transfer syntaxes of each context, by its abstract syntax and first of them."""
    found = {}
    for kind, context in _items(request[74:]):
        if kind == 0x20:
            (_, abstract), *proposed = _items(context[4:])
            syntaxes = [one.decode() for _, one in proposed]
            found[abstract.decode(), syntaxes[0]] = (context[0], syntaxes)
    return found


def _items(encoded: bytes) -> list[tuple[int, bytes]]:
    items = []
    while encoded:
        kind, length = struct.unpack_from(">BxH", encoded)
        items.append((kind, encoded[4 : 4 + length]))
        encoded = encoded[4 + length :]
    return items


def _title(text: str) -> bytes:
    return text.ljust(16).encode()


def fragment(data: bytes, *, context: int = 1, control: int) -> bytes:
    return struct.pack(">IBB", len(data) + 2, context, control) + data


def command_pdu(encoded: bytes, *, context: int = 1) -> bytes:
    return pdu(DATA, fragment(encoded, context=context, control=3))


def data_pdu(data: bytes, *, context: int = 1, last: bool = True) -> bytes:
    return pdu(DATA, fragment(data, context=context, control=2 if last else 0))


def element(number: int, value: bytes) -> bytes:
    return struct.pack("<HHI", 0, number, len(value)) + value


def uid(text: str) -> bytes:
    return text.encode() + b"\0" * (len(text) % 2)


def us(number: int) -> bytes:
    return struct.pack("<H", number)


def store_rq(
    *,
    sop_class: str = CT,
    sop_instance: str = "1.2.3.4",
    data_set_type: int = 1,
    extra: bytes = b"",
    field: int = 1,
) -> bytes:
    body = element(0x0002, uid(sop_class)) + element(0x0100, us(field)) + element(0x0110, us(7))
    body += element(0x0700, us(0)) + element(0x0800, us(data_set_type))
    body += element(0x1000, uid(sop_instance)) + extra
    return element(0x0000, struct.pack("<I", len(body))) + body


class RawPeer:
    """The requestor's end of a connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def send(self, encoded: bytes) -> None:
        self.writer.write(encoded)
        await self.writer.drain()

    async def read_pdu(self) -> tuple[int, bytes]:
        async with asyncio.timeout(10):
            kind, length = struct.unpack(">BxI", await self.reader.readexactly(6))
            return kind, await self.reader.readexactly(length)

    async def read_status(self) -> int:
        """The status of the next answer, and nothing but an answer."""
        kind, payload = await self.read_pdu()
        assert kind == DATA
        at = payload.index(struct.pack("<HHI", 0, 0x0900, 2)) + 8
        return int.from_bytes(payload[at : at + 2], "little")

    async def associate(self, encoded: bytes | None = None) -> bytes:
        await self.send(encoded if encoded is not None else associate_rq())
        kind, payload = await self.read_pdu()
        assert kind == ACCEPT
        return payload

    async def is_closed(self, *, within_s: float = 10) -> bool:
        """Whether the other end closes, having said nothing more."""
        async with asyncio.timeout(within_s):
            with suppress(ConnectionError):
                return await self.reader.read(1) == b""
        return True


@asynccontextmanager
async def connect(port: int) -> AsyncIterator[RawPeer]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield RawPeer(reader, writer)
    finally:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()
