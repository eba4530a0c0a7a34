"""Which submissions an index takes, and what becomes of what they replace: plain decisions."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from indexer.contract.document import DocumentEntry, EntryStatus
from indexer.contract.document_set import FOLLOWING, REPLACING, Association, DocumentSet, Relation
from indexer.server.columns import patient_key
from indexer.wire.outcome import IssueCode, Refusal, XdsError


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownEntry:
    """What a submission is judged by."""

    entry_id: str
    unique_id: str
    patient_key: str
    status: EntryStatus
    sha1: str
    size_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What of the index concerns a batch of submissions."""

    entries: Sequence[KnownEntry] = ()
    set_unique_ids: frozenset[str] = frozenset()
    followers: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Amendments and transformations, by the entry that they follow."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What comes of a batch."""

    refused: Mapping[str, Refusal]
    """By set_id."""
    superseded: Mapping[str, str]
    """Entries that are no longer current, where they were, each with its patient's key."""


def allot(submitted: DocumentSet, new_id: Callable[[], str]) -> DocumentSet:
    """The same submission, in which each object has an id of the index's instead of a symbol."""
    symbols = [one.entry.entry_id for one in submitted.documents]
    ids = {symbol: new_id() for symbol in (submitted.submission_set.set_id, *symbols)}
    return DocumentSet(
        submission_set=replace(
            submitted.submission_set, set_id=ids[submitted.submission_set.set_id]
        ),
        documents=tuple(
            replace(one, entry=replace(one.entry, entry_id=ids[one.entry.entry_id]))
            for one in submitted.documents
        ),
        associations=tuple(
            replace(
                one,
                source=ids[one.source],
                target=ids.get(one.target, one.target),
                association_id=new_id(),
            )
            for one in submitted.associations
        ),
    )


def targets_held(submitted: DocumentSet) -> list[Association]:
    """The associations whose target is no object of the submission itself."""
    own = {submitted.submission_set.set_id, *(one.entry.entry_id for one in submitted.documents)}
    return [one for one in submitted.associations if one.target not in own]


def judge(batch: Sequence[DocumentSet], known: Known) -> Verdict:
    """Which submissions of a batch are refused; the earlier of two has its way.

    A repeat is told as a duplicate even when what it replaces is no longer current: it was its own
    first coming that replaced it.
    """
    court = _Court(known)
    refused = {}
    for one in batch:
        refusal = court.refusal_of(one)
        if refusal is None:
            court.take(one)
        else:
            refused[one.submission_set.set_id] = refusal
    return Verdict(refused=refused, superseded=court.superseded)


