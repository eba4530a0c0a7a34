"""What a test reads of an instance that a PACS sent."""

from gateway.retrieval.sources.pull import Arrival


def content_of(arrival: Arrival) -> bytes:
    """Its file, in memory or in the spool."""
    return b"".join(arrival.in_memory) or arrival.spooled.read_bytes()
