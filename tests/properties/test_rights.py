"""Whatever a record holds, what its holder takes away is never given by it."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from indexer.contract.access import Authentication, Caller, CallerKind, Purpose
from indexer.contract.document import DocumentEntry, Organisation, Person
from indexer.contract.record import RecordState
from indexer.server.acts import Act
from indexer.server.rights.decision import decide
from indexer.server.rights.habilitations import load_matrix
from indexer.server.rights.reasons import Decision
from indexer.server.rights.record import Mask, Record, Standing
from tests.support.pointers import ANNE, PAUL, an_entry
from tests.support.rights import a_caller, masked

MATRIX = load_matrix(None)
NUMBERS = st.sampled_from(["", "899900063480", "801111111111"])
STRUCTURES = st.sampled_from(["", "1750803447", "750803447", "1440000000"])
TIMES = st.integers(0, 10)

people = st.builds(Person, number=NUMBERS)
structures = st.builds(Organisation, number=STRUCTURES)
callers = st.builds(
    replace,
    st.sampled_from(["10", "21", "60", "70", "99"]).map(a_caller),
    kind=st.sampled_from(CallerKind),
    person=people,
    organisation=structures,
    purpose=st.sampled_from(Purpose),
    reason=st.sampled_from(["", "unconscious"]),
    authentication=st.sampled_from(Authentication),
    secret=st.booleans(),
)
records = st.builds(
    Record,
    patient=st.just(ANNE),
    state=st.sampled_from([RecordState.OPEN, RecordState.CLOSED]),
    refuses_documents=st.booleans(),
    opposed=st.booleans(),
    excluded=st.frozensets(st.sampled_from(Purpose)),
    masked_in_emergency=st.booleans(),
    treating_doctor=NUMBERS,
    standing=st.builds(
        Standing,
        declared=st.booleans(),
        granted=st.booleans(),
        granted_until_ms=st.none() | TIMES,
        blocked=st.booleans(),
    ),
)
documents = st.builds(
    replace,
    st.just(an_entry()),
    author=people,
    author_organisation=structures,
    legal_authenticator=st.none() | people,
    confidentiality=st.sets(st.sampled_from(Mask)).map(masked),
)
acts = st.sampled_from(sorted(Act))


def decided(
    caller: Caller, act: Act, record: Record, document: DocumentEntry, now_ms: int
) -> Decision:
    return decide(caller, act, record, document, matrix=MATRIX, now_ms=now_ms)


@given(callers, acts, records, documents, TIMES)
def test_what_the_holder_takes_away_permits_no_more(
    caller: Caller, act: Act, record: Record, document: DocumentEntry, now_ms: int
) -> None:
    standing = record.standing
    stricter = [
        replace(record, standing=replace(standing, blocked=True)),
        replace(record, standing=replace(standing, granted=False)),
        replace(record, standing=replace(standing, declared=False)),
        replace(record, standing=replace(standing, granted_until_ms=0)),
        replace(record, opposed=True),
        replace(record, refuses_documents=True),
        replace(record, excluded=frozenset(Purpose)),
        replace(record, masked_in_emergency=False),
        replace(record, treating_doctor=""),
        replace(record, state=RecordState.CLOSED),
        replace(record, patient=PAUL),
    ]

    before = decided(caller, act, record, document, now_ms)

    for after in stricter:
        assert before.permitted or not decided(caller, act, after, document, now_ms).permitted


@given(callers, acts, records, documents, st.sampled_from(Mask))
def test_another_mask_shows_no_more(
    caller: Caller, act: Act, record: Record, document: DocumentEntry, mask: Mask
) -> None:
    hidden = replace(document, confidentiality=(*document.confidentiality, *masked([mask])))

    before = decided(caller, act, record, document, 0)
    after = decided(caller, act, record, hidden, 0)

    assert before.permitted or not after.permitted


@given(callers, records, documents, TIMES)
def test_nothing_of_a_closed_record_is_read(
    caller: Caller, record: Record, document: DocumentEntry, now_ms: int
) -> None:
    closed = replace(record, state=RecordState.CLOSED)

    for act in (Act.FIND, Act.READ, Act.EXTRACT):
        assert not decided(caller, act, closed, document, now_ms).permitted


@given(callers, acts, records, documents, TIMES)
def test_time_takes_permissions_and_gives_none(
    caller: Caller, act: Act, record: Record, document: DocumentEntry, now_ms: int
) -> None:
    before = decided(caller, act, record, document, 0)
    after = decided(caller, act, record, document, now_ms)

    assert before.permitted or not after.permitted


@given(callers, records, documents, TIMES)
def test_what_is_read_can_be_found(
    caller: Caller, record: Record, document: DocumentEntry, now_ms: int
) -> None:
    read = decided(caller, Act.READ, record, document, now_ms)

    assert not read.permitted or decided(caller, Act.FIND, record, document, now_ms).permitted
