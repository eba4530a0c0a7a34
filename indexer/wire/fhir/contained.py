"""Who a resource names by containing them: the authors of documents and submission sets, both ways.

The index keeps no Patient, Practitioner or Organization resources of its own.
"""

from collections.abc import Iterator
from typing import Final

from indexer.contract.document import Identifier, Organisation, Person
from indexer.wire.fhir.elements import Element, compact, identifier, read_identifier
from indexer.wire.fhir.known import knowing_again
from indexer.wire.outcome import IssueCode, Json
from indexer.wire.vocabulary import ORGANISATIONS, PROFESSIONALS

PERSON_LENGTH_MAX: Final = 1024
"""Characters of a name or a number of a person: each author is compared with what is searched."""

AUTHOR = "author"
ORGANISATION = "organisation"


def local(name: str) -> Json:
    """A reference to what the resource contains by this name."""
    return {"reference": f"#{name}"}


def practitioner(name: str, person: Person) -> Json:
    """A professional by national number."""
    authority = person.authority or PROFESSIONALS
    number = Identifier(value=person.number, authority=authority, kind=person.kind)
    human = compact(family=person.family, given=[person.given] if person.given else [])
    return compact(
        resourceType="Practitioner",
        id=name,
        identifier=[identifier(number)] if number.value else [],
        name=[human] if human else [],
    )


def organisation(name: str, structure: Organisation) -> Json:
    """A structure by national number."""
    number = Identifier(value=structure.number, authority=ORGANISATIONS)
    return compact(
        resourceType="Organization",
        id=name,
        identifier=[identifier(number)] if number.value else [],
        name=structure.name,
    )


class Contained:
    """The contained resources of one resource, by their ids."""

    def __init__(self, element: Element) -> None:
        self._by_reference = {f"#{one.text('id')}": one for one in element.children("contained")}

    def referred(self, element: Element, name: str) -> Element:
        """The contained resource to which the element refers."""
        reference = element.child(name)
        found = self._by_reference.get(reference.text("reference"))
        if found is None:
            raise reference.refuse("reference", "is not contained", IssueCode.NOT_SUPPORTED)
        return found

    def among(self, element: Element, name: str) -> "Iterator[tuple[str, Element]]":
        """The contained resources among a list of references, each with its reference."""
        for one in element.children(name):
            reference = one.text_or_empty("reference")
            if reference in self._by_reference:
                yield reference, self._by_reference[reference]


def first_identifier(element: Element) -> Identifier:
    """The first identifier of a resource; empty where it has none."""
    found = element.children("identifier")
    return read_identifier(found[0]) if found else Identifier(value="")


def read_name(element: Element) -> tuple[str, str]:
    """Family and given name of the first human name."""
    found = element.children("name")
    if not found:
        return "", ""
    return found[0].text_or_empty("family"), " ".join(found[0].texts("given"))


@knowing_again
def read_person(element: Element) -> Person:
    """The inverse of `practitioner`."""
    element.expect("resourceType", "Practitioner")
    family, given = read_name(element)
    number = first_identifier(element)
    for name, text in (("name", family), ("name", given), ("identifier", number.value)):
        if len(text) > PERSON_LENGTH_MAX:
            reason = f"is longer than {PERSON_LENGTH_MAX} characters"
            raise element.refuse(name, reason, IssueCode.TOO_LONG)
    return Person(
        number=number.value,
        family=family,
        given=given,
        authority="" if number.authority == PROFESSIONALS else number.authority,
        kind=number.kind,
    )


def read_role(contained: Contained, role: Element) -> tuple[Person, list[Organisation]]:
    """Whom a PractitionerRole ties to which structure; either may be left out."""
    person, structures = Person(number=""), []
    if role.has("practitioner"):
        person = read_person(contained.referred(role, "practitioner"))
    if role.has("organization"):
        structures = [read_organisation(contained.referred(role, "organization"))]
    return person, structures


def read_professional(
    contained: Contained, element: Element, name: str
) -> tuple[Person, list[Organisation]]:
    """A person whom an element refers to, by themselves or by a role, with its structure."""
    told = contained.referred(element, name)
    if told.text("resourceType") == "PractitionerRole":
        told.child("practitioner")  # of an author alone a structure may be all that is known
        return read_role(contained, told)
    return read_person(told), []


@knowing_again
def read_organisation(element: Element) -> Organisation:
    """The inverse of `organisation`."""
    return Organisation(number=first_identifier(element).value, name=element.text_or_empty("name"))
