"""What WADO-URI asks for (PS3.18 §9)."""

from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.dicomweb.wado_uri import (
    PARAMETERS_MAX,
    Wanted,
    WantedInstance,
    WantedPicture,
    read_wanted,
)
from gateway.errors import InvalidRequest, NotAcceptable
from gateway.model.resource import Resource
from gateway.pixels.geometry import SIDE_MAX, Portion
from indexer.contract.identifiers import Uid

UIDS = "studyUID=1.2.3&seriesUID=1.2.4&objectUID=1.2.5"
WADO = f"requestType=WADO&{UIDS}"
DICOM = f"{WADO}&contentType=application/dicom"
INSTANCE = Resource(study=Uid("1.2.3"), series=Uid("1.2.4"), instance=Uid("1.2.5"))
PRESENTATION = "presentationSeriesUID=1.2.6&presentationUID=1.2.7"


def wanted(query: str, accept: str | None = "*/*") -> Wanted:
    return read_wanted(parse_qsl(query, keep_blank_values=True), accept)


def picture(query: str) -> WantedPicture:
    found = wanted(f"{WADO}&{query}")
    assert isinstance(found, WantedPicture)
    return found


@pytest.mark.parametrize(
    "query, accept",
    [
        (DICOM, "*/*"),
        (DICOM, None),
        (DICOM, "text/html, */*; q=0.8"),
        (DICOM, "image/png"),
        (f"{DICOM}&charset=UTF-8&annotation=patient&imageQuality=90", "*/*"),
        (f"{DICOM}&unknown=1", "*/*"),
        (WADO, "application/dicom"),
        (WADO, "application/dicom, */*; q=0.1"),
    ],
)
def test_an_instance_is_asked_for_by_its_media_type(query: str, accept: str | None) -> None:
    assert wanted(query, accept) == WantedInstance(resource=INSTANCE, transfer_syntax=None)


def test_an_instance_is_asked_for_in_a_transfer_syntax() -> None:
    found = wanted(f"{DICOM}&transferSyntax=1.2.840.10008.1.2.4.50")

    assert found == WantedInstance(resource=INSTANCE, transfer_syntax=Uid("1.2.840.10008.1.2.4.50"))


@pytest.mark.parametrize(
    "query, accept, kinds",
    [
        (WADO, "*/*", ("*/*",)),
        (WADO, None, ("*/*",)),
        (WADO, "text/html, image/*; q=0.5", ("text/html", "image/*")),
        (f"{WADO}&contentType=image/png,image/jpeg;q=0.5", "*/*", ("image/png", "image/jpeg")),
        (f"{WADO}&contentType=nonsense", "image/png", ("image/png",)),
    ],
)
def test_a_picture_is_asked_for_by_the_types_that_are_taken(
    query: str, accept: str | None, kinds: tuple[str, ...]
) -> None:
    assert wanted(query, accept) == WantedPicture(resource=INSTANCE, kinds=kinds)


def test_a_picture_may_be_told_in_every_detail() -> None:
    found = picture(
        "contentType=image/jpeg&frameNumber=3&rows=100&columns=200&region=0.1,0.2,0.5,1"
        "&windowCenter=-40.5&windowWidth=1e3&imageQuality=80&annotation=patient,technique,logo"
        "&charset=iso-8859-1,utf-8;q=0.5"
    )

    assert found == WantedPicture(
        resource=INSTANCE,
        kinds=("image/jpeg",),
        frame=3,
        rows=100,
        columns=200,
        region=Portion(left=0.1, top=0.2, right=0.5, bottom=1.0),
        window=(-40.5, 1000.0),
        quality=80,
        annotation=frozenset({"patient", "technique"}),
        unknown_annotations=("logo",),
    )


def test_a_picture_may_be_shown_by_a_presentation_state() -> None:
    found = picture(f"{PRESENTATION}&region=0,0,1,1&rows=5&imageAnnotation=patient&imageQuality=1")

    assert found.presentation == Resource(
        study=Uid("1.2.3"), series=Uid("1.2.6"), instance=Uid("1.2.7")
    )
    assert found.annotation == {"patient"}


