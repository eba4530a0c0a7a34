"""Texts and videos as rendered resources (PS3.18 §8.7.4), by a real server and worker processes."""

import base64
from html.parser import HTMLParser

import pytest
from lxml import etree
from pydicom import Dataset
from pydicom.uid import ExplicitVRLittleEndian

from tests.support.retrieval import Bench, a_slice
from tests.support.studies import SERIES, STUDY

INSTANCE = f"/studies/{STUDY}/series/{SERIES}/instances/{SERIES}.1"
IMAGE = f"{SERIES}.77"
PDF = b"%PDF-1.4\nCompte rendu\n%%EOF\n"
CDA = """<?xml version="1.0" encoding="UTF-8"?>
<ClinicalDocument xmlns="urn:hl7-org:v3"><title>Compte rendu d&#39;imagerie</title>
<effectiveTime value="20260102101500+0100"/>
<recordTarget><patientRole><patient><name><family>EXEMPLE</family><given>CAMILLE</given></name>
</patient></patientRole></recordTarget>
<component>{}</component></ClinicalDocument>"""
SECTIONS = """<structuredBody><component><section><title>Conclusion</title><text>
<paragraph>Pas d'anomalie &lt;script&gt;alert(1)&lt;/script&gt;</paragraph>
<table><tr><th>Côté</th><th>mm</th></tr><tr><td>droit</td><td>12</td></tr></table>
<linkHtml href="javascript:alert(2)">voir</linkHtml></text>
<component><section><title>Annexe</title><text>fin</text></section></component>
</section></component></structuredBody>"""


def a_code(meaning: str, value: str = "121071") -> list[Dataset]:
    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = value, "DCM", meaning
    return [code]


def an_item(kind: str, name: str = "", **told: object) -> Dataset:
    ds = Dataset()
    ds.ValueType, ds.RelationshipType = kind, "CONTAINS"
    if name:
        ds.ConceptNameCodeSequence = a_code(name)
    for keyword, value in told.items():
        setattr(ds, keyword, value)
    return ds


def without_pixels(ds: Dataset) -> Dataset:
    for keyword in ("PixelData", "Rows", "Columns"):
        delattr(ds, keyword)
    return ds


def a_report(*content: Dataset, **told: object) -> Dataset:
    ds = without_pixels(a_slice(1, SOPClassUID="1.2.840.10008.5.1.4.1.1.88.33", Modality="SR"))
    ds.SpecificCharacterSet = "ISO_IR 192"
    ds.ValueType = "CONTAINER"
    ds.ConceptNameCodeSequence = a_code("Compte rendu")
    ds.VerificationFlag = "UNVERIFIED"
    ds.ContentSequence = list(content)
    for keyword, value in told.items():
        setattr(ds, keyword, value)
    return ds


def a_document(content: bytes, kind: str, sop_class: str) -> Dataset:
    ds = without_pixels(a_slice(1, SOPClassUID=f"1.2.840.10008.5.1.4.1.1.104.{sop_class}"))
    ds.MIMETypeOfEncapsulatedDocument = kind
    ds.EncapsulatedDocumentLength = len(content)
    ds.EncapsulatedDocument = content + b"\0" * (len(content) % 2)
    return ds


def measured(value: str, unit: str) -> Dataset:
    told = Dataset()
    told.NumericValue = value
    told.MeasurementUnitsCodeSequence = a_code(unit, unit)
    return told


def pointing_to(uid: str) -> Dataset:
    target = Dataset()
    target.ReferencedSOPClassUID, target.ReferencedSOPInstanceUID = "1.2.840.10008.5.1.4.1.1.2", uid
    return target


