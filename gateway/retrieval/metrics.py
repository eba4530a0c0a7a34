"""What retrieval counts. No label names a study or a patient."""

from prometheus_client import CollectorRegistry, Counter, Gauge


class RetrievalMetrics:
    """Counters of one gateway.

    Args:
        registry: where they are shown.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self.opened = Counter(
            "gateway_retrievals",
            "Resources that were opened, by where their instances come from.",
            ["source"],
            registry=registry,
        )
        self.pulls = Counter(
            "gateway_pulls",
            "Series or instances that a PACS was asked to send, by what came of it.",
            ["outcome"],
            registry=registry,
        )
        self.pulls_under_way = Gauge(
            "gateway_pulls_under_way",
            "Pulls that have not ended, or of which not all is kept yet.",
            registry=registry,
        )
        self.prefetches_waiting = Gauge(
            "gateway_prefetches_waiting",
            "Studies, and patients, of which something is brought beforehand, or waits to be.",
            registry=registry,
        )
        self.copies_kept = Counter(
            "gateway_copies_kept", "Instances that were kept as they passed.", registry=registry
        )
        self.copies_dropped = Counter(
            "gateway_copies_dropped",
            "Instances that were dropped here, for a PACS holds them.",
            registry=registry,
        )
        self.copies_bytes = Gauge(
            "gateway_copies_bytes",
            "Bytes of the instances here that a PACS holds, too.",
            registry=registry,
        )