@pytest.mark.parametrize(
    "query, told",
    [
        ("", "requestType is missing"),
        (UIDS, "requestType is missing"),
        (f"requestType=wado&{UIDS}", "requestType is not WADO"),
        (f"requestType=&{UIDS}", "requestType is not WADO"),
        ("requestType=WADO&studyUID=1.2.3&seriesUID=1.2.4", "objectUID is missing"),
        ("requestType=WADO&studyUID=1.2.3&objectUID=1.2.4", "seriesUID is missing"),
        (WADO.replace("1.2.3", "x"), "studyUID is not a UID"),
        (WADO.replace("1.2.5", ""), "objectUID is not a UID"),
        (f"{WADO}&studyUID=1.2.3", "studyUID is given twice"),
        (f"{WADO}&contentType=a/b&contentType=a/b", "contentType is given twice"),
        (f"{WADO}&contentType=application/dicom,image/jpeg", "and not both"),
        (f"{DICOM};transfer-syntax=1.2.840.10008.1.2.1", "no transfer-syntax"),
        (f"{WADO}&contentType=text/html;charset=utf-8", "no transfer-syntax and no charset"),
        (f"{DICOM}&transferSyntax=", "transferSyntax is not a UID"),
        (f"{DICOM}&transferSyntax=*", "transferSyntax is not a UID"),
        (f"{DICOM}&transferSyntax=1.2,1.3", "transferSyntax is not a UID"),
        (f"{DICOM}&transferSyntax=1.2&transferSyntax=1.3", "transferSyntax is given twice"),
        (f"{DICOM}&anonymize=no", "anonymize is yes"),
        (f"{DICOM}&windowCenter=1&windowWidth=2", "no meaning for an instance"),
        (f"{DICOM}&frameNumber=1", "no meaning for an instance"),
        (f"{DICOM}&rows=1", "no meaning for an instance"),
        (f"{DICOM}&{PRESENTATION}", "no meaning for an instance"),
        (f"{WADO}&transferSyntax=1.2.840.10008.1.2.1", "no meaning for a picture"),
        (f"{WADO}&frameNumber=0", "frameNumber is a whole number"),
        (f"{WADO}&frameNumber=1,2", "frameNumber is a whole number"),
        (f"{WADO}&frameNumber=-1", "frameNumber is a whole number"),
        (f"{WADO}&frameNumber=٣", "frameNumber is a whole number"),
        (f"{WADO}&frameNumber={'9' * 5000}", "frameNumber is a whole number"),
        (f"{WADO}&rows=0", "rows is a whole number"),
        (f"{WADO}&rows={SIDE_MAX + 1}", f"to {SIDE_MAX}"),
        (f"{WADO}&columns=1.5", "columns is a whole number"),
        (f"{WADO}&region=0,0,1", "region is xmin"),
        (f"{WADO}&region=0,0,1,1,1", "region is xmin"),
        (f"{WADO}&region=0,0,1,1.1", "region: 0"),
        (f"{WADO}&region=0.5,0,0.5,1", "region: 0"),
        (f"{WADO}&region=-0.1,0,0.5,1", "region: 0"),
        (f"{WADO}&region=0,0,nan,1", "region holds"),
        (f"{WADO}&region=,,,", "region holds"),
        (f"{WADO}&windowCenter=1", "come together"),
        (f"{WADO}&windowWidth=1", "come together"),
        (f"{WADO}&windowCenter=a&windowWidth=1", "windowCenter holds"),
        (f"{WADO}&windowCenter=1&windowWidth=inf", "windowWidth holds"),
        (f"{WADO}&windowCenter=1&windowWidth=0", "windowWidth is 1 or more"),
        (f"{WADO}&imageQuality=0", "imageQuality is a whole number"),
        (f"{WADO}&imageQuality=101", "imageQuality is a whole number"),
        (f"{WADO}&annotation=", "annotation is a list"),
        (f"{WADO}&annotation=patient,,", "annotation is a list"),
        (f"{WADO}&annotation=patient&imageAnnotation=patient", "annotation has no meaning"),
        (f"{WADO}&charset=klingon", "texts are given in UTF-8"),
        (f"{WADO}&presentationUID=1.2.7", "come together"),
        (f"{WADO}&presentationSeriesUID=1.2.6", "come together"),
        (f"{WADO}&{PRESENTATION}&frameNumber=1", "no meaning for a picture by a presentation"),
        (f"{WADO}&{PRESENTATION}&windowCenter=1&windowWidth=1", "no meaning for a picture by"),
        ("&".join(f"a{n}=1" for n in range(PARAMETERS_MAX + 1)), "at most"),
    ],
)
def test_what_breaks_a_rule_is_refused_with_it(query: str, told: str) -> None:
    with pytest.raises(InvalidRequest, match=told) as refused:
        wanted(query)

    assert not isinstance(refused.value, NotAcceptable)


@pytest.mark.parametrize(
    "query, accept, told",
    [
        (f"{DICOM}&anonymize=yes", "*/*", "not anonymized"),
        (f"{WADO}&anonymize=yes", "*/*", "not anonymized"),
        (WADO, "nonsense", "an instance is given as"),
    ],
)
def test_what_is_not_done_here_is_not_acceptable(query: str, accept: str, told: str) -> None:
    with pytest.raises(NotAcceptable, match=told):
        wanted(query, accept)


names = st.sampled_from(
    "contentType transferSyntax frameNumber rows columns region windowCenter windowWidth"
    " imageQuality annotation imageAnnotation presentationUID charset anonymize other".split()
)


@given(st.lists(st.tuples(names, st.text(max_size=20))), st.none() | st.text(max_size=40))
def test_whatever_is_asked_is_read_or_refused(
    more: list[tuple[str, str]], accept: str | None
) -> None:
    try:
        found = read_wanted([*parse_qsl(WADO), *more], accept)
    except InvalidRequest:
        return
    assert found.resource == INSTANCE
