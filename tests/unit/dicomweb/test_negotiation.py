"""Which form a client gets (PS3.18 §8.7)."""

import pytest

from gateway.dicomweb.negotiation import (
    ACCEPT_LENGTH_MAX,
    DEFLATED_LITTLE_ENDIAN,
    DICOM_XML,
    EXPLICIT_BIG_ENDIAN,
    EXPLICIT_LITTLE_ENDIAN,
    IMPLICIT_LITTLE_ENDIAN,
    JSON_TYPES,
    Accepted,
    InstanceForm,
    parse_accept,
)
from gateway.errors import InvalidRequest, NotAcceptable
from indexer.contract.identifiers import Uid

JPEG = Uid("1.2.840.10008.1.2.4.70")
JPEG_2000 = Uid("1.2.840.10008.1.2.4.90")
PARTS = 'multipart/related; type="application/dicom"'


def parts(syntax: Uid) -> InstanceForm:
    return InstanceForm(multipart=True, transfer_syntax=syntax)


def alone(syntax: Uid) -> InstanceForm:
    return InstanceForm(multipart=False, transfer_syntax=syntax)


@pytest.mark.parametrize(
    "accept",
    [
        None,
        "*/*",
        "multipart/*",
        "multipart/related",
        PARTS,
        "multipart/related; type=application/dicom",
        "multipart/related;type=application/dicom",
        'Multipart/Related; Type="application/dicom"; boundary=x',
        'multipart/related; q=0.5; type="application/dicom"',
        f'text/html, multipart/related; type="application/octet-stream", {PARTS}; q=0.1',
        f"{PARTS}; transfer-syntax=*",
        f"{PARTS}; transfer-syntax={EXPLICIT_LITTLE_ENDIAN}",
        f'{PARTS}; transfer-syntax="{EXPLICIT_LITTLE_ENDIAN}"',
        f"{PARTS}; transfer-syntax={JPEG}, {PARTS}; q=0.2",
        f"not a media range, ;;, =, {PARTS}",
        'text/html; x="a, multipart/related", */*; q=0.1',
    ],
)
def test_parts_in_explicit_little_endian_are_what_most_ask_for(accept: str | None) -> None:
    form = Accepted(accept).instance_form(EXPLICIT_LITTLE_ENDIAN, single=False)

    assert form == parts(EXPLICIT_LITTLE_ENDIAN)


@pytest.mark.parametrize(
    "accept",
    [
        "",
        "text/html",
        "application/dicom",
        "application/*",
        "application/dicom+json",
        'multipart/related; type="application/octet-stream"',
        'multipart/related; type="image/jpeg"',
        f"{PARTS}; q=0",
        f"{PARTS}; q=nonsense",
        f"{PARTS}; transfer-syntax={JPEG}",
        f"{PARTS}; transfer-syntax={IMPLICIT_LITTLE_ENDIAN}",
    ],
)
def test_what_else_is_asked_for_a_study_is_refused(accept: str) -> None:
    with pytest.raises(NotAcceptable):
        Accepted(accept).instance_form(EXPLICIT_LITTLE_ENDIAN, single=False)


@pytest.mark.parametrize(
    "stored, asked, given",
    [
        (IMPLICIT_LITTLE_ENDIAN, None, EXPLICIT_LITTLE_ENDIAN),
        (IMPLICIT_LITTLE_ENDIAN, "*", EXPLICIT_LITTLE_ENDIAN),
        (IMPLICIT_LITTLE_ENDIAN, IMPLICIT_LITTLE_ENDIAN, None),
        (EXPLICIT_BIG_ENDIAN, None, EXPLICIT_LITTLE_ENDIAN),
        (EXPLICIT_BIG_ENDIAN, "*", EXPLICIT_LITTLE_ENDIAN),
        (EXPLICIT_BIG_ENDIAN, EXPLICIT_BIG_ENDIAN, None),
        (EXPLICIT_LITTLE_ENDIAN, None, EXPLICIT_LITTLE_ENDIAN),
        (EXPLICIT_LITTLE_ENDIAN, JPEG, None),
        (DEFLATED_LITTLE_ENDIAN, None, EXPLICIT_LITTLE_ENDIAN),
        (DEFLATED_LITTLE_ENDIAN, "*", DEFLATED_LITTLE_ENDIAN),
        (DEFLATED_LITTLE_ENDIAN, DEFLATED_LITTLE_ENDIAN, DEFLATED_LITTLE_ENDIAN),
        (JPEG, None, None),
        (JPEG, "*", JPEG),
        (JPEG, JPEG, JPEG),
        (JPEG, JPEG_2000, None),
        (JPEG, EXPLICIT_LITTLE_ENDIAN, None),
    ],
)
def test_the_syntax_given_is_the_stored_one_or_explicit_little_endian(
    stored: Uid, asked: str | None, given: Uid | None
) -> None:
    accepted = Accepted(PARTS if asked is None else f"{PARTS}; transfer-syntax={asked}")

    if given is None:
        with pytest.raises(NotAcceptable):
            accepted.instance_form(stored, single=False)
    else:
        assert accepted.instance_form(stored, single=False) == parts(given)