class _Court:
    """What is known, with what the batch has added so far."""

    def __init__(self, known: Known) -> None:
        self._by_unique_id = {one.unique_id: one for one in known.entries}
        self._by_id = {one.entry_id: one for one in known.entries}
        self._set_unique_ids = set(known.set_unique_ids)
        self._followers = {target: list(them) for target, them in known.followers.items()}
        self.superseded: dict[str, str] = {}

    def refusal_of(self, submitted: DocumentSet) -> Refusal | None:
        for document in submitted.documents:
            twin = self._by_unique_id.get(document.entry.unique_id)
            if twin is not None:
                return _duplicate(document.entry, twin)
        told = submitted.submission_set
        unique_ids = {told.unique_id, *(one.entry.unique_id for one in submitted.documents)}
        if len(unique_ids) <= len(submitted.documents):
            return Refusal(
                "a unique id is told twice",
                code=IssueCode.DUPLICATE,
                error=XdsError.DUPLICATE_IN_MESSAGE,
            )
        if told.unique_id in self._by_unique_id or unique_ids & self._set_unique_ids:
            return Refusal(
                "another object with this unique id is held already",
                code=IssueCode.DUPLICATE,
                error=XdsError.DUPLICATE_IN_REGISTRY,
            )
        return self._refusal_of_targets(targets_held(submitted), patient_key(told.patient))

    def _refusal_of_targets(self, told: Sequence[Association], patient: str) -> Refusal | None:
        """In whatever order they are told."""
        replaced = [one.target for one in told if one.relation in REPLACING]
        going = self._with_followers(replaced)
        for one in told:
            refusal = self._refusal_of_target(one, patient)
            if refusal is not None:
                return refusal
            if one.relation in FOLLOWING and one.target in going:
                return _no_longer_current(one)
            if one.relation in REPLACING and replaced.count(one.target) > 1:
                return _no_longer_current(one)
        return None

    def _refusal_of_target(self, one: Association, patient: str) -> Refusal | None:
        """Why an entry cannot be a target (ITI TF-2 §3.42.4.1.3.3), None if it can."""
        what = _TARGETS[one.relation]
        entry = self._by_id.get(one.target)
        # Another patient's entry is told like one that is not there, which it is for this patient;
        # only XDS has a code of its own for it.
        if entry is None or entry.patient_key != patient:
            return not_held(
                one,
                XdsError.UNRESOLVED_REFERENCE if entry is None else XdsError.PATIENT_DOES_NOT_MATCH,
            )
        if entry.status is EntryStatus.WITHDRAWN:
            return Refusal(
                f"{what} is withdrawn", code=IssueCode.DELETED, error=XdsError.DEPRECATED
            )
        gone = one.target in self.superseded or entry.status is EntryStatus.DEPRECATED
        if gone and one.relation not in (Relation.MEMBER, Relation.SIGNS):
            return _no_longer_current(one)
        return None

    def take(self, submitted: DocumentSet) -> None:
        told = submitted.submission_set
        self._set_unique_ids.add(told.unique_id)
        for document in submitted.documents:
            entry = document.entry
            self._by_unique_id[entry.unique_id] = KnownEntry(
                entry_id=entry.entry_id,
                unique_id=entry.unique_id,
                patient_key=patient_key(told.patient),
                status=EntryStatus.APPROVED,
                sha1=entry.sha1,
                size_bytes=entry.size_bytes,
            )
        for one in submitted.associations:
            if one.relation in FOLLOWING:
                self._followers.setdefault(one.target, []).append(one.source)
        replaced = [one.target for one in submitted.associations if one.relation in REPLACING]
        self.superseded |= dict.fromkeys(self._with_followers(replaced), patient_key(told.patient))

    def _with_followers(self, entry_ids: Sequence[str]) -> set[str]:
        """With all that follows them, however far (ITI TF-2 §3.42.4.1.3.3.4)."""
        found: set[str] = set()
        waiting = list(entry_ids)
        while waiting:
            one = waiting.pop()
            if one not in found:
                found.add(one)
                waiting.extend(self._followers.get(one, ()))
        return found


_TARGETS = {
    Relation.MEMBER: "the entry to be referred to",
    Relation.REPLACES: "the entry to be replaced",
    Relation.APPENDS: "the entry to be amended",
    Relation.TRANSFORMS: "the entry to be transformed",
    Relation.TRANSFORMS_AND_REPLACES: "the entry to be replaced",
    Relation.SIGNS: "the entry to be signed",
}


def _no_longer_current(one: Association) -> Refusal:
    return Refusal(
        f"{_TARGETS[one.relation]} is no longer current",
        code=IssueCode.BUSINESS_RULE,
        error=XdsError.DEPRECATED,
    )


def not_held(one: Association, error: XdsError = XdsError.UNRESOLVED_REFERENCE) -> Refusal:
    """The refusal of a target that is not there, or is hidden from who names it."""
    reason = f"{_TARGETS[one.relation]} is not held for this patient"
    return Refusal(reason, code=IssueCode.BUSINESS_RULE, error=error)


def _duplicate(entry: DocumentEntry, twin: KnownEntry) -> Refusal:
    error = XdsError.DUPLICATE_IN_REGISTRY
    if entry.sha1 != twin.sha1:
        error = XdsError.NON_IDENTICAL_HASH
    elif entry.size_bytes != twin.size_bytes:
        error = XdsError.NON_IDENTICAL_SIZE
    return Refusal(
        "a document with this unique id is held already", code=IssueCode.DUPLICATE, error=error
    )
