"""Remembers which assertions were used, so that none is used twice (SAML 2.0 profiles §4.1.4.5)."""

from collections import OrderedDict
from typing import Final

from gateway.errors import Unavailable

REMEMBERED_MAX: Final = 200_000
"""Assertions that may be good still: some 600 a second, for the minutes that each is good for."""


class Replays:
    """The assertions used of late. They are forgotten when the program ends: each is good for
    minutes, and a submission that comes again is a duplicate."""

    def __init__(self) -> None:
        self._until_ms: OrderedDict[bytes, int] = OrderedDict()

    def is_first(self, name: bytes, *, until_ms: int, now_ms: int) -> bool:
        """Whether an assertion was not used before; from now on it was.

        Args:
            name: what tells it from all others.
            until_ms: when it will be good for nothing any more.

        Raises:
            Unavailable: too many are remembered to remember one more.
        """
        if name in self._until_ms:
            return False
        self._forget(now_ms)
        if len(self._until_ms) >= REMEMBERED_MAX:
            raise Unavailable("too many assertions are in use")
        self._until_ms[name] = until_ms
        return True

    def _forget(self, now_ms: int) -> None:
        """Those whose time is over, from the oldest on; all are good for about as long."""
        while self._until_ms:
            name, until_ms = next(iter(self._until_ms.items()))
            if until_ms >= now_ms:
                return
            del self._until_ms[name]
