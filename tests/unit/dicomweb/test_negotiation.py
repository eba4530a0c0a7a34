"""Which form a client gets (PS3.18 §8.7)."""

import re
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import pytest

from gateway.dicomweb.accept import (
    ACCEPT_LENGTH_MAX,
    OCTETS,
    RANGES_MAX,
    Accepted,
    Form,
    parse_accept,
)
from gateway.dicomweb.negotiation import (
    DICOM,
    DICOM_XML,
    JSON_TYPES,
    XML_TYPES,
    ZIP,
    bulk_form,
    data_set_form,
    document_type,
    instance_form,
    instances_as,
    rendered_form,
)
from gateway.errors import InvalidRequest, NotAcceptable
from gateway.pixels.syntaxes import EXPLICIT_LITTLE_ENDIAN
from indexer.contract.identifiers import Uid

SYNTAXES = {
    "ELE": "1.2.840.10008.1.2.1",
    "ILE": "1.2.840.10008.1.2",
    "EBE": "1.2.840.10008.1.2.2",
    "DEF": "1.2.840.10008.1.2.1.99",
    "JPG": "1.2.840.10008.1.2.4.50",
    "JPL": "1.2.840.10008.1.2.4.70",
    "JLS": "1.2.840.10008.1.2.4.80",
    "J2K": "1.2.840.10008.1.2.4.90",
    "H264": "1.2.840.10008.1.2.4.102",
}
KINDS = {
    "application/octet-stream": "oct",
    "image/jpeg": "jpeg",
    "image/jls": "jls",
    "image/jp2": "jp2",
    "video/mp4": "mp4",
}
PARTS = 'multipart/related; type="application/dicom"'
XML_PARTS = f'multipart/related; type="{DICOM_XML}"'
PICTURES = ("image/jpeg", "image/png", "image/gif")

Row = tuple[str, str, str, str]


def rows() -> Iterator[Row]:
    """Resource, Accept header, stored syntax and outcome of each cell of the table."""
    table = Path(__file__).with_name("negotiation.txt").read_text()
    lines = [line for line in table.splitlines() if line and not line.startswith("#")]
    columns = lines[0].split()[1:]
    for line in lines[1:]:
        resource, accept, told = (cell.strip() for cell in line.split("|"))
        outcomes = told.split()
        assert len(outcomes) == len(columns), line
        for at, outcome in enumerate(outcomes):
            outcomes[at] = outcomes[at - 1] if outcome == '"' else outcome
            yield resource, accept, columns[at], outcomes[at]


def header_of(accept: str) -> str | None:
    """As a client writes it."""
    named = re.sub(r"MR\(([^)]*)\)", r'multipart/related; type="\1"', accept)
    written = re.sub(r"\bts=", "transfer-syntax=", named)
    for name, uid in SYNTAXES.items():
        written = re.sub(rf"\b{name}\b", uid, written)
    return written or None


def given_beside(stored: Uid) -> Sequence[Uid]:
    """What the table takes for granted."""
    if stored == SYNTAXES["H264"]:
        return ()
    return [Uid(SYNTAXES[name]) for name in ("ELE", "JLS", "J2K")]


def told(form: Form) -> str:
    """As the table has it."""
    [syntax] = [name for name, uid in SYNTAXES.items() if uid == form.transfer_syntax]
    kind = f"{KINDS[form.kind]}:" if form.kind in KINDS else ""
    return f"{'p' if form.multipart else 'a'}:{kind}{syntax}"


@pytest.mark.parametrize("resource, accept, stored, outcome", list(rows()))
def test_a_client_gets_what_the_standard_says(
    resource: str, accept: str, stored: str, outcome: str
) -> None:
    choose = instance_form if resource in ("study", "instance") else bulk_form
    form_of = partial(
        choose,
        stored=Uid(SYNTAXES[stored]),
        single=resource in ("instance", "frame"),
        targets=given_beside,
    )

    try:
        came = told(form_of(Accepted(header_of(accept))))
    except NotAcceptable:
        came = "406"
    except InvalidRequest:
        came = "400"

    assert came == outcome


def test_what_cannot_be_decoded_is_still_given_as_it_is_stored() -> None:
    stored = Uid(SYNTAXES["JPL"])

    assert instance_form(Accepted(f"{PARTS}; transfer-syntax=*"), stored, single=False) == Form(
        kind="application/dicom", multipart=True, transfer_syntax=stored
    )
    with pytest.raises(
        NotAcceptable, match=r"held in transfer syntax 1\.2\.840\.10008\.1\.2\.4\.70"
    ):
        instance_form(Accepted("*/*"), stored, single=False)


def test_the_query_parameter_is_looked_at_before_the_header() -> None:
    accepted = Accepted("*/*", "application/dicom; transfer-syntax=*")

    form = instance_form(accepted, Uid(SYNTAXES["JPL"]), single=True)

    assert form.part_type == f"application/dicom; transfer-syntax={SYNTAXES['JPL']}"


@pytest.mark.parametrize("parameter", ["*/*", "multipart/*", "text/html", "nonsense", ""])
def test_a_query_parameter_that_cannot_be_met_leaves_it_to_the_header(parameter: str) -> None:
    accepted = Accepted(f"{PARTS}; transfer-syntax=*", parameter)

    form = instance_form(accepted, Uid(SYNTAXES["JPL"]), single=False)

    assert form.transfer_syntax == SYNTAXES["JPL"]


def test_a_link_may_ask_for_dicom_in_a_browser_that_takes_pages() -> None:
    browser = "text/html,application/xhtml+xml,application/xml;q=0.9,image/png,*/*;q=0.8"

    form = instance_form(
        Accepted(browser, "application/dicom"), EXPLICIT_LITTLE_ENDIAN, single=True
    )

    assert not form.multipart


