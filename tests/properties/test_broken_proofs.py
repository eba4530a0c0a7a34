"""Whatever is shown as a proof, it proves who it says or it is refused; nothing of it breaks."""

import base64
import re

from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from indexer.contract.document_set import DocumentSet
from indexer.contract.errors import InvalidValue
from indexer.server.access.assertions import prove
from indexer.server.access.policy import Unproved
from indexer.wire.proof.signature_document import check_signature
from indexer.wire.xml import open_xml
from tests.support.health_pki import NOW, a_structure
from tests.support.proving import RULES, TRUST, built
from tests.support.signing import a_signed_set
from tests.support.vihf import DOCTOR

ASSERTION = built()
CALLER = prove(ASSERTION, TRUST, RULES, NOW).caller
SET: DocumentSet = a_signed_set()
SIGNATURE = SET.documents[-1].content
CERTIFICATE = a_structure().key.certificate
PIECES = re.compile(rb"<[^>]*>|[^<]+")


def expect_proof_or_refusal(proof: bytes) -> None:
    try:
        proved = prove(proof, TRUST, RULES, NOW)
    except Unproved as error:
        refused = error
    else:
        assert proved.caller == CALLER
        return
    assert DOCTOR.patient.value not in refused.reason


@given(st.integers(0, len(ASSERTION) - 1), st.binary(max_size=3), st.integers(0, 40))
@settings(max_examples=300, deadline=None)
def test_bytes_that_are_changed(place: int, by: bytes, length: int) -> None:
    expect_proof_or_refusal(ASSERTION[:place] + by + ASSERTION[place + length :])


@given(st.data())
@settings(max_examples=300, deadline=None)
def test_pieces_that_are_left_out_doubled_or_exchanged(data: st.DataObject) -> None:
    pieces = PIECES.findall(ASSERTION)
    places = st.integers(0, len(pieces) - 1)
    for _ in range(data.draw(st.integers(1, 3))):
        one, other = data.draw(places), data.draw(places)
        match data.draw(st.sampled_from(["out", "twice", "exchanged"])):
            case "out":
                pieces[one] = b""
            case "twice":
                pieces[one] *= 2
            case _:
                pieces[one], pieces[other] = pieces[other], pieces[one]

    expect_proof_or_refusal(b"".join(pieces))


@given(st.data())
@settings(max_examples=300, deadline=None)
def test_elements_that_are_moved(data: st.DataObject) -> None:
    root = etree.fromstring(ASSERTION)
    elements = list(root.iter())[1:]
    moved, into = (
        data.draw(st.sampled_from(elements)),
        data.draw(st.sampled_from([root, *elements])),
    )
    if moved in into.iterancestors() or moved is into:
        return

    into.insert(data.draw(st.integers(0, len(into))), moved)

    expect_proof_or_refusal(etree.tostring(root))


@given(st.data())
@settings(max_examples=200, deadline=None)
def test_a_certificate_that_is_changed(data: st.DataObject) -> None:
    [text] = re.findall(rb"X509Certificate>([^<]+)<", ASSERTION)
    der = bytearray(base64.b64decode(text))
    der[data.draw(st.integers(0, len(der) - 1))] = data.draw(st.integers(0, 255))

    expect_proof_or_refusal(ASSERTION.replace(text, base64.b64encode(der)))


@given(st.integers(0, len(SIGNATURE) - 1), st.binary(max_size=3), st.integers(0, 40))
@settings(max_examples=300, deadline=None)
def test_a_signature_document_that_is_changed(place: int, by: bytes, length: int) -> None:
    content = SIGNATURE[:place] + by + SIGNATURE[place + length :]

    try:
        signed = check_signature(open_xml(content), CERTIFICATE, sha1=False)
    except InvalidValue:
        return
    assert all(
        signed.documents[one.entry.unique_id].matches(one.content) for one in SET.documents[:-1]
    )
