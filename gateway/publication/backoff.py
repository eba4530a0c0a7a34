"""How long to wait before trying again."""

from typing import Final

DELAY_S_MAX: Final = 3600.0


def retry_delay_s(attempts: int, *, asked_s: float | None, draw: float) -> float:
    """Seconds to wait before the next attempt.

    Doubles from 1 s to an hour; `draw` spreads the upper half, so that gateways which failed
    together do not come back together.

    Args:
        attempts: attempts made so far, at least 1.
        asked_s: the index's Retry-After (RFC 9110 §10.2.3), never undercut; None if it gave none.
        draw: uniform in [0, 1), passed in so that a test can choose it.
    """
    ceiling_s = min(2.0 ** min(attempts - 1, 12), DELAY_S_MAX)
    return max(asked_s or 0.0, ceiling_s * (1 + draw) / 2)
