"""Who a local patient is: what the master patient index said last, and under which local ids.

A merge (A40) or a change of ids (A47) makes local ids one person's. The INS that goes with them is
that of the last word about any of them; EVN-2 orders the words, and where one has none, when it
was heard.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import datetime

from gateway.model.agreement import share
from gateway.model.patient import PatientWord
from gateway.model.report import ReportedPatient
from gateway.model.study import NumberedWord
from indexer.contract.document import Identifier

TRAITS = (
    "birth_name", "first_given_name", "given_names", "used_names",
    "birth_date", "sex", "birth_place",
)  # fmt: skip


def all_ids(ids: Iterable[Identifier], words: Sequence[NumberedWord]) -> tuple[Identifier, ...]:
    """The local ids, with all others that some word makes the same person's."""
    clear = _clearing(words)
    known = clear(dict.fromkeys(ids))
    grew = True
    while grew:
        grew = False
        for numbered in words:
            of_one = clear(_named(numbered.word))
            if share(known, of_one):
                more = [one for one in of_one if one not in known]
                known += more
                grew = grew or bool(more)
    return tuple(known)


def last_word(ids: Iterable[Identifier], words: Sequence[NumberedWord]) -> PatientWord | None:
    """The last word that speaks of the identity of whom these local ids name; None without any.

    A word that names no INS and no status of the identity says nothing of it.
    """
    numbered = _last(ids, words)
    return None if numbered is None else numbered.word


def said_at(numbered: NumberedWord) -> datetime:
    """When the word was said, as near as is known."""
    return numbered.word.told_at or numbered.heard_at


def corrected(
    patient: ReportedPatient,
    identity_status: str,
    told_at: datetime | None,
    words: Sequence[NumberedWord],
) -> tuple[ReportedPatient, str]:
    """The patient, and the status of their identity, as a word later than `told_at` corrects them.

    Args:
        told_at: when the patient was told; None lets any word correct it.
    """
    ids = tuple(dict.fromkeys((*patient.local_ids, *all_ids(patient.local_ids, words))))
    last = _last(ids, words)
    if last is None or (told_at is not None and said_at(last) <= told_at):
        return replace(patient, local_ids=ids), identity_status
    word = last.word
    told = {name: getattr(word.patient, name) for name in TRAITS}
    known = {name: value for name, value in told.items() if value}
    # No INS in the word: the sender's way to say less. Another INS without a status: not validated.
    ins = word.patient.ins or patient.ins
    status = word.identity_status if word.identity_status or ins != patient.ins else identity_status
    return replace(patient, ins=ins, local_ids=ids, **known), status


def _last(ids: Iterable[Identifier], words: Sequence[NumberedWord]) -> NumberedWord | None:
    known, clear = all_ids(ids, words), _clearing(words)
    speaking = [
        one
        for one in words
        if share(known, clear(one.word.patient.local_ids))
        and (one.word.patient.ins is not None or one.word.identity_status)
    ]
    return max(speaking, key=lambda one: (said_at(one), one.number), default=None)


def _named(word: PatientWord) -> tuple[Identifier, ...]:
    return (*word.patient.local_ids, *word.merged)


def _clearing(words: Iterable[NumberedWord]) -> Callable[[Iterable[Identifier]], list[Identifier]]:
    """Leaves of ids those that name one person: a number alone does not where two authorities gave
    it.
    """
    named = {one for numbered in words for one in _named(numbered.word) if one.authority}
    given = Counter(one.value for one in named)
    return lambda ids: [one for one in ids if one.authority or given[one.value] < 2]
