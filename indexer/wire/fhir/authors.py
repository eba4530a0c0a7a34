"""The authors of a document as FHIR tells them, both ways.

The first is a Practitioner beside the Organizations in whose name they act, as PDSm has it. What
else there is of authors goes by PractitionerRoles, which tie a person to a structure.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final

from indexer.contract.document import Author, Organisation
from indexer.wire.fhir.contained import (
    AUTHOR,
    ORGANISATION,
    Contained,
    local,
    organisation,
    practitioner,
    read_organisation,
    read_person,
    read_role,
)
from indexer.wire.fhir.elements import Element, compact
from indexer.wire.outcome import IssueCode, Json

AUTHORS_MAX: Final = 16  # of one document

_ROLE: Final = "role"
_NOBODY: Final = Organisation(number="")


def authors(told: Sequence[Author]) -> tuple[list[Json], list[Json]]:
    """What a resource contains of its authors, and its references to them."""
    contained: list[Json] = []
    references: list[Json] = []
    for number, author in enumerate(told):
        suffix = f"-{number + 1}" if number else ""
        structures = author.organisations or (() if number else (_NOBODY,))
        names = [f"{ORGANISATION}{suffix}" + f".{n}" * (n > 0) for n in range(len(structures))]
        contained.append(practitioner(AUTHOR + suffix, author.person))
        contained += map(organisation, names, structures)
        roles = list(_roles(author, suffix, names))
        if number == 0:
            references += [local(AUTHOR), *map(local, names)]
            roles = roles[:1] if author.roles or author.specialities else []
        contained += roles
        references += [local(str(one["id"])) for one in roles]
    return contained, references


def _roles(author: Author, suffix: str, names: Sequence[str]) -> Iterator[Json]:
    """A role for each structure; what the author is stands in the first."""
    for number, name in enumerate(names or [""]):
        yield compact(
            resourceType="PractitionerRole",
            id=f"{_ROLE}{suffix}" + f".{number}" * (number > 0),
            practitioner=local(AUTHOR + suffix),
            organization=local(name) if name else None,
            code=[{"text": one} for one in author.roles] if number == 0 else [],
            specialty=[{"text": one} for one in author.specialities] if number == 0 else [],
        )


def read_authors(element: Element, contained: Contained) -> list[Author]:
    """The authors of a DocumentReference, of whom the first is a person in a structure's name.

    Args:
        contained: within it.

    Raises:
        Refusal: there is no such author, or there are more than `AUTHORS_MAX`.
    """
    found: dict[str, Author] = {}
    structures: list[Organisation] = []
    for reference, resource in contained.among(element, "author"):
        match resource.text("resourceType"):
            case "Practitioner":
                found.setdefault(reference, Author(person=read_person(resource)))
            case "Organization":
                structures.append(read_organisation(resource))
            case "PractitionerRole":
                name, role = _read_role(contained, reference, resource)
                found[name] = _merged(found.get(name), role)
    if not found:
        what = "refers to no contained Practitioner" if element.has("author") else "is missing"
        raise element.refuse("author", what, IssueCode.REQUIRED)
    if len(found) > AUTHORS_MAX:
        raise element.refuse("author", f"is more than {AUTHORS_MAX}", IssueCode.TOO_LONG)
    first, *others = found.values()
    if not structures and not first.organisations:
        raise element.refuse("author", "refers to no contained Organization", IssueCode.REQUIRED)
    told = dict.fromkeys([*structures, *first.organisations])
    named = tuple(one for one in told if one != _NOBODY)
    return [replace(first, organisations=named), *others]


def _read_role(contained: Contained, reference: str, role: Element) -> tuple[str, Author]:
    """By what the author is known among others, and what the role says of them."""
    person, structures = read_role(contained, role)
    if role.has("practitioner"):
        reference = role.child("practitioner").text("reference")
    return reference, Author(
        person=person,
        organisations=tuple(structures),
        roles=tuple(one.text("text") for one in role.children("code") if one.has("text")),
        specialities=tuple(
            one.text("text") for one in role.children("specialty") if one.has("text")
        ),
    )


def _merged(known: Author | None, told: Author) -> Author:
    if known is None:
        return told
    return replace(
        known,
        organisations=tuple(dict.fromkeys([*known.organisations, *told.organisations])),
        roles=known.roles + told.roles,
        specialities=known.specialities + told.specialities,
    )