class Outline(HTMLParser):
    """What of a page a browser would act upon, and what it would show."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.links: list[str] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.links += [value or "" for name, value in attrs if name in ("href", "src")]

    def handle_data(self, data: str) -> None:
        self.text += data


async def page_of(bench: Bench, accept: str = "text/html", language: str = "") -> str:
    headers = {"Accept": accept, "Accept-Language": language}
    async with bench.http.get(f"{bench.root}{INSTANCE}/rendered", headers=headers) as response:
        assert response.status == 200, await response.text()
        assert response.headers["Content-Type"] == f"{accept}; charset=utf-8"
        return await response.text()


async def test_a_report_is_a_page_with_all_its_content(bench: Bench) -> None:
    lesion = an_item(
        "CONTAINER",
        "Lésion",
        ContentSequence=[
            an_item("NUM", "Diamètre", MeasuredValueSequence=[measured("12.5", "mm")]),
            an_item("CODE", "Côté", ConceptCodeSequence=a_code("droit")),
            an_item("PNAME", "Lecteur", PersonName="DURAND^ANNE^^DR"),
            an_item("DATETIME", "Lu le", DateTime="20260102101500"),
        ],
    )
    await bench.push(a_report(an_item("TEXT", "Indication", TextValue="Toux & fièvre"), lesion))

    shown = Outline(await page_of(bench)).text

    for told in ("Compte rendu", "EXEMPLE CAMILLE", "17/05/1955", "Indication", "Toux & fièvre",
                 "Diamètre", "12.5 mm", "droit", "DR DURAND ANNE", "02/01/2026 10:15:00",
                 "Document non validé"):  # fmt: skip
        assert told in shown


async def test_our_own_words_are_in_the_readers_language(bench: Bench) -> None:
    await bench.push(a_report())

    assert "Né(e) le" in await page_of(bench, language="de, fr;q=0.5")
    assert "This document is not verified" in await page_of(bench, language="en-GB,en;q=0.9,fr")


async def test_nothing_of_a_report_is_run(bench: Bench) -> None:
    evil = "<script>alert(1)</script><img src=x onerror=alert(2)>"
    await bench.push(
        a_report(
            an_item("TEXT", evil, TextValue=evil),
            an_item("IMAGE", ReferencedSOPSequence=[pointing_to('1"onmouseover="x')]),
            PatientName=evil,
            StudyDescription=evil[:64],
        )
    )

    page = Outline(await page_of(bench))

    assert page.tags.isdisjoint({"script", "img", "iframe", "object"})
    assert evil in page.text


async def test_an_image_that_is_referred_to_is_linked(bench: Bench) -> None:
    series = Dataset()
    series.SeriesInstanceUID, series.ReferencedSOPSequence = SERIES, [pointing_to(IMAGE)]
    study = Dataset()
    study.StudyInstanceUID, study.ReferencedSeriesSequence = STUDY, [series]
    await bench.push(
        a_report(
            an_item("IMAGE", ReferencedSOPSequence=[pointing_to(IMAGE)]),
            CurrentRequestedProcedureEvidenceSequence=[study],
        )
    )

    [link] = Outline(await page_of(bench)).links

    at = f"/dicom-web{INSTANCE}/rendered".rsplit("/", 1)[0].split("/")
    for step in link.split("/"):
        at = at[:-1] if step == ".." else [*at, step]
    assert "/".join(at) == f"/dicom-web/studies/{STUDY}/series/{SERIES}/instances/{IMAGE}/rendered"


async def test_an_item_may_stand_for_another(bench: Bench) -> None:
    target = an_item("TEXT", "Constat", TextValue="nodule")
    await bench.push(a_report(target, an_item("", ReferencedContentItemIdentifier=[1, 1])))

    assert "voir: Constat: nodule" in await page_of(bench, "text/plain")


async def test_a_report_that_refers_to_itself_ends(bench: Bench) -> None:
    inner = an_item("CONTAINER", ContentSequence=[an_item("", ReferencedContentItemIdentifier=[1])])
    await bench.push(a_report(inner))

    assert "Compte rendu" in await page_of(bench)


async def test_a_report_is_plain_text_and_xml_as_well(bench: Bench) -> None:
    await bench.push(a_report(an_item("TEXT", "Constat", TextValue="nodule")))

    assert "Constat: nodule" in (await page_of(bench, "text/plain")).splitlines()
    document = etree.fromstring((await page_of(bench, "text/xml")).encode())
    assert "nodule" in "".join(map(str, document.itertext()))


async def test_a_report_is_no_picture(bench: Bench) -> None:
    await bench.push(a_report())

    async with bench.get(f"{INSTANCE}/rendered", "image/jpeg") as response:
        assert response.status == 406
    async with bench.get(f"{INSTANCE}/thumbnail", "image/jpeg") as response:
        assert response.status == 404
    async with bench.get(f"{INSTANCE}/frames/1/rendered", "text/html") as response:
        assert response.status == 406


@pytest.mark.parametrize("size_bytes", [len(PDF), 3 * 2**20])
async def test_a_pdf_is_given_as_it_was_put_in(bench: Bench, size_bytes: int) -> None:
    content = PDF.ljust(size_bytes, b"x")
    await bench.push(a_document(content, "application/pdf", "1"))

    for accept in ("application/pdf", "*/*"):
        async with bench.get(f"{INSTANCE}/rendered", accept) as response:
            assert response.headers["Content-Type"] == "application/pdf"
            assert await response.read() == content
    async with bench.get(f"{INSTANCE}/rendered", "text/html") as response:
        assert response.status == 406


async def test_a_cda_is_a_page_of_its_words_alone(bench: Bench) -> None:
    await bench.push(a_document(CDA.format(SECTIONS).encode(), "text/xml", "2"))

    page = Outline(await page_of(bench))

    assert page.tags.isdisjoint({"script", "img"})
    assert page.links == []
    for told in ("Compte rendu d'imagerie", "EXEMPLE CAMILLE", "Conclusion", "droit | 12", "fin",
                 "<script>alert(1)</script>"):  # fmt: skip
        assert told in page.text


async def test_a_cda_is_given_as_xml_and_as_the_pdf_that_it_wraps(bench: Bench) -> None:
    told = base64.b64encode(PDF).decode()
    body = f'<text mediaType="application/pdf" representation="B64">{told}</text>'
    cda = CDA.format(f"<nonXMLBody>{body}</nonXMLBody>").encode()
    await bench.push(a_document(cda, "text/xml", "2"))

    assert (await page_of(bench, "text/xml")).encode() == cda
    async with bench.get(f"{INSTANCE}/rendered", "application/pdf") as response:
        assert await response.read() == PDF


@pytest.mark.parametrize(
    "content", [b"not XML", b"<!DOCTYPE x [<!ENTITY a 'b'>]><x>&a;</x>", b"<x>" + b"<y>" * 600_000]
)
async def test_a_hostile_cda_is_refused(bench: Bench, content: bytes) -> None:
    await bench.push(a_document(content, "text/xml", "2"))

    async with bench.get(f"{INSTANCE}/rendered", "text/html") as response:
        assert response.status == 406


async def test_a_video_is_passed_on(bench: Bench) -> None:
    video = a_slice(1, SOPClassUID="1.2.840.10008.5.1.4.1.1.77.1.1.1", NumberOfFrames=20)
    await bench.push(video, "1.2.840.10008.1.2.4.102")  # whose one fragment is ABCD

    async with bench.get(f"{INSTANCE}/rendered", "*/*") as response:
        assert response.headers["Content-Type"] == "video/mp4"
        assert await response.read() == b"ABCD"
    async with bench.get(f"{INSTANCE}/frames/1/rendered", "image/jpeg") as response:
        assert response.status == 406


async def test_a_study_gives_pictures_and_texts_together(bench: Bench) -> None:
    await bench.push(a_report())
    await bench.push(a_slice(2), ExplicitVRLittleEndian)

    async with bench.get(f"/studies/{STUDY}/rendered", "*/*") as response:
        body = await response.text(errors="replace")

    assert response.status == 200
    assert "Content-Type: text/html; charset=utf-8" in body
    assert "Content-Type: image/jpeg" in body
