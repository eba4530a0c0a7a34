"""Makes a C-MOVE into a stream: what a PACS is asked for, and what it then stores to us, meet here.

The consumer opens a move and iterates what arrives. The store handler offers every C-STORE here
first; one that belongs to no move is intake's. A PACS is answered only when there is room for its
instance, so a slow reader slows the PACS and fills nothing.
"""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from io import BytesIO
from math import inf
from secrets import randbelow

from pydicom.filereader import read_partial
from pydicom.uid import DeflatedExplicitVRLittleEndian

from gateway.dimse.arrivals import Arrivals, Change
from gateway.dimse.commands import StoreRequest
from gateway.dimse.scu import DimseRequestor
from gateway.dimse.statuses import StoreStatus
from gateway.dimse.turns import Lane
from gateway.errors import PacsBusy, PacsRefused, PacsUnavailable, Unavailable
from gateway.model.resource import Resource
from indexer.contract.identifiers import Uid

log = logging.getLogger(__name__)

REFUSAL_TOLD_EVERY_S = 60.0
"""Of one PACS; it is asked again by every viewer, and by every study."""

TURN_S_MAX = 60.0
"""How long a move waits for another of the same instances, from a PACS that names no moves."""

OVER_MAX = 1024
"""Moves that are over and remembered: a PACS goes on sending a while after it was told to stop."""

MESSAGE_ID_MAX = 65535  # an unsigned short, PS3.7 §9.1.1.1
HEADER_BYTES_MAX = 256 * 1024  # of a file, within which its study and series are looked for
_SERIES_INSTANCE_UID = 0x0020000E


@dataclass(frozen=True, slots=True, kw_only=True)
class _Move:
    pacs_ae: str
    wanted: Resource
    lane: Lane
    arrivals: Arrivals
    matched: set[Uid] = field(default_factory=set)
    """Instances that were matched without a message id: one per instance of the move."""
    is_asked: asyncio.Event = field(default_factory=asyncio.Event)
    """Set once its turn has come: until then nothing that arrives is for it."""

    def covers(self, study: Uid, series: Uid, instance: Uid) -> bool:
        wanted = self.wanted
        return (
            wanted.study == study
            and wanted.series in (None, series)
            and wanted.instance in (None, instance)
        )

    def overlaps(self, other: "_Move") -> bool:
        """Whether the same PACS may send one instance for both."""
        mine, its = self.wanted, other.wanted
        pairs = ((mine.series, its.series), (mine.instance, its.instance))
        return (self.pacs_ae, mine.study) == (other.pacs_ae, its.study) and all(
            None in pair or len(set(pair)) == 1 for pair in pairs
        )


