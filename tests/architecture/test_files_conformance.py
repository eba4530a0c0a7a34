"""What the conformance statement says of manifests and media is what is written."""

import dataclasses
from dataclasses import replace

import pytest
import typer

from gateway.cli import app
from gateway.manifest.document_entry import CLASS_CODE, NORMAL, TYPE_CODE, build_entry
from gateway.manifest.forms import FORMATS
from gateway.manifest.model import ManifestForm
from gateway.media.xdm import MediaPointer, cover_files, month_of, pointer_files
from indexer.contract.document import DocumentEntry
from tests.architecture.statement import table, words
from tests.support.manifests import (
    CENTRE,
    CONTENT,
    MADE_AT,
    SOP_INSTANCE,
    composed,
    opened,
    with_key_images,
    written,
)
from tests.support.pointers import a_submission

ATTRIBUTES = {
    "uniqueId": "unique_id",
    "patientId": "patient",
    "sourcePatientId": "local_patient",
    "sourcePatientInfo": "traits",
    "classCode": "class_code",
    "typeCode": "type_code",
    "formatCode": "format_code",
    "mimeType": "mime_type",
    "confidentialityCode": "confidentiality",
    "healthcareFacilityTypeCode": "facility",
    "practiceSettingCode": "practice_setting",
    "eventCodeList": "event_codes",
    "referenceIdList": "reference_ids",
    "creationTime": "created_at",
    "serviceStartTime": "service_start",
    "serviceStopTime": "service_stop",
    "languageCode": "language",
    "title": "title",
    "comments": "comments",
    "author": "author",
    "authorInstitution": "author_organisation",
    "legalAuthenticator": "legal_authenticator",
    "hash": "sha1",
    "size": "size_bytes",
}
"""What we call the attributes of XDS; the index's own are its id, its status and an address, and
what others than a gateway tell of several authors."""
FHIR = "application/fhir+json"


def test_each_form_of_a_manifest_is_stated_with_its_names_in_the_index() -> None:
    stated = [(*words(form), *words(kind), *words(code)) for form, _, kind, code in forms()]

    assert stated == [(form.value, of.mime_type, of.code.code) for form, of in FORMATS.items()]


def forms() -> tuple[tuple[str, ...], ...]:
    return table("The manifest", "Form").rows


def test_each_attribute_of_the_french_form_is_stated() -> None:
    stated = table("The French form", "Attribute").column("Attribute")

    manifest = opened(written(composed(with_key_images(CONTENT))))
    assert {keyword for cell in stated for keyword in cell.split(", ")} == {
        element.keyword for element in manifest
    }


def test_each_attribute_of_the_index_is_stated() -> None:
    stated = table("Index metadata", "Attribute")

    named = {name for cell in stated.column("Attribute") for name in cell.split(", ")}
    fields = {field.name for field in dataclasses.fields(DocumentEntry)}
    assert named == {*ATTRIBUTES}
    of_an_index = {"entry_id", "status", "document_url", "authors"}
    assert {*ATTRIBUTES.values()} == fields - of_an_index


def test_each_code_and_text_that_is_always_the_same_is_stated() -> None:
    stated = table("Index metadata", "Attribute").column("Value")
    fixed = [CLASS_CODE, TYPE_CODE, *(one.code for one in FORMATS.values())]
    entry = build_entry(
        CONTENT,
        document=b"",
        sop_instance=SOP_INSTANCE,
        made_at=MADE_AT,
        centre=CENTRE,
        form=ManifestForm.FRENCH,
    )

    constant = {one.code for one in fixed} | {one.mime_type for one in FORMATS.values()}
    constant |= {NORMAL.code, entry.title, entry.comments, entry.language}
    assert {word for cell in stated for word in words(cell)} == constant
    assert {one.scheme for one in fixed if f"({one.scheme})" not in "".join(stated)} == set()


def test_each_file_of_an_archive_is_stated() -> None:
    names = set()
    for mime_type in ("application/dicom", FHIR):
        told = a_submission()
        submission = replace(told, entry=replace(told.entry, mime_type=mime_type))
        pointer = MediaPointer(submission=submission, report_id="")
        names |= {name for name, _ in pointer_files(pointer, 1, lambda _told, _uri: b"")}
        covers = cover_files(
            month_of(pointer), pointers=1, sender=told.entry.author_organisation, application=""
        )
        names |= {name for name, _ in covers}

    stated = table("Media", "File that is written").column("File that is written")
    assert {name for cell in stated for name in words(cell)} == names


@pytest.mark.parametrize("command", ["import", "export"])
def test_each_option_of_a_command_on_files_is_stated(command: str) -> None:
    stated = {name: words(options) for [name], options in commands()}

    parameters = typer.main.get_command(app).commands[command].params  # type: ignore[attr-defined]
    assert set(stated[f"drim-gateway {command}"]) == {
        option for one in parameters for option in one.opts if option.startswith("--")
    }


def commands() -> list[tuple[list[str], str]]:
    return [(words(name), options) for name, options in table("Media", "Command").rows]