def test_each_instance_of_a_mixed_study_gets_a_syntax_that_fits_it() -> None:
    accepted = Accepted(f"{PARTS}; transfer-syntax={JPEG}, {PARTS}; transfer-syntax={JPEG_2000}")

    assert accepted.instance_form(JPEG, single=False) == parts(JPEG)
    assert accepted.instance_form(JPEG_2000, single=False) == parts(JPEG_2000)


@pytest.mark.parametrize(
    "accept, form",
    [
        ("application/dicom", alone(EXPLICIT_LITTLE_ENDIAN)),
        ("application/*", alone(EXPLICIT_LITTLE_ENDIAN)),
        ("application/dicom; transfer-syntax=*", alone(EXPLICIT_LITTLE_ENDIAN)),
        ("*/*", parts(EXPLICIT_LITTLE_ENDIAN)),
        ("*/*, application/dicom", alone(EXPLICIT_LITTLE_ENDIAN)),
        (f"application/dicom; q=0.5, {PARTS}", parts(EXPLICIT_LITTLE_ENDIAN)),
        (f"{PARTS}; q=0.5, application/dicom", alone(EXPLICIT_LITTLE_ENDIAN)),
    ],
)
def test_one_instance_may_come_without_parts(accept: str, form: InstanceForm) -> None:
    assert Accepted(accept).instance_form(EXPLICIT_LITTLE_ENDIAN, single=True) == form


def test_the_query_parameter_is_looked_at_before_the_header() -> None:
    both = Accepted("*/*", f"{PARTS}; transfer-syntax=*")

    assert both.instance_form(JPEG, single=False) == parts(JPEG)


@pytest.mark.parametrize("parameter", ["*/*", "text/html", "nonsense", ""])
def test_a_query_parameter_that_cannot_be_met_leaves_it_to_the_header(parameter: str) -> None:
    accepted = Accepted(f"{PARTS}; transfer-syntax=*", parameter)

    assert accepted.instance_form(JPEG, single=False) == parts(JPEG)


@pytest.mark.parametrize(
    "header, parameter, given",
    [
        (None, None, "application/dicom+json"),
        ("*/*", None, "application/dicom+json"),
        ("application/*", None, "application/dicom+json"),
        ("application/dicom+json", None, "application/dicom+json"),
        ("application/json", None, "application/json"),
        ("application/json; q=0.5, application/dicom+json", None, "application/dicom+json"),
        ("*/*", "application/json", "application/json"),
        # A plus sign that the client did not escape.
        ("text/html, */*", "application/dicom json", "application/dicom+json"),
    ],
)
def test_results_are_json(header: str | None, parameter: str | None, given: str) -> None:
    assert Accepted(header, parameter).json_type() == given


def test_results_are_not_given_in_another_form() -> None:
    with pytest.raises(NotAcceptable):
        Accepted('multipart/related; type="application/dicom+xml"').json_type()


@pytest.mark.parametrize(
    "header, parameter, given",
    [
        (None, None, "application/dicom+json"),
        ("*/*", None, "application/dicom+json"),
        ("application/json", None, "application/json"),
        ('multipart/related; type="application/dicom+xml"', None, DICOM_XML),
        ("multipart/related;type=application/dicom+xml", None, DICOM_XML),
        ("multipart/related", None, DICOM_XML),
        ('multipart/related; type="application/dicom+xml", */*; q=0.1', None, DICOM_XML),
        ('multipart/related; type="application/dicom+xml"; q=0.1, */*', None, JSON_TYPES[0]),
        ('multipart/related; type="application/dicom", application/json', None, JSON_TYPES[1]),
        ("*/*", 'multipart/related; type="application/dicom xml"', DICOM_XML),
    ],
)
def test_data_sets_are_json_or_xml(header: str | None, parameter: str | None, given: str) -> None:
    assert Accepted(header, parameter).model_type() == given


@pytest.mark.parametrize(
    "header", ["application/dicom+xml", 'multipart/related; type="application/dicom"', "text/html"]
)
def test_data_sets_are_not_given_in_another_form(header: str) -> None:
    with pytest.raises(NotAcceptable, match=r"dicom\+json or as multipart/related"):
        Accepted(header).model_type()


def test_an_accept_header_has_a_longest_length() -> None:
    with pytest.raises(InvalidRequest):
        parse_accept("a" * (ACCEPT_LENGTH_MAX + 1))


def test_the_most_wanted_comes_first_and_of_equals_the_most_specific() -> None:
    ranges = parse_accept("*/*, text/*, text/html; level=1, text/html, a/b; q=0.9, c/d; q=0.95")

    kinds = [(media.kind, len(media.parameters)) for media in ranges]
    assert kinds == [
        ("text/html", 1), ("text/html", 0), ("text/*", 0), ("*/*", 0), ("c/d", 0), ("a/b", 0),
    ]  # fmt: skip
