"""Who asks."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessContext:
    """The caller of one request, as policy knows them."""

    subject: str
    """Opaque name of the caller; never a patient's."""


ANYONE = AccessContext(subject="anyone")
"""The caller under open access, where nobody says who they are."""
