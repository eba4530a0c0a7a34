"""What ITI-65 and ITI-105 tell of one document, checked against its bytes."""

import base64
import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Final

from indexer.contract.document import Code, DocumentEntry, EntryStatus
from indexer.contract.document_set import Association, Relation
from indexer.contract.errors import InvalidValue
from indexer.wire.fhir.document_reference import read_document_reference
from indexer.wire.fhir.elements import Element, read_moment, read_uuid
from indexer.wire.outcome import IssueCode, Json, Refusal, warning
from indexer.wire.vocabulary import OID_PREFIX, UUID_PREFIX
from indexer.wire.xml import clean

PLACE: Final = "DocumentReference/"
TEXT_LENGTH_MAX: Final = 1024
"""Characters of a title, a comment or a part of a code: as many as one value has by XDS.b."""
_CODE: Final = re.compile(r"\S+( \S+)*")

_KEPT: Final = frozenset(
    "resourceType id meta contained masterIdentifier identifier status type category subject date "
    "author authenticator custodian relatesTo description securityLabel content context".split()
)
_KEPT_OF_CONTEXT: Final = frozenset(
    "event period facilityType practiceSetting sourcePatientInfo related".split()
)
_KEPT_OF_ATTACHMENT: Final = frozenset(
    "contentType language data url size hash title creation".split()
)
_RELATIONS: Final = {
    frozenset({"replaces"}): Relation.REPLACES,
    frozenset({"appends"}): Relation.APPENDS,
    frozenset({"transforms"}): Relation.TRANSFORMS,
    frozenset({"signs"}): Relation.SIGNS,
    frozenset({"replaces", "transforms"}): Relation.TRANSFORMS_AND_REPLACES,
}
"""By all that one document says of one target."""


def read_submitted_entry(element: Element, content: bytes, *, symbol: str) -> DocumentEntry:
    """The entry of a document on its way to the index, named by a symbol.

    Raises:
        Refusal: it is malformed, is not what a submission may bring, or describes other bytes.
    """
    element.forbid("modifierExtension", "docStatus", "implicitRules")
    entry = read_document_reference(element)
    codes = [entry.class_code, entry.type_code, entry.format_code, entry.facility]
    codes += [entry.practice_setting, *entry.confidentiality, *entry.event_codes]
    expect_tellable(element, codes, [entry.title, entry.comments, entry.language])
    if entry.status is not EntryStatus.APPROVED:
        raise element.refuse("status", "is not current", IssueCode.VALUE)
    if len(content) != entry.size_bytes:
        raise Refusal(
            "the document is not of the size that its metadata tells",
            code=IssueCode.VALUE,
            expression=f"{element.path}.content[0].attachment.size",
        )
    if hashlib.sha1(content, usedforsecurity=False).hexdigest() != entry.sha1:
        raise Refusal(
            "the document's hash is not the one that its metadata tells",
            code=IssueCode.VALUE,
            expression=f"{element.path}.content[0].attachment.hash",
        )
    return replace(entry, entry_id=symbol, document_url="")


def expect_tellable(element: Element, codes: Iterable[Code], texts: Iterable[str]) -> None:
    """Refuse what XDS.b could not tell: who asks by it would be given what nobody can read.

    Raises:
        Refusal: a code has not the form of one (R4 §2.24.0.1), or something is too long.
    """
    longest = max(map(len, texts), default=0)
    for one in codes:
        if not _is_code(one.code):
            raise Refusal(f"{element.path} has a code that is none", code=IssueCode.VALUE)
        longest = max(longest, len(one.code), len(one.scheme), len(one.display))
    if longest > TEXT_LENGTH_MAX:
        reason = f"{element.path} has a text longer than {TEXT_LENGTH_MAX} characters"
        raise Refusal(reason, code=IssueCode.TOO_LONG)


def _is_code(text: str) -> bool:
    if text.isascii() and text.isprintable() and text and " " not in text:  # as most are
        return True
    return _CODE.fullmatch(text) is not None and clean(text) == text


def measured(resource: Json, content: bytes) -> Json:
    """The DocumentReference with size and hash, where it does not tell them itself.

    MHD's minimal metadata may leave them out; the DMP may not.
    """
    match resource:
        case {"content": [{"attachment": dict(attachment), **others}]}:
            sha1 = hashlib.sha1(content, usedforsecurity=False).digest()
            told = {"size": len(content), "hash": base64.b64encode(sha1).decode()} | attachment
            return resource | {"content": [{**others, "attachment": told}]}
        case _:
            return resource  # its reader says what is wrong


def read_relations(
    element: Element, *, source: str, symbols: Mapping[str, str]
) -> list[Association]:
    """What a document is to others; MHD's word for each is the same as FHIR's.

    Args:
        element: the DocumentReference.
        source: its own symbol.
        symbols: those of the submission's objects, by how the document may refer to them.

    Raises:
        Refusal: a target is no entry, or is not held yet and would have to be.
    """
    told: dict[str, set[str]] = {}
    for one in element.children("relatesTo"):
        one.expect("code", "replaces", "appends", "transforms", "signs")
        target = one.child("target").parsed("reference", lambda text: _target(text, symbols))
        told.setdefault(target, set()).add(one.text("code"))
    relations = []
    for target, codes in told.items():
        relation = _RELATIONS.get(frozenset(codes))
        if relation is None:
            what = "says of one target what cannot be true together"
            raise element.refuse("relatesTo", what, IssueCode.BUSINESS_RULE)
        if target in symbols.values() and relation is not Relation.SIGNS:
            what = "is of what is not held yet"
            raise element.refuse("relatesTo", what, IssueCode.BUSINESS_RULE)
        relations.append(Association(relation=relation, source=source, target=target))
    return relations


def _target(reference: str, symbols: Mapping[str, str]) -> str:
    return symbols.get(reference) or read_place(reference)


def read_place(reference: str) -> str:
    """The id of an entry that the index holds, from a reference relative to its base.

    Raises:
        InvalidValue: it is none.
    """
    if not reference.startswith(PLACE):
        raise InvalidValue("not a DocumentReference of this index")
    return read_uuid(reference.removeprefix(PLACE))


def not_kept(element: Element) -> list[Json]:
    """Warnings of what a DocumentReference tells and the index has no place for."""
    context = element.child("context")
    attachment = element.only_child("content").child("attachment")
    return [
        warning(one.at(name), "is not kept")
        for one, kept in (
            (element, _KEPT),
            (context, _KEPT_OF_CONTEXT),
            (attachment, _KEPT_OF_ATTACHMENT),
        )
        for name in sorted(one.fields.keys() - kept)
        if name.isascii() and name.isalpha()  # else it is no element's name, and may be anything
    ] + [*_other_identifiers(element), *_other_date(element, attachment)]


def _other_date(element: Element, attachment: Element) -> Iterator[Json]:
    """As date of an entry the index tells when its document was made, whatever was sent."""
    if "date" not in element.fields:
        return
    if element.fields["date"] == attachment.fields["creation"]:
        return
    with suppress(InvalidValue):
        if read_moment(element.text("date")) == attachment.moment("creation"):
            return
    yield warning(element.at("date"), "is not kept")


def _other_identifiers(element: Element) -> Iterator[Json]:
    for one in element.children("identifier"):
        if not one.text_or_empty("value").startswith((OID_PREFIX, UUID_PREFIX)):
            yield warning(one.path, "is not kept")
