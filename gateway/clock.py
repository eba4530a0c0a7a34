"""The only place that asks what time it is; everything else is told."""

import time
from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], int]
"""Milliseconds since 1970-01-01 UTC."""


def system_clock() -> int:
    """The machine's own clock."""
    return time.time_ns() // 1_000_000


def at(ms: int) -> datetime:
    """An aware time in UTC from milliseconds since 1970."""
    return datetime.fromtimestamp(ms / 1000, tz=UTC)
