"""A record gives back its value, whichever of our words it is made of and whoever wrote it."""

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, timezone
from enum import StrEnum
from random import Random
from typing import TypeVar

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.storage.records import UnreadableRecord, decode, encode
from indexer.contract.identifiers import Oid, Uid

T = TypeVar("T")


class State(StrEnum):
    WAITING = "waiting"
    SENT = "sent"


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    text: str
    authority: Oid | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    study: Uid
    state: State = State.WAITING
    instances: frozenset[Uid] = frozenset()
    labels: frozenset[Label] = frozenset()
    ordered: tuple[Label, ...] = ()
    first: Label | None = None
    frames: dict[Uid, tuple[int, ...]] | None = None
    told_at: datetime | None = None
    document: bytes = b""
    wait_s: float = 0.0
    whole: bool = False


uids = st.from_regex(r"[0-9]{1,5}(\.[0-9]{1,5}){0,3}", fullmatch=True).map(Uid)
# SQLite and JSON hold any text but lone surrogates, which are no characters.
texts = st.text(st.characters(exclude_categories=["Cs"]))
labels = st.builds(Label, text=texts, authority=st.none() | uids.map(Oid))
offsets = st.timedeltas(timedelta(hours=-14), timedelta(hours=14)).map(timezone)
studies = st.builds(
    Study,
    study=uids,
    state=st.sampled_from(State),
    instances=st.frozensets(uids),
    labels=st.frozensets(labels),
    ordered=st.lists(labels).map(tuple),
    first=st.none() | labels,
    frames=st.none() | st.dictionaries(uids, st.lists(st.integers(0, 2**53 - 1)).map(tuple)),
    told_at=st.none() | st.datetimes(timezones=offsets | st.just(UTC)),
    document=st.binary(),
    wait_s=st.floats(allow_nan=False, allow_infinity=False) | st.integers(0, 1000),
    whole=st.booleans(),
)


@given(studies)
def test_a_value_comes_back_from_its_record(study: Study) -> None:
    again = decode(Study, encode(study))

    assert again == study
    assert type(again.study) is Uid
    assert {type(uid) for uid in again.instances} <= {Uid}
    assert type(again.state) is State


@given(studies, st.randoms(use_true_random=False))
def test_equal_values_have_equal_records(study: Study, chance: Random) -> None:
    def shuffled(items: Iterable[T]) -> list[T]:
        return chance.sample(list(items), len(list(items)))

    same = replace(
        study,
        instances=frozenset(shuffled(study.instances)),
        labels=frozenset(shuffled(study.labels)),
        frames=None if study.frames is None else dict(shuffled(study.frames.items())),
    )

    assert encode(same) == encode(study)


@given(studies)
def test_fields_of_a_newer_program_are_passed_over(study: Study) -> None:
    newer = orjson.loads(encode(study)) | {"unheard_of": [{"deep": 1}]}
    newer["labels"] = [label | {"language": "fr"} for label in newer["labels"]]

    assert decode(Study, orjson.dumps(newer)) == study


@given(studies, st.sets(st.sampled_from(["state", "instances", "first", "told_at", "document"])))
def test_fields_that_an_old_record_lacks_take_their_defaults(
    study: Study, lacking: set[str]
) -> None:
    older = {
        name: value for name, value in orjson.loads(encode(study)).items() if name not in lacking
    }
    defaults = Study(study=study.study)

    expected = replace(study, **{name: getattr(defaults, name) for name in lacking})
    assert decode(Study, orjson.dumps(older)) == expected


@pytest.mark.parametrize(
    "record",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"{}",
        b'{"study": "DUPONT"}',
        b'{"study": null}',
        b'{"study": 12}',
        b'{"study": "1.2", "state": "DUPONT"}',
        b'{"study": "1.2", "first": {"text": null}}',
        b'{"study": "1.2", "first": {"text": 7}}',
        b'{"study": "1.2", "first": "DUPONT"}',
        b'{"study": "1.2", "instances": ["DUPONT"]}',
        b'{"study": "1.2", "labels": {"text": "DUPONT"}}',
        b'{"study": "1.2", "document": "DUPONT!"}',
        b'{"study": "1.2", "told_at": "2026-01-01T00:00:00"}',
        b'{"study": "1.2", "told_at": "DUPONT"}',
        b'{"study": "1.2", "wait_s": "1"}',
        b'{"study": "1.2", "whole": "DUPONT"}',
        b'{"study": "1.2", "frames": []}',
    ],
)
def test_what_is_no_record_is_refused_without_being_quoted(record: bytes) -> None:
    with pytest.raises(UnreadableRecord) as refused:
        decode(Study, record)

    assert str(refused.value) == "not a record of Study"
    # Nor does a logged trace quote it.
    assert refused.value.__cause__ is None
    assert refused.value.__suppress_context__


@given(st.binary(max_size=100) | studies.map(encode), st.integers(0, 99), st.binary(max_size=3))
def test_a_damaged_record_is_read_or_refused(record: bytes, at: int, damage: bytes) -> None:
    damaged = record[:at] + damage + record[at + len(damage) :]

    with suppress(UnreadableRecord):
        decode(Study, damaged)


def test_a_time_without_an_offset_is_refused() -> None:
    naive = datetime(2026, 1, 1)  # noqa: DTZ001

    with pytest.raises(ValueError, match="offset"):
        encode(Study(study=Uid("1.2"), told_at=naive))