class MoveMediator:
    """Matches the instances that PACSs store to us with the moves that asked for them.

    Args:
        ae_title: ours: the destination of every move.
        moves_max: moves at one time.
        waiting_max: instances of one move that may wait for its consumer.
        turn_s_max: seconds that a move waits for another of the same instances.
    """

    def __init__(
        self,
        *,
        ae_title: str,
        moves_max: int = 64,
        waiting_max: int = 4,
        turn_s_max: float = TURN_S_MAX,
    ) -> None:
        self._ae_title = ae_title
        self._moves_max = moves_max
        self._waiting_max = waiting_max
        self._turn_s_max = turn_s_max
        self._moves: dict[int, _Move] = {}
        """By message id, in the order in which they were opened."""
        self._over: dict[int, _Move] = {}
        """The last of them that are over, likewise: what still comes of them is not intake's."""
        self._names_moves: set[str] = set()
        """AE titles of the PACSs that were seen to name the move behind an instance."""
        self._refusal_told_at: dict[str, float] = {}
        """By AE title of the PACS, on the loop's clock."""
        self._turns = Change()
        """A move may have got its turn."""

    @asynccontextmanager
    async def move(
        self,
        pacs: DimseRequestor,
        wanted: Resource,
        *,
        lane: Lane = Lane.VIEWER,
    ) -> AsyncIterator[Arrivals]:
        """Have the PACS send a study, a series or an instance, and iterate what arrives.

        Leaving the context early aborts the C-MOVE; what still comes of it is refused.

        Raises:
            Unavailable: too many moves are in flight.
            PacsUnavailable: while iterating, see `Arrivals`.
        """
        if len(self._moves) >= self._moves_max:
            raise Unavailable("too many moves are in flight", retry_after_s=1.0)
        message_id = self._allot_message_id()
        arrivals = Arrivals(waiting_max=self._waiting_max)
        move = _Move(pacs_ae=pacs.called_ae, wanted=wanted, lane=lane, arrivals=arrivals)
        self._moves[message_id] = move
        asking = asyncio.create_task(self._ask(pacs, message_id, move))
        try:
            yield arrivals
        finally:
            self._over[message_id] = self._moves.pop(message_id)
            if len(self._over) > OVER_MAX:
                del self._over[next(iter(self._over))]
            arrivals.close()
            asking.cancel()
            await asyncio.wait({asking})
            self._turns.tell()

    async def offer(self, request: StoreRequest) -> int | None:
        """Take an instance that a move asked for; the status to answer, once it was taken.

        None: it belongs to no move and is intake's. An instance that says it was moved for us
        while no such move is in flight was asked for and is no longer wanted: it is refused. So is
        one of a move that is over, from a PACS that gives its own title with the move's number.

        Raises:
            NoRoom: the disk does not take it.
        """
        is_ours = request.originator_ae == self._ae_title
        if request.originator_message_id is not None:
            self._learn(request)
            move = await self._find_by_message_id(request, is_ours)
        elif is_ours or request.peer.calling_ae not in self._names_moves:
            move = await self._find_by_study(request)
        else:  # the PACS sends it of its own accord, maybe while the same study is pulled
            move = None
        if move is not None:
            # Not durable here, for the consumer may leave before it takes it. Nothing is lost by
            # that: the PACS was asked for a copy and keeps its own.
            return await move.arrivals.take(request)
        return StoreStatus.OUT_OF_RESOURCES if is_ours else None

    def _learn(self, request: StoreRequest) -> None:
        # Only of whom we ask: the titles of strangers would be without end.
        titles = {request.peer.calling_ae}
        if request.originator_ae == self._ae_title:
            # It may store under another title than the one that it is asked by.
            named = self._moves.get(request.originator_message_id or 0)
            titles |= {named.pacs_ae} if named is not None else set()
        asked = {move.pacs_ae for move in self._moves.values()}
        if new := (titles & asked) - self._names_moves:
            self._names_moves |= new
            self._turns.tell()

    def _allot_message_id(self) -> int:
        # Drawn, so that no peer can guess it, and across all PACSs, because one may store under
        # another AE title than the one that it is asked by.
        while True:
            message_id = 1 + randbelow(MESSAGE_ID_MAX)
            if message_id not in self._moves and message_id not in self._over:
                return message_id

    async def _ask(self, pacs: DimseRequestor, message_id: int, move: _Move) -> None:
        try:
            await self._take_turn(move)
            outcome = await pacs.move(
                move.wanted,
                destination_ae=self._ae_title,
                message_id=message_id,
                lane=move.lane,
            )
        except PacsUnavailable as error:
            if isinstance(error, PacsRefused):
                self._tell_refusal(pacs.called_ae, error.status)
            move.arrivals.finish(error)
        except Exception:  # a bug of ours must not leave the consumer waiting
            log.exception("move_failed")
            move.arrivals.finish(PacsUnavailable("the move failed"))
        else:
            move.arrivals.finish(outcome)
        self._turns.tell()

    def _tell_refusal(self, pacs_ae: str, status: int) -> None:
        now = asyncio.get_running_loop().time()
        if now - self._refusal_told_at.get(pacs_ae, -inf) >= REFUSAL_TOLD_EVERY_S:
            self._refusal_told_at[pacs_ae] = now
            fields = {"pacs": pacs_ae, "status": f"{status:04X}", "destination": self._ae_title}
            log.warning("move_refused", extra=fields)

    async def _take_turn(self, move: _Move) -> None:
        """Wait until nothing that arrives for the move can be taken for another's.

        The wait is the asking task's, not the consumer's: who opens two moves before it reads the
        first must not be kept from reading it.
        """
        try:
            async with asyncio.timeout(self._turn_s_max):
                while self._must_wait(move):
                    await self._turns.wait()
        except TimeoutError:
            raise PacsBusy("the PACS sends the same to another", retry_after_s=1.0) from None
        move.is_asked.set()

    def _must_wait(self, move: _Move) -> bool:
        if move.pacs_ae in self._names_moves:
            return False
        for earlier in self._moves.values():
            if earlier is move:
                return False
            if earlier.overlaps(move) and not earlier.arrivals.is_over:
                return True
        return False

    async def _find_by_message_id(self, request: StoreRequest, is_ours: bool) -> _Move | None:
        message_id = request.originator_message_id or 0
        move = self._moves.get(message_id) or self._over.get(message_id)
        if move is None or is_ours:
            return move
        # Some PACSs name themselves as the originator, or nobody. A workstation that is named had
        # the instance moved to us, and may have used the same number.
        title = request.peer.calling_ae
        if move.pacs_ae != title or request.originator_ae not in (None, "", title):
            return None
        found = await _find_study_and_series(request)
        covered = found is not None and move.covers(*found, request.sop_instance)
        return move if covered else None

    async def _find_by_study(self, request: StoreRequest) -> _Move | None:
        # A PACS may leave out the Move Originator Message ID (optional, PS3.7 §9.1.1.1).
        moves = [m for m in self._moves.values() if m.pacs_ae == request.peer.calling_ae]
        if not moves:
            return None
        found = await _find_study_and_series(request)
        if found is None:
            return None
        for move in moves:
            # Of moves that overlap one alone is asked for (see `_take_turn`), unless the PACS
            # names moves after all: then each is given its own copy of every instance.
            instance = request.sop_instance
            if (
                move.is_asked.is_set()
                and move.covers(
                    *found,
                    instance,
                )
                and instance not in move.matched
            ):
                if not move.matched:
                    log.info("move_matched_by_study", extra={"pacs": move.pacs_ae})
                move.matched.add(instance)
                return move
        return None


async def _find_study_and_series(request: StoreRequest) -> tuple[Uid, Uid] | None:
    await request.file.finish()
    return await asyncio.to_thread(_read_study_and_series, request)


def _read_study_and_series(request: StoreRequest) -> tuple[Uid, Uid] | None:
    if request.transfer_syntax == str(DeflatedExplicitVRLittleEndian):  # a bomb may be in it
        return None
    with request.spooled.open("rb") as file:
        start = BytesIO(file.read(HEADER_BYTES_MAX))
    try:
        header = read_partial(start, stop_when=lambda tag, _vr, _length: tag > _SERIES_INSTANCE_UID)
        return Uid(header.StudyInstanceUID), Uid(header.SeriesInstanceUID)
    except Exception:  # pydicom raises whatever the bytes made it stumble over; intake judges them
        return None
