"""Whether a patient has a record to publish into, as an index tells it."""

from enum import StrEnum


class RecordState(StrEnum):
    """How a record stands towards somebody who asks for it."""

    OPEN = "open"
    ABSENT = "absent"
    """The patient has none."""
    CLOSED = "closed"
    """The patient had it closed: it is kept, and nothing of it is given or taken."""
    REFUSED = "refused"
    """Its holder refuses whoever asks."""
