"""Has pulled what somebody is about to ask for: the rest of a study, and a patient's earlier ones.

`app` runs one prefetcher per gateway. It asks in the lane of those whom nobody waits for, so that a
viewer goes before it; it keeps what comes, or leaves off where there is no room; and a PACS that
does not send is left in peace, longer each time.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable
from typing import Final, Protocol, TypeVar

from gateway.errors import GatewayError, PacsUnavailable
from gateway.model.resource import Resource
from gateway.retrieval.metrics import RetrievalMetrics
from gateway.retrieval.sources.flight import Flight
from gateway.retrieval.sources.flights import Flights
from gateway.retrieval.sources.pulls import pulls_of
from gateway.retrieval.sources.store import StoredFiles
from indexer.contract.document import Identifier
from indexer.contract.identifiers import Uid

log = logging.getLogger(__name__)

T = TypeVar("T")

WAITING_MAX: Final = 64
"""Studies, and orders, that wait; the one that has waited longest makes room."""
REST_S_MIN: Final = 10.0
REST_S_MAX: Final = 600.0
"""How long a PACS is left in peace that did not send; doubled each time."""


class EarlierStudies(Protocol):
    """What the catalogue tells of a patient."""

    async def earlier_studies(self, patient: Iterable[Identifier], *, count_max: int) -> list[Uid]:
        """The last studies of the patient of which not all is here, the latest first."""


class Prefetcher:
    """Brings studies beforehand.

    Args:
        bytes_max: of one study; 0 brings none.
        at_once: studies that are brought side by side.
        priors_max: studies of a patient that are brought at an order.
        now_s: seconds that only go forward.
    """

    def __init__(
        self,
        stored: StoredFiles,
        flights: Flights,
        earlier: EarlierStudies,
        *,
        bytes_max: int,
        at_once: int,
        priors_max: int,
        metrics: RetrievalMetrics,
        now_s: Callable[[], float],
    ) -> None:
        self._stored = stored
        self._flights = flights
        self._earlier = earlier
        self._bytes_max = bytes_max
        self._at_once = at_once
        self._priors_max = priors_max
        self._now_s = now_s
        self._metrics = metrics
        self._at_work = 0
        self._studies: dict[Uid, None] = {}
        self._patients: dict[tuple[Identifier, ...], None] = {}
        self._asked = asyncio.Semaphore(0)
        self._rests: dict[str, tuple[float, float]] = {}
        """By AE title, until when the PACS is left in peace, and for how long it was."""

    def ask_study(self, study: Uid) -> None:
        """Have the rest of the study brought."""
        if self._bytes_max:
            self._enqueue(self._studies, study)

    def ask_priors(self, patient: tuple[Identifier, ...]) -> None:
        """Have the last studies of the patient brought.

        Args:
            patient: the local ids under which the centre knows them.
        """
        if self._bytes_max and self._priors_max and patient:
            self._enqueue(self._patients, patient)

    async def run(self) -> None:
        """Bring what is asked for, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            for _ in range(self._at_once):
                tasks.create_task(self._work())

    async def _work(self) -> None:
        while True:
            await self._asked.acquire()
            self._at_work += 1
            try:
                if self._studies:
                    await self._bring(_first(self._studies))
                elif self._patients:
                    await self._look_up(_first(self._patients))
            except GatewayError as error:
                log.info("prefetch_left_off", extra={"reason": str(error)})
            except Exception:
                log.exception("prefetch_failed")
            finally:
                self._at_work -= 1
            self._tell_waiting()

    async def _look_up(self, patient: tuple[Identifier, ...]) -> None:
        for study in await self._earlier.earlier_studies(patient, count_max=self._priors_max):
            self.ask_study(study)

    async def _bring(self, study: Uid) -> None:
        left_bytes = self._bytes_max
        known = await self._stored.images(Resource(study=study))
        for series in dict.fromkeys(image.description.series for image in known):
            wanted = Resource(study=study, series=series)
            # Anew for each series, for a viewer may have had it pulled meanwhile.
            held = await self._stored.images(wanted)
            missing = {one.description.instance for one in held if one.stored is None}
            for pull in pulls_of(wanted, held, missing):
                if left_bytes <= 0 or self._is_at_rest(pull.pacs):
                    return
                flight = await self._flights.bring(pull, bytes_max=left_bytes)
                self._note(pull.pacs, flight)
                left_bytes -= 0 if flight.is_viewers else flight.kept_bytes

    def _note(self, pacs: str, flight: Flight) -> None:
        """Remember whether the PACS sent.

        Raises:
            GatewayError: what the flight ended with.
        """
        if isinstance(flight.error, PacsUnavailable):
            _, rest_s = self._rests.get(pacs, (0.0, 0.0))
            rest_s = min(max(2 * rest_s, REST_S_MIN), REST_S_MAX)
            self._rests[pacs] = (self._now_s() + rest_s, rest_s)
        elif flight.came:
            self._rests.pop(pacs, None)
        if flight.error is not None:
            raise flight.error

    def _is_at_rest(self, pacs: str) -> bool:
        until_s, _ = self._rests.get(pacs, (0.0, 0.0))
        return self._now_s() < until_s

    def _enqueue(self, waiting: dict[T, None], one: T) -> None:
        if one in waiting:
            return
        while len(waiting) >= WAITING_MAX:
            _first(waiting)
        waiting[one] = None
        self._asked.release()
        self._tell_waiting()

    def _tell_waiting(self) -> None:
        waiting = len(self._studies) + len(self._patients) + self._at_work
        self._metrics.prefetches_waiting.set(waiting)


def _first(waiting: dict[T, None]) -> T:
    """Take who has waited longest."""
    one = next(iter(waiting))
    del waiting[one]
    return one
