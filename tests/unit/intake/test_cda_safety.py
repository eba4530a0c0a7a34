"""A hostile CDA costs little and reveals nothing."""

import pytest

from gateway.errors import InvalidRequest
from gateway.intake.cda import read_cda
from gateway.intake.cda_xml import CDA_BYTES_MAX, MARKUP_MAX
from tests.support.reports import CDA, PARIS, a_cda

DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>'
BODY = "JVBERi0="


@pytest.mark.parametrize(
    "doctype",
    [
        '<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;&a;">]>',
        '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/hostname">]>',
        '<!DOCTYPE x SYSTEM "http://127.0.0.1:9/x.dtd">',
    ],
)
def test_a_document_type_declaration_is_refused(doctype) -> None:
    with pytest.raises(InvalidRequest, match="document type declaration"):
        read_cda(a_cda((DECLARATION, DECLARATION + doctype)), time_zone=PARIS)


def test_a_document_type_declaration_does_not_hide_in_another_encoding() -> None:
    text = CDA.replace(DECLARATION, '<!DOCTYPE x [<!ENTITY a "a">]>')

    with pytest.raises(InvalidRequest, match="document type declaration"):
        read_cda(text.encode("utf-16"), time_zone=PARIS)
    with pytest.raises(InvalidRequest, match="encoding"):
        read_cda(text.encode("cp037", "replace"), time_zone=PARIS)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "iso-8859-15", "us-ascii"])
def test_the_usual_encodings_are_read(encoding) -> None:
    text = CDA.replace("’", "'").replace('"UTF-8"', f'"{encoding.upper()}"')
    if encoding == "us-ascii":
        text = text.replace("ê", "&#234;").replace("é", "&#233;")

    report = read_cda(text.encode(encoding), time_zone=PARIS)

    assert report.studies[0].regions[0].display == "Tête et cou"


@pytest.mark.parametrize(
    "xml, reason",
    [
        (b"", "well-formed"),
        (b"\xff\xfe", "well-formed"),
        (CDA.encode("latin-1", "replace"), "encoding"),
        (a_cda(('"UTF-8"', '"UTF-7"')), "not supported"),
        (a_cda(("</ClinicalDocument>", "")), "well-formed XML at line"),
        (a_cda(("LOC900", "&unknown;")), "well-formed"),
        (b"<a/>", "ClinicalDocument"),
        (b"<a>" * 5000 + b"</a>" * 5000, "well-formed"),
        (b"<a>" + b"<b/>" * MARKUP_MAX + b"</a>", "too many elements"),
        (b" " * (CDA_BYTES_MAX + 1), "longer than"),
    ],
)
def test_what_cannot_be_opened_is_refused_with_a_reason(xml, reason) -> None:
    with pytest.raises(InvalidRequest, match=reason):
        read_cda(xml, time_zone=PARIS)


def test_a_refusal_does_not_quote_the_document() -> None:
    with pytest.raises(InvalidRequest) as refusal:
        read_cda(a_cda(("EXEMPLE</family>", "EXEMPLE</familyEXEMPLE>")), time_zone=PARIS)

    assert "EXEMPLE" not in str(refusal.value)
    assert refusal.value.__cause__ is None
    assert refusal.value.__context__ is None


def test_a_report_of_many_megabytes_is_read() -> None:
    """libxml2 stops at text of 10 MB unless it is told that the document may be large."""
    data = "QUJD" * (5 * 1024 * 1024)

    report = read_cda(a_cda((BODY, data)), time_zone=PARIS)

    assert report.document_id == "1.2.250.1.999.4.1"
