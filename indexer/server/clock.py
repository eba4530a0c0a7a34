"""The time, as tables keep it."""

import time


def epoch_ms() -> int:
    """Milliseconds since 1970, in UTC."""
    return time.time_ns() // 1_000_000
