"""Every cell of who × relation × mode × visibility × record × act is as the written rules have it.

The table, `rights.txt`, is written from the rules by hand; the code under test has no part in it.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path

from indexer.contract.access import Authentication, Caller, CallerKind, Purpose
from indexer.contract.document import Author, Code, DocumentEntry, Organisation, Person
from indexer.contract.record import RecordState
from indexer.server.acts import Act
from indexer.server.rights.decision import decide
from indexer.server.rights.habilitations import load_matrix
from indexer.server.rights.reasons import Decision
from indexer.server.rights.record import Record, Standing
from tests.support.pointers import ANNE, PAUL, an_entry
from tests.support.rights import a_caller, masked

NOW_MS = 1_000_000
MATRIX = load_matrix(None)
SUBMITTER, ELSEWHERE = "1750803447", "1440000000"

ACTS = {
    "find": Act.FIND,
    "read": Act.READ,
    "publish": Act.PUBLISH,
    "replace": Act.REPLACE,
    "withdraw": Act.WITHDRAW,
    "authorise": Act.AUTHORISE,
    "journal": Act.READ_JOURNAL,
    "extract": Act.EXTRACT,
    "mask": Act.CHANGE,
    "unmask": Act.CHANGE,
    "tell": Act.CHANGE,
    "hide": Act.CHANGE,
}
ON_THE_RECORD = {"authorise", "journal"}
"""What is not done to a document."""
DOCTOR = a_caller(authentication=Authentication.DIRECT)
WHO = {
    "doctor": DOCTOR,
    "doctor-air": replace(DOCTOR, authentication=Authentication.REINFORCED),
    "nurse": a_caller("60", authentication=Authentication.DIRECT),
    "structure": replace(DOCTOR, authentication=Authentication.INDIRECT),
    "program": replace(DOCTOR, kind=CallerKind.SYSTEM, role=Code(code="AUTOMATE", scheme="1")),
    "clerk": replace(DOCTOR, role=None),
    "patient": replace(DOCTOR, kind=CallerKind.PATIENT, person=Person(number=""), role=None),
    "representative": replace(
        DOCTOR, kind=CallerKind.REPRESENTATIVE, person=Person(number=""), role=None
    ),
}
RELATIONS = {
    "stranger": Standing(),
    "declared": Standing(declared=True),
    "granted": Standing(granted=True, granted_until_ms=NOW_MS + 1),
    "ended": Standing(granted=True, granted_until_ms=NOW_MS),
    "treating": Standing(),
    "author": Standing(declared=True),
    "colleague": Standing(declared=True),
    "submitter": Standing(declared=True),
    "blocked": Standing(declared=True, blocked=True),
    "blocked-author": Standing(declared=True, blocked=True),
}
PURPOSES = {
    "normal": (Purpose.NORMAL, ""),
    "glass": (Purpose.BREAK_GLASS, "unconscious"),
    "glass-mute": (Purpose.BREAK_GLASS, " "),
    "centre15": (Purpose.CENTRE_15, "chest pain"),
}
SEES = {
    "plain": (),
    "masked": ("MASQUE_PS",),
    "untold": ("INVISIBLE_PATIENT",),
    "secret": ("INVISIBLE_REPRESENTANTS_LEGAUX",),
    "secret-shown": ("INVISIBLE_REPRESENTANTS_LEGAUX",),
    "masked-secret": ("MASQUE_PS", "INVISIBLE_REPRESENTANTS_LEGAUX"),
}
RECORDS = {
    "open": Record(patient=ANNE),
    "absent": Record(patient=ANNE, state=RecordState.ABSENT),
    "closed": Record(patient=ANNE, state=RecordState.CLOSED),
    "opposed": Record(patient=ANNE, opposed=True),
    "refusing": Record(patient=ANNE, refuses_documents=True),
    "no-glass": Record(patient=ANNE, excluded=frozenset({Purpose.BREAK_GLASS})),
    "no-centre15": Record(patient=ANNE, excluded=frozenset({Purpose.CENTRE_15})),
    "glass-shows": Record(patient=ANNE, masked_in_emergency=True),
    "other": Record(patient=PAUL),
}
COLUMNS: Sequence[Mapping[str, object]] = (ACTS, WHO, RELATIONS, PURPOSES, SEES, RECORDS)
RESULTS = {"yes", "no", "hidden"}


@dataclass(frozen=True)
class Line:
    number: int
    cells: tuple[frozenset[str], ...]
    result: str

    def fits(self, cell: tuple[str, ...]) -> bool:
        return all(word in words for word, words in zip(cell, self.cells, strict=True))


def lines() -> Iterator[Line]:
    text = Path(__file__).with_name("rights.txt").read_text(encoding="utf-8")
    for number, line in enumerate(text.splitlines(), start=1):
        if line.strip() and not line.startswith("#"):
            *cells, result = line.split()
            assert result in RESULTS, number
            known = [words_of(*one) for one in zip(cells, COLUMNS, strict=True)]
            yield Line(number, tuple(known), result)


def words_of(cell: str, column: Mapping[str, object]) -> frozenset[str]:
    known, words = set(column), set(cell.removeprefix("!").split("|"))
    if cell == "-":
        return frozenset(known)
    assert words <= known, words - known
    return frozenset(known - words if cell.startswith("!") else words)


def judged(cell: Sequence[str]) -> str:
    act, who, relation, purpose, sees, record = cell
    mode, reason = PURPOSES[purpose]
    caller = replace(
        WHO[who], purpose=mode, reason=reason, secret=sees == "secret-shown", patient=ANNE
    )
    held = replace(
        RECORDS[record],
        standing=RELATIONS[relation],
        treating_doctor=caller.person.number if relation == "treating" else "899900000001",
    )
    document = None if act in ON_THE_RECORD else authored(caller, relation, masked(SEES[sees]))
    becomes = changed(document, act) if document is not None else None
    return said(
        decide(
            caller,
            ACTS[act],
            held,
            document,
            becomes=becomes,
            submitter=SUBMITTER if relation == "submitter" else ELSEWHERE,
            matrix=MATRIX,
            now_ms=NOW_MS,
        )
    )


def changed(document: DocumentEntry, act: str) -> DocumentEntry:
    """The document with a code more, or less."""
    [code] = masked(["MASQUE_PS" if act in {"mask", "unmask"} else "INVISIBLE_PATIENT"])[1:]
    others = [one for one in document.confidentiality if one != code]
    added = [code] if act in {"mask", "hide"} else []
    return replace(document, confidentiality=(*others, *added))


def authored(caller: Caller, relation: str, codes: tuple[Code, ...]) -> DocumentEntry:
    own = relation in {"author", "blocked-author"}
    somebody, elsewhere = Person(number="801111111111"), Organisation(number=ELSEWHERE)
    return replace(
        an_entry(),
        confidentiality=codes,
        author=caller.person if own else somebody,
        legal_authenticator=somebody,
        author_organisation=caller.organisation if own or relation == "colleague" else elsewhere,
    )


def said(decision: Decision) -> str:
    if decision.permitted:
        return "yes"
    return "hidden" if decision.hidden else "no"


def test_every_cell_is_as_the_written_rules_have_it() -> None:
    table, used, wrong = list(lines()), set(), []

    for cell in product(*COLUMNS):
        line = next(one for one in table if one.fits(cell))
        used.add(line.number)
        if (found := judged(cell)) != line.result:
            wrong.append((line.number, cell, found))

    assert wrong == []
    assert used == {line.number for line in table}, "a line of the table decides nothing"


def test_each_author_of_a_document_sees_it_though_it_is_masked() -> None:
    caller = a_caller()
    held = replace(RECORDS["open"], standing=Standing(declared=True))
    others = [Person(number=f"89990000000{n}") for n in (1, 2)]
    by_others, by_the_caller_too = (
        replace(
            an_entry(),
            author=others[0],
            authors=tuple(Author(person=one) for one in [*others, *more]),
            legal_authenticator=None,
            confidentiality=masked(["MASQUE_PS"]),
        )
        for more in ([], [caller.person])
    )

    seen = [
        decide(caller, Act.READ, held, one, matrix=MATRIX, now_ms=NOW_MS).permitted
        for one in (by_others, by_the_caller_too)
    ]

    assert seen == [False, True]
