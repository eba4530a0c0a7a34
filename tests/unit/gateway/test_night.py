"""When the night is, by the clocks of a centre."""

from datetime import datetime, time
from zoneinfo import ZoneInfo

import pytest

from gateway.publication.night import Night

PARIS = ZoneInfo("Europe/Paris")


def at(text: str) -> int:
    """Milliseconds of a time with its offset."""
    return int(datetime.fromisoformat(text).timestamp() * 1000)


def window(begins: str, ends: str, now: str) -> list[str]:
    night = Night(begins=time.fromisoformat(begins), ends=time.fromisoformat(ends), zone=PARIS)
    found = night.window(at(now))
    return [datetime.fromtimestamp(ms / 1000, PARIS).isoformat() for ms in found]


@pytest.mark.parametrize(
    "now, begins, ends",
    [
        ("2026-01-10T00:30+01:00", "2026-01-10T01:00:00+01:00", "2026-01-10T05:00:00+01:00"),
        ("2026-01-10T01:00+01:00", "2026-01-10T01:00:00+01:00", "2026-01-10T05:00:00+01:00"),
        ("2026-01-10T04:59+01:00", "2026-01-10T01:00:00+01:00", "2026-01-10T05:00:00+01:00"),
        ("2026-01-10T05:00+01:00", "2026-01-11T01:00:00+01:00", "2026-01-11T05:00:00+01:00"),
    ],
)
def test_a_night_is_under_way_or_the_next(now: str, begins: str, ends: str) -> None:
    assert window("01:00", "05:00", now) == [begins, ends]


@pytest.mark.parametrize("now", ["2026-01-10T23:30+01:00", "2026-01-11T02:00+01:00"])
def test_a_night_may_go_past_midnight(now: str) -> None:
    expected = ["2026-01-10T22:00:00+01:00", "2026-01-11T04:00:00+01:00"]

    assert window("22:00", "04:00", now) == expected


def test_a_night_is_told_by_the_clocks_of_the_centre_when_they_change() -> None:
    to_summer = window("01:00", "05:00", "2026-03-29T00:00+01:00")
    to_winter = window("01:00", "05:00", "2026-10-25T00:00+02:00")

    assert to_summer == ["2026-03-29T01:00:00+01:00", "2026-03-29T05:00:00+02:00"]
    assert to_winter == ["2026-10-25T01:00:00+02:00", "2026-10-25T05:00:00+01:00"]


def test_a_begin_that_the_change_to_summer_time_leaves_out_comes_an_hour_later() -> None:
    begins, _ends = window("02:30", "05:00", "2026-03-29T00:00+01:00")

    assert begins == "2026-03-29T03:30:00+02:00"
