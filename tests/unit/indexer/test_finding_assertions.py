"""An assertion is found in the header of a message, though the rest has not come."""

import pytest
from lxml import etree

from indexer.wire.proof.vocabulary import SAML
from indexer.wire.soap.envelope import ENVELOPE, SECURITY
from indexer.wire.soap.head import find_assertion, head_of

ASSERTION = f'<s:Assertion xmlns:s="{SAML}" ID="_1"><s:Issuer>x</s:Issuer></s:Assertion>'


def message(header: str, *, prefix: str = "env", rest: str = "<{0}Body><broken") -> bytes:
    name = f"{prefix}:" if prefix else ""
    space = f"xmlns:{prefix}" if prefix else "xmlns"
    return (
        f'<?xml version="1.0"?>\n<{name}Envelope {space}="{ENVELOPE}">{header.format(name)}'
        + rest.format(name)
    ).encode()


def header(*inside: str) -> str:
    security = f'<w:Security xmlns:w="{SECURITY}">{"".join(inside)}</w:Security>'
    return f"<{{0}}Header>{security}</{{0}}Header>"


@pytest.mark.parametrize("prefix", ["env", "S", "soap-env", ""])
def test_it_is_found_before_the_body_has_come(prefix: str) -> None:
    head = head_of(message(header(ASSERTION), prefix=prefix))

    assert head is not None
    found = find_assertion(head)
    assert found is not None
    assert etree.fromstring(found).get("ID") == "_1"


def test_namespaces_of_the_envelope_go_with_it() -> None:
    inside = '<s:Assertion a:b="c"/>'
    head = head_of(
        f'<e:Envelope xmlns:e="{ENVELOPE}" xmlns:s="{SAML}" xmlns:a="urn:a"><e:Header>'
        f'<w:Security xmlns:w="{SECURITY}">{inside}</w:Security></e:Header>'.encode()
    )

    assert head is not None
    assert etree.fromstring(find_assertion(head) or b"").get("{urn:a}b") == "c"


@pytest.mark.parametrize("data", [
    b"", b"<", message(header(ASSERTION)[:-4]), message("", rest="<{0}Body/>"), b"\xff\xfe<",
])  # fmt: skip
def test_there_is_no_head_where_no_header_has_ended(data: bytes) -> None:
    assert head_of(data) is None


@pytest.mark.parametrize("told, found", [
    (header(), None),
    (header("<Assertion/>"), None),
    (header(f'<x>{ASSERTION}</x>'), None),
    (f"<{{0}}Header>{ASSERTION}</{{0}}Header>", None),
    (header(ASSERTION, ASSERTION), b""),
    (header(ASSERTION) .replace("</w:", "<broken></w:"), b""),
    (f"<!-- {header(ASSERTION)} -->", b""),
    (f"<{{0}}Header><![CDATA[ {header(ASSERTION)} ]]></{{0}}Header>", b""),
])  # fmt: skip
def test_what_is_no_assertion_in_the_security_header_is_none(
    told: str, found: bytes | None
) -> None:
    head = head_of(message(told))

    assert head is not None
    assert find_assertion(head) == found