@pytest.mark.parametrize(
    "header, parameter, kind",
    [
        (None, None, "application/dicom+json"),
        ("*/*", None, "application/dicom+json"),
        ("application/*", None, "application/dicom+json"),
        ("application/dicom+json", None, "application/dicom+json"),
        ("application/json", None, "application/json"),
        ("application/json, text/plain, */*", None, "application/json"),
        ("application/json; q=0.5, application/dicom+json", None, "application/dicom+json"),
        ("*/*, application/dicom+json; q=0", None, "application/json"),
        ("application/dicom+json; charset=utf-8", None, "application/dicom+json"),
        ("application/dicom+json; transfer-syntax=*", None, "application/dicom+json"),
        ("*/*", "application/json", "application/json"),
        # A plus sign that the client did not escape.
        ("image/webp, */*", "application/dicom json", "application/dicom+json"),
        (XML_PARTS, None, DICOM_XML),
        ("multipart/related;type=application/dicom+xml", None, DICOM_XML),
        ("multipart/related", None, DICOM_XML),
        (f"{XML_PARTS}, */*; q=0.1", None, DICOM_XML),
        (f"{XML_PARTS}; q=0.1, */*", None, "application/dicom+json"),
        (f"{PARTS}, application/json", None, "application/json"),
        ("*/*", 'multipart/related; type="application/dicom xml"', DICOM_XML),
    ],
)
def test_data_sets_are_json_or_xml(header: str | None, parameter: str | None, kind: str) -> None:
    form = data_set_form(Accepted(header, parameter))

    assert form == Form(kind=kind, multipart=kind == DICOM_XML)


@pytest.mark.parametrize(
    "header",
    [
        "application/dicom+xml",
        PARTS,
        "text/html",
        "application/dicom+json; charset=iso-8859-1",
        "",
    ],
)
def test_data_sets_are_not_given_in_another_form(header: str) -> None:
    with pytest.raises(NotAcceptable, match=r"dicom\+json or as multipart/related"):
        data_set_form(Accepted(header))


def test_what_was_stored_is_told_in_one_document() -> None:
    kinds = (*JSON_TYPES, *XML_TYPES)

    assert document_type(Accepted("application/dicom+xml"), kinds) == DICOM_XML
    assert document_type(Accepted("text/*, image/png"), kinds) == "text/xml"
    with pytest.raises(NotAcceptable, match="given as application/dicom"):
        document_type(Accepted(XML_PARTS), kinds)


@pytest.mark.parametrize(
    "header, single, form",
    [
        ("*/*", True, Form(kind="image/jpeg")),
        ("image/*", True, Form(kind="image/jpeg")),
        ("image/png", True, Form(kind="image/png")),
        ("image/webp, image/png; q=0.9, image/jpeg; q=0.8", True, Form(kind="image/png")),
        ('multipart/related; type="image/gif"', True, Form(kind="image/gif", multipart=True)),
        ("*/*", False, Form(kind="image/jpeg", multipart=True)),
        ('multipart/related; type="image/png"', False, Form(kind="image/png", multipart=True)),
        ("image/png", False, None),
        ("image/webp", True, None),
    ],
)
def test_pictures_come_alone_only_where_there_is_one(
    header: str, single: bool, form: Form | None
) -> None:
    accepted = Accepted(header)

    if form is None:
        with pytest.raises(NotAcceptable):
            rendered_form(accepted, PICTURES, single=single)
    else:
        assert rendered_form(accepted, PICTURES, single=single) == form


def test_headers_that_are_repeated_are_one() -> None:
    accepted = Accepted.of(["text/html", f"{PARTS}; q=0"], [])

    with pytest.raises(NotAcceptable):
        instance_form(accepted, EXPLICIT_LITTLE_ENDIAN, single=False)
    assert Accepted.of([], []) == Accepted(None)


def test_an_accept_header_has_a_longest_length_and_a_most_of_ranges() -> None:
    many = ",".join(["a/b"] * RANGES_MAX + ["application/dicom+json"])

    assert len(parse_accept(many)) == RANGES_MAX
    with pytest.raises(InvalidRequest):
        parse_accept("a" * (ACCEPT_LENGTH_MAX + 1))


OCTET_PARTS = 'multipart/related; type="application/octet-stream"'


@pytest.mark.parametrize(
    "accept, kind",
    [
        (None, DICOM),
        ("*/*", DICOM),
        ("multipart/related", DICOM),
        (PARTS, DICOM),
        (OCTET_PARTS, OCTETS),
        (f"{OCTET_PARTS}; transfer-syntax=*", OCTETS),
        (f"{OCTET_PARTS}, {PARTS}", DICOM),
        (f"{OCTET_PARTS}, {PARTS}; q=0.5", OCTETS),
        (f"{OCTET_PARTS}; q=0.5, {PARTS}", DICOM),
        (f"{OCTET_PARTS}; q=0, */*", DICOM),
        ('multipart/related; type="image/jls"', OCTETS),
        ("application/octet-stream", DICOM),  # alone, it is none of the forms of an instance
        ("application/zip", ZIP),
        (f"application/zip; q=0.5, {OCTET_PARTS}", OCTETS),
        ("text/html", DICOM),
    ],
)
@pytest.mark.parametrize("single", [True, False])
def test_instances_are_wanted_as_such_as_bulk_data_or_as_an_archive(
    accept: str | None, kind: str, single: bool
) -> None:
    assert instances_as(Accepted(accept), single=single) == kind
