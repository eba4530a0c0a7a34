"""What the index counts beside its requests: what became of submissions."""

from prometheus_client import Counter

from gateway.telemetry import Metrics
from indexer.wire.outcome import IssueCode

HELD = "held"


class IndexMetrics(Metrics):
    """Counters of one index."""

    def __init__(self) -> None:
        super().__init__("index")
        self._submissions = Counter(
            "index_submissions", "Submissions judged.", ["outcome"], registry=self.registry
        )

    def submissions_held(self, count: int) -> None:
        """Count submissions that became durable."""
        self._submissions.labels(HELD).inc(count)

    def submission_refused(self, code: IssueCode) -> None:
        """Count one that was refused by what the index holds, duplicates above all."""
        self._submissions.labels(code.value).inc()
