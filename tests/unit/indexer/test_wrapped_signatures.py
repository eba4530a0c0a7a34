"""A signature that holds, around something else than what is read, proves nothing.

Signature wrapping (Somorovsky et al., On Breaking SAML, 2012): what is signed is kept where a
checker finds it, and what is not is put where a reader looks.
"""

from collections.abc import Callable, Sequence

import pytest
from lxml import etree

from indexer.wire.proof import vocabulary as names
from indexer.wire.proof.signatures import DS
from indexer.wire.soap.envelope import SECURITY
from indexer.wire.soap.head import find_assertion, head_of
from indexer.wire.xml import Element
from tests.support.proving import built, proved, refused
from tests.support.vihf import DOCTOR
from tests.support.xds import QUERY, SPACES, envelope, query_body

EVIL = "162018885045327^^^&1.2.250.1.213.1.4.10&ISO^NH"
SAML = f"{{{names.SAML}}}"


def parts() -> tuple[Element, Element, Element]:
    """A good assertion, its signature, and an evil one that tells of another patient."""
    good = etree.fromstring(built())
    signature = good.find(f"{{{DS}}}Signature")
    assert signature is not None
    evil = etree.fromstring(etree.tostring(good))
    evil_signature = evil.find(f"{{{DS}}}Signature")
    assert evil_signature is not None
    evil.remove(evil_signature)
    evil.set("ID", "_evil")
    [patient] = evil.iterfind(
        f".//{SAML}Attribute[@Name='{names.RESOURCE_ID}']/{SAML}AttributeValue"
    )
    patient.text = EVIL
    return good, signature, evil


def xsw1_the_signed_within_the_signature_of_the_evil() -> Sequence[Element]:
    good, signature, evil = parts()
    evil.insert(1, signature)
    signature.append(good)
    return [evil]


def xsw2_the_signed_beside_the_signature_of_the_evil() -> Sequence[Element]:
    good, signature, evil = parts()
    good.remove(signature)
    evil.insert(1, good)
    evil.insert(1, signature)
    return [evil]


def xsw3_the_evil_before_the_signed() -> Sequence[Element]:
    good, _, evil = parts()
    return [evil, good]


def xsw4_the_signed_within_the_evil() -> Sequence[Element]:
    good, _, evil = parts()
    evil.append(good)
    return [evil]


def xsw5_the_signature_in_the_evil_and_the_signed_after_it() -> Sequence[Element]:
    good, signature, evil = parts()
    good.remove(signature)
    evil.insert(1, signature)
    return [evil, good]


def xsw6_the_signed_within_the_signature_that_the_evil_has() -> Sequence[Element]:
    good, signature, evil = parts()
    good.remove(signature)
    evil.insert(1, signature)
    signature[-1].append(good)  # KeyInfo
    return [evil]


def xsw7_the_evil_within_extensions_before_the_signed() -> Sequence[Element]:
    good, _, evil = parts()
    extensions = etree.Element("Extensions")
    extensions.append(evil)
    return [extensions, good]


def xsw8_the_signed_within_an_object_of_the_signature() -> Sequence[Element]:
    good, signature, evil = parts()
    good.remove(signature)
    evil.insert(1, signature)
    etree.SubElement(signature, f"{{{DS}}}Object").append(good)
    return [evil]


def the_same_id() -> Sequence[Element]:
    good, signature, evil = parts()
    evil.set("ID", good.get("ID", ""))
    good.remove(signature)
    evil.insert(1, signature)
    etree.SubElement(signature, f"{{{DS}}}Object").append(good)
    return [evil]


def the_evil_within_the_signed() -> Sequence[Element]:
    good, _, evil = parts()
    good.append(evil)
    return [good]


def two_signatures() -> Sequence[Element]:
    good, signature, _ = parts()
    good.insert(1, etree.fromstring(etree.tostring(signature, with_tail=False)))
    return [good]


def another_reference() -> Sequence[Element]:
    good, signature, _ = parts()
    next(signature.iter(f"{{{DS}}}Reference")).set("URI", "")
    return [good]


def many_transforms() -> Sequence[Element]:
    good, signature, _ = parts()
    [transforms] = signature.iter(f"{{{DS}}}Transforms")
    transforms.append(etree.fromstring(etree.tostring(transforms[-1])))
    return [good]


WRAPPED = [
    xsw1_the_signed_within_the_signature_of_the_evil,
    xsw2_the_signed_beside_the_signature_of_the_evil,
    xsw4_the_signed_within_the_evil,
    xsw5_the_signature_in_the_evil_and_the_signed_after_it,
    xsw6_the_signed_within_the_signature_that_the_evil_has,
    xsw8_the_signed_within_an_object_of_the_signature,
    xsw3_the_evil_before_the_signed,
    the_same_id,
    the_evil_within_the_signed,
    two_signatures,
    another_reference,
    many_transforms,
]


def in_an_envelope(security: Sequence[Element]) -> bytes | None:
    """The assertion that an index would take of these."""
    header = etree.Element(f"{{{SECURITY}}}Security")
    header.extend(security)
    root = etree.fromstring(envelope(QUERY, query_body("1", [])))
    found = root.find("env:Header", SPACES)
    assert found is not None
    found.append(header)
    head = head_of(etree.tostring(root))
    assert head is not None
    return find_assertion(head)


@pytest.mark.parametrize("wrapped", WRAPPED, ids=lambda one: one.__name__)
def test_a_wrapped_assertion_proves_nothing(wrapped: Callable[[], Sequence[Element]]) -> None:
    proof = in_an_envelope(wrapped())

    assert proof is not None
    refused(proof)


def test_of_a_signed_one_beside_extensions_the_signed_one_is_read() -> None:
    proof = in_an_envelope(xsw7_the_evil_within_extensions_before_the_signed())

    assert proof is not None
    assert proved(proof).caller.patient == DOCTOR.patient


def test_an_assertion_is_taken_out_of_its_envelope_as_it_was_signed() -> None:
    proof = in_an_envelope([etree.fromstring(built())])

    assert proof is not None
    assert proved(proof).caller.patient == DOCTOR.patient
