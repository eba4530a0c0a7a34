"""ITI-41: metadata is given back as it was told, and what is not kept is told to who sent it."""

from dataclasses import replace

import aiohttp
import pytest
from lxml import etree

from indexer.client.mhd import MhdIndex
from indexer.contract.document import Author, DocumentQuery, Identifier, Organisation, Person
from indexer.contract.document_set import DocumentSet
from indexer.wire.xds import vocabulary as names
from indexer.wire.xds.stored_query import QueryKind
from indexer.wire.xml import Element
from tests.support.pointers import ANNE, an_entry
from tests.support.spoiling import Change, classify, repeat, say
from tests.support.xds import (
    APPROVED,
    PROVIDE,
    SPACES,
    Reply,
    a_set,
    ask,
    provide,
    provide_body,
    query,
)

SYSTEM = Person(number="123", family="DRIMBox", given="ANS", kind="EI")
RADIOLOGIST = Author(
    person=an_entry().author,
    organisations=(an_entry().author_organisation, Organisation(number="1990000127", name="Sud")),
    roles=("Radiologue",),
    specialities=("G15_10/SM44^Radio-diagnostic^1.2.250.1.213.1.1.4.5",),
)
AUTHORS = (
    RADIOLOGIST,
    Author(person=SYSTEM),
    Author(person=Person(number=""), organisations=(Organisation(number="7", name="Labo"),)),
)


def a_telling_set() -> DocumentSet:
    """A document by three authors, whose patient has a local id of a national kind."""
    [document] = (submitted := a_set(1)).documents
    entry = replace(
        document.entry,
        authors=AUTHORS,
        local_patient=Identifier(value=ANNE.value, authority=ANNE.oid, kind="NH"),
        legal_authenticator=SYSTEM,
    )
    return replace(submitted, documents=(replace(document, entry=entry),))


def slots(reply: Reply, name: str) -> list[str]:
    path = f".//rim:ExtrinsicObject//rim:Slot[@name='{name}']/rim:ValueList/rim:Value"
    return [one.text or "" for one in reply.body.findall(path, SPACES)]


async def test_all_that_is_told_of_authors_comes_back_by_both_protocols(
    index_url: str, session: aiohttp.ClientSession
) -> None:
    reply = await provide(index_url, a_telling_set())

    [by_fhir] = await MhdIndex(index_url, session).find(DocumentQuery(patient=ANNE))
    found = await query(
        index_url,
        QueryKind.FIND_DOCUMENTS,
        ("$XDSDocumentEntryPatientId", f"'{ANNE.value}^^^&{ANNE.oid}&ISO'"),
        ("$XDSDocumentEntryStatus", f"('{APPROVED}')"),
        ("$XDSDocumentEntryAuthorPerson", "('123^DRIMBox^%^U^^^EI')"),
    )
    assert (reply.outcome, reply.errors) == ("Success", [])
    assert by_fhir.every_author == AUTHORS
    assert by_fhir.legal_authenticator == SYSTEM
    assert len(found.ids("ExtrinsicObject")) == 1
    assert slots(found, "authorPerson")[1] == (
        "123^DRIMBox^ANS^^^^^^&1.2.250.1.71.4.2.1&ISO^U^^^EI"
    )
    assert slots(found, "authorRole") == ["Radiologue"]
    assert slots(found, "authorSpecialty") == [*RADIOLOGIST.specialities]
    assert slots(found, "sourcePatientId") == [f"{ANNE.value}^^^&{ANNE.oid}&ISO^NH"]


async def test_more_authors_than_a_document_may_have_are_refused(index_url: str) -> None:
    [document] = (submitted := a_set(1)).documents
    entry = replace(document.entry, authors=AUTHORS * 6)

    reply = await provide(
        index_url, replace(submitted, documents=(replace(document, entry=entry),))
    )

    assert reply.errors == ["XDSRepositoryMetadataError"]


DOCUMENT, PACKAGE, ASSOCIATION = (
    f".//rim:{one}" for one in ("ExtrinsicObject", "RegistryPackage", "Association")
)
AUTHOR = f"{DOCUMENT}/rim:Classification[@classificationScheme='{names.AUTHOR}']"
CLASS = f"{DOCUMENT}/rim:Classification[@classificationScheme='{names.CLASS_CODE}']"
SET_AUTHOR = f"{PACKAGE}/rim:Classification[@classificationScheme='{names.SET_AUTHOR}']"


def tell(path: str, name: str, *told: str) -> Change:
    """Add a slot, or values to one that is there."""

    def change(body: Element) -> None:
        parent = body.find(path, SPACES)
        assert parent is not None
        listed = parent.find(f"rim:Slot[@name='{name}']/rim:ValueList", SPACES)
        if listed is None:
            slot = etree.Element(f"{{{names.RIM}}}Slot", name=name)
            parent.insert(0, slot)
            listed = etree.SubElement(slot, f"{{{names.RIM}}}ValueList")
        for one in told:
            etree.SubElement(listed, f"{{{names.RIM}}}Value").text = one

    return change


@pytest.mark.parametrize("change, lost", [
    (tell(DOCUMENT, "urn:example:own", "7"), "urn:example:own"),
    (tell(DOCUMENT, "documentAvailability", "urn:7"), "documentAvailability"),
    (tell(DOCUMENT, "a name of ANNE", "7"), "a slot"),
    (tell(PACKAGE, "intendedRecipient", "|1^X"), "intendedRecipient"),
    (tell(ASSOCIATION, "PreviousVersion", "1"), "PreviousVersion"),
    (tell(AUTHOR, "authorTelecommunication", "^^^a@b"), "authorTelecommunication"),
    (tell(AUTHOR, "authorPerson", "1^SECOND"), "a second authorPerson"),
    (tell(DOCUMENT, "creationTime", "2026"), "a second creationTime"),
    (tell(DOCUMENT, "sourcePatientInfo", "PID-3|7^^^&1.2&ISO^PI"), "PID-3 of sourcePatientInfo"),
    (tell(DOCUMENT, "sourcePatientInfo", "PID-11|^^^^^^BDL^^75114"), "PID-11 of sourcePatientInfo"),
    (tell(DOCUMENT, "sourcePatientInfo", "PID-5|USAGE^Anne^^^^^D"), "PID-5 of sourcePatientInfo"),
    (tell(DOCUMENT, names.REFERENCE_ID_LIST, "9^^^&1.3&ISO^urn:ihe:iti:xds:2015:encounterId"),
     "a reference id of another kind"),
    (say("authorPerson", "1^A^B^C^^^^^&1.2.250.1.71.4.2.1&ISO^D^^^IDNPS"),
     "a part of authorPerson"),
    (say("legalAuthenticator", "1^A^B^^^DR"), "a part of legalAuthenticator"),
    (repeat(CLASS), "a second classCode"),
    (classify("Document1", "urn:uuid:0", "x"),
     "a classification or an identifier of another scheme"),
    (repeat(SET_AUTHOR), "a second author of the submission set"),
])  # fmt: skip
async def test_what_is_not_kept_is_told_by_its_attribute(
    index_url: str, change: Change, lost: str
) -> None:
    body = provide_body(a_set(1), inline=True)
    change(body)

    reply = await ask(f"{index_url}/xds/repository", PROVIDE, body)

    context = str(reply.body.xpath("string(.//@codeContext)"))
    assert (reply.outcome, reply.errors) == ("Success", ["XDSExtraMetadataNotSaved"])
    assert context == f"not saved: {lost}"
