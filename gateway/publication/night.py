"""The hours in which a PACS has time."""

from dataclasses import dataclass
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo


@dataclass(frozen=True, slots=True, kw_only=True)
class Night:
    """A time of every day, as the clocks of the centre tell it; it may go past midnight."""

    begins: time
    ends: time
    zone: ZoneInfo

    def window(self, now_ms: int) -> tuple[int, int]:
        """Begin and end, in ms since 1970, of the night under way, or else of the next.

        A begin or end that the change to summer time leaves out comes an hour later.
        """
        today = datetime.fromtimestamp(now_ms / 1000, self.zone).date()
        past_midnight = timedelta(days=int(self.ends <= self.begins))
        day = today - timedelta(days=1)
        while True:
            begins = datetime.combine(day, self.begins, self.zone)
            ends = datetime.combine(day + past_midnight, self.ends, self.zone)
            begins_ms, ends_ms = (int(at.timestamp() * 1000) for at in (begins, ends))
            if now_ms < ends_ms:
                return begins_ms, ends_ms
            day += timedelta(days=1)
