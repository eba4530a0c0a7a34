"""However bytes are cut, and whatever they are, framing holds and the server stands."""

import asyncio

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.hl7.faults import RefusedMessage
from gateway.hl7.frames import END, START, FrameReader
from gateway.hl7.mllp import MllpLimits, MllpServer

contents = st.binary(max_size=60).map(lambda data: data.replace(START, b"").replace(END[:1], b""))
between = st.text("\r\n", max_size=3).map(str.encode)
noise = st.lists(
    st.sampled_from([START, END, END[:1], b"\r", b"\n", b"MSH|^~\\&|", b"x" * 50]) | st.binary(),
    max_size=12,
).map(b"".join)


@given(st.lists(st.tuples(contents, between)), st.data())
def test_messages_come_out_as_they_went_in_wherever_the_stream_is_cut(told, data) -> None:
    stream = b"".join(START + message + END + gap for message, gap in told)
    cuts = data.draw(st.lists(st.integers(0, len(stream)), max_size=20).map(sorted))
    frames = FrameReader(message_bytes_max=60)

    taken = []
    for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        frames.feed(stream[start:end])
        while (message := frames.take()) is not None:
            taken.append(message)

    assert taken == [message for message, _ in told]
    assert not frames.within_message


@given(noise, st.data())
def test_what_is_taken_does_not_depend_on_the_cuts(stream, data) -> None:
    cuts = data.draw(st.lists(st.integers(0, len(stream)), max_size=10).map(sorted))
    pieces = [
        stream[start:end] for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True)
    ]

    assert _taken([stream]) == _taken(pieces)


def _taken(pieces: list[bytes]) -> tuple[list[bytes], bool]:
    """The messages of a stream, and whether it was refused after them."""
    frames = FrameReader(message_bytes_max=100)
    taken: list[bytes] = []
    try:
        for piece in pieces:
            frames.feed(piece)
            while (message := frames.take()) is not None:
                assert not set(START + END[:1]) & set(message)
                assert len(message) <= 100
                taken.append(message)
    except RefusedMessage:
        return taken, True
    return taken, False


@settings(max_examples=30)
@given(st.lists(noise, max_size=4))
def test_whatever_senders_send_the_next_one_is_served(streams) -> None:
    async def talk() -> None:
        limits = MllpLimits(message_bytes_max=100, message_s=5, answer_s=5)

        async def handle(message: bytes, peer: str) -> bytes:
            return b"taken"

        server = await MllpServer.start(
            "127.0.0.1", 0, handle=handle, admits=lambda peer: True, limits=limits
        )
        async with asyncio.timeout(30):
            for stream in streams:
                await _send(server.port, stream)
            answer = await _send(server.port, START + b"hello" + END)
        await server.close()
        assert answer == START + b"taken" + END

    asyncio.run(talk())


async def _send(port: int, stream: bytes) -> bytes:
    """Send all of it, hang up, and read what was answered until the server does too."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(stream)
    writer.write_eof()
    answer = await reader.read()
    writer.close()
    return answer
