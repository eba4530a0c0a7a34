"""Whatever a frame holds, reading it either gives news or refuses it with a reason."""

import base64

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.errors import InvalidRequest
from gateway.hl7.message import decode
from gateway.intake.cda import read_cda
from gateway.intake.hl7_door import Hl7Door
from gateway.intake.messages import read_news
from tests.support.hl7_messages import Told, a_merge, an_mdm, an_omi, an_orm
from tests.support.reports import CDA, PARIS, a_report

MESSAGE = a_report()
MESSAGES = [MESSAGE, an_mdm(), an_omi(), an_orm(), a_merge()]
XML = CDA.encode()
# What stands in messages and what breaks them, more often than chance would have it.
pieces = st.sampled_from(
    [b"|", b"^", b"~", b"&", b"\\", b"\r", b"\n", b'"', b"<", b">", b"\x00", b"\xff", b"MSH|"]
) | st.binary(max_size=4)


@st.composite
def mutations(draw: st.DrawFn, original: bytes) -> bytes:
    """The original with some stretches of it replaced, doubled or gone."""
    text = original
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(text)))
        end = min(len(text), start + draw(st.integers(0, 40)))
        again = draw(st.booleans())
        text = text[:start] + draw(pieces) + (text[start:end] if again else b"") + text[end:]
    return text


@settings(max_examples=300)
@given(st.sampled_from(MESSAGES).flatmap(mutations))
def test_a_mutated_message_is_read_or_refused(message) -> None:
    try:
        news = read_news(decode(message), time_zone=PARIS)
    except InvalidRequest as refusal:
        reason = str(refusal)
    else:
        reason = ""
        assert len({one.message_digest for one in news}) == len(news) > 0

    assert reason.isascii()


@settings(max_examples=300)
@given(mutations(XML))
def test_a_mutated_cda_is_read_or_refused(xml) -> None:
    try:
        report = read_cda(xml, time_zone=PARIS)
    except InvalidRequest as refusal:
        reason = str(refusal)
    else:
        reason = ""
        assert report.studies
        assert report.organisation.number

    assert reason.isascii()


@settings(max_examples=100)
@given(
    st.binary(max_size=200)
    | st.sampled_from(MESSAGES).flatmap(mutations)
    | mutations(XML).map(lambda xml: a_report(cda=xml))
)
async def test_every_message_is_answered(message) -> None:
    assembler = Told()

    answer = await Hl7Door(assembler, PARIS).handle(message, "127.0.0.1")

    msa = answer.split(b"\r")[1]
    assert msa[:3] == b"MSA"
    assert msa[4:6] in (b"AA", b"AE")
    assert bool(assembler.news) == (msa[4:6] == b"AA")


@given(st.binary(max_size=300))
def test_any_bytes_as_a_document_are_refused(data) -> None:
    message = MESSAGE.replace(base64.b64encode(XML), base64.b64encode(data))
    assert message != MESSAGE

    try:
        read_news(decode(message), time_zone=PARIS)
    except InvalidRequest:
        return
    raise AssertionError("noise was read as a report")
