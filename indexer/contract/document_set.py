"""What is submitted together: a submission set, its documents, and what they are to each other.

ITI-41 and ITI-65 both make one of these; what an index does about it is told by these words alone.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Final

from indexer.contract.document import Code, DocumentEntry, Organisation, Person, Submission
from indexer.contract.identifiers import Ins, Oid, Uid

SET_SYMBOL: Final = "SubmissionSet01"
DOCUMENT_SYMBOL: Final = "Document01"
"""How a document that is submitted alone, and its set, are named until ids are allotted."""


class Relation(StrEnum):
    """What the source of an association is to its target (ITI TF-3 §4.2.2)."""

    MEMBER = "member"
    """The source is a submission set, and the target was held before it: named by reference."""
    REPLACES = "replaces"
    APPENDS = "appends"
    TRANSFORMS = "transforms"
    TRANSFORMS_AND_REPLACES = "transforms-and-replaces"
    SIGNS = "signs"


REPLACING: Final = frozenset({Relation.REPLACES, Relation.TRANSFORMS_AND_REPLACES})
"""Their target is no longer current."""
FOLLOWING: Final = frozenset({Relation.APPENDS, Relation.TRANSFORMS})
"""Their source is no longer current either once their target is replaced."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Association:
    """How two objects belong together, by their ids."""

    relation: Relation
    source: str
    target: str
    association_id: str = ""
    """Allotted by the index; empty before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SubmissionSet:
    """Who submits what, and when (ITI TF-3 §4.2.3.3)."""

    unique_id: Uid
    source_id: Oid
    patient: Ins
    submitted_at: datetime
    content_type: Code
    author: Person
    author_organisation: Organisation
    title: str = ""
    comments: str = ""
    set_id: str = ""
    """Before the index allots a UUID, the symbol by which associations name the set."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A document with its entry, whose `entry_id` is a symbol until the index allots a UUID."""

    entry: DocumentEntry
    content: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentSet:
    """All of one submission: it is held whole, or not at all."""

    submission_set: SubmissionSet
    documents: tuple[Document, ...]
    associations: tuple[Association, ...] = ()
    """Without the memberships of `documents`, which all of them have."""


def document_set_of(submission: Submission) -> DocumentSet:
    """The submission of one document, whose author submits it."""
    entry, replaces = submission.entry, submission.replaces
    return DocumentSet(
        submission_set=SubmissionSet(
            unique_id=submission.submission_id,
            source_id=submission.source_id,
            patient=entry.patient,
            submitted_at=submission.submitted_at,
            content_type=submission.content_type,
            author=entry.author,
            author_organisation=entry.author_organisation,
            set_id=SET_SYMBOL,
        ),
        documents=(
            Document(entry=replace(entry, entry_id=DOCUMENT_SYMBOL), content=submission.document),
        ),
        associations=(
            (Association(relation=Relation.REPLACES, source=DOCUMENT_SYMBOL, target=replaces),)
            if replaces
            else ()
        ),
    )
