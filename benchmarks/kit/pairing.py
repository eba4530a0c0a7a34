"""What servers take for the same requests, asked in turn in one run."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from benchmarks.kit.fetching import Fetched, fetch
from benchmarks.kit.peers import Server
from benchmarks.kit.results import Spread, quantile

OURS: Final = "gateway"


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One resource of one server, asked for so many times by each client."""

    server: Server
    path: str
    accept: str
    each: int

    def made(self, clients: int) -> Fetched:
        """What came of it."""
        return fetch(self.server, [self.path], accept=self.accept, clients=clients, each=self.each)


@dataclass(slots=True, kw_only=True)
class Pairing:
    """One thing that is asked of several, with what came each round."""

    name: str
    clients: int
    came: dict[str, list[Fetched]] = field(default_factory=dict)

    def run(self, requests: Mapping[str, Request], rounds: int) -> None:
        """Ask each in turn, round after round; what the first round warms up is not counted."""
        for one in requests.values():
            one.made(self.clients)
        for _ in range(rounds):
            for side, one in requests.items():
                self.came.setdefault(side, []).append(one.made(self.clients))

    def per_s(self, side: str) -> Spread:
        """Requests a second."""
        return Spread.of([len(one.sizes_bytes) / one.seconds for one in self.came[side]])

    def cpu_ms(self, side: str) -> Spread:
        """CPU of the server for one request."""
        took = [one.cpu_seconds * 1000 / len(one.sizes_bytes) for one in self.came[side]]
        return Spread.of(took)

    def p99_ms(self, side: str) -> Spread:
        """Until the first byte of an answer, for all but the slowest of a hundred."""
        return Spread.of([quantile(one.first_byte_s, 0.99) * 1000 for one in self.came[side]])

    def ratio(self, side: str, *, to: str) -> Spread:
        """How many times the requests a second of another, round by round."""
        pairs = zip(self.came[side], self.came[to], strict=True)
        return Spread.of([_per_s(one) / _per_s(other) for one, other in pairs])

    def lines(self) -> list[str]:
        """For a person to read."""
        return [
            f"{self.name}, {self.clients} at once, {side}: {self.per_s(side)} requests/s,"
            f" {self.cpu_ms(side)} ms of CPU, p99 {self.p99_ms(side)} ms"
            + (f", ours {self.ratio(OURS, to=side)} times" if self._is_another(side) else "")
            for side in self.came
        ]

    def _is_another(self, side: str) -> bool:
        return OURS in self.came and side != OURS

    def figures(self) -> dict[str, object]:
        """To be kept."""
        return {
            "asked": self.name,
            "clients": self.clients,
            "sides": {
                side: {
                    "bytes": self.came[side][0].sizes_bytes[0],
                    "requests_per_s": self.per_s(side),
                    "mib_per_s": Spread.of([one.mib_per_s for one in self.came[side]]),
                    "cpu_ms": self.cpu_ms(side),
                    "p99_ms": self.p99_ms(side),
                    "ours_to_it": self.ratio(OURS, to=side) if OURS in self.came else None,
                }
                for side in self.came
            },
        }


def _per_s(fetched: Fetched) -> float:
    return len(fetched.sizes_bytes) / fetched.seconds
