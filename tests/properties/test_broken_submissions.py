"""An ITI-41 message with bytes changed is read or refused, and never anything else."""

from contextlib import suppress

from hypothesis import given
from hypothesis import strategies as st

from indexer.contract.document_set import DocumentSet
from indexer.contract.errors import InvalidValue
from indexer.server.registry.judging import Known, allot, judge
from indexer.wire.soap.envelope import SoapFault, read_call
from indexer.wire.soap.mtom import PackageReader
from indexer.wire.xds.provide_request import read_provide_request
from tests.support.xds import a_set, package, provide_body

TYPE, WHOLE = package(a_set(1, 2), provide_body(a_set(1, 2), inline=False))
PIECES = st.sampled_from(
    [b"", b"<", b">", b'"', b"\r\n", b"--", b"&amp;", b"&x;", b"\xff", b"^", b"urn:uuid:", b"1", "é"
     .encode("utf-16")]
)  # fmt: skip


@st.composite
def changed(draw: st.DrawFn) -> bytes:
    """Some places of the message, each with up to 40 bytes of it replaced."""
    content = WHOLE
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(content)))
        content = content[:at] + draw(PIECES) + content[at + draw(st.integers(0, 40)) :]
    return content


@given(changed(), st.integers(1, 4096))
def test_a_message_with_bytes_changed_is_read_or_refused(content: bytes, step: int) -> None:
    reader = PackageReader(TYPE)
    with suppress(SoapFault, InvalidValue):
        for at in range(0, len(content), step):
            reader.feed(content[at : at + step])
        whole = reader.close()
        submitted, _ = read_provide_request(read_call(whole.root).body, whole)

        assert isinstance(submitted, DocumentSet)
        numbers = iter(range(100))
        judge([allot(submitted, lambda: str(next(numbers)))], Known())
