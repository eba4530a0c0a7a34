"""An assertion that is good for one request is remembered for as long as it could be used again."""

import pytest

from gateway.errors import Unavailable
from indexer.server.access import replays
from indexer.server.access.replays import Replays


def test_an_assertion_is_first_once() -> None:
    seen = Replays()

    first = [seen.is_first(name, until_ms=300, now_ms=0) for name in (b"a", b"b", b"a", b"b")]

    assert first == [True, True, False, False]


def test_when_too_many_are_remembered_no_more_are_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replays, "REMEMBERED_MAX", 2)
    seen = Replays()
    seen.is_first(b"a", until_ms=300, now_ms=0)
    seen.is_first(b"b", until_ms=300, now_ms=0)

    with pytest.raises(Unavailable):
        seen.is_first(b"c", until_ms=300, now_ms=0)


def test_what_is_good_no_longer_makes_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replays, "REMEMBERED_MAX", 2)
    seen = Replays()
    seen.is_first(b"a", until_ms=300, now_ms=0)
    seen.is_first(b"b", until_ms=301, now_ms=0)

    assert seen.is_first(b"c", until_ms=601, now_ms=301)
    assert not seen.is_first(b"b", until_ms=301, now_ms=301)
