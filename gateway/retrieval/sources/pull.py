"""How instances are pulled from a PACS: one protocol, whatever is spoken to it.

`app` chooses the puller of each PACS by its setting `retrieve`.
"""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Protocol

from gateway.dimse.commands import StoreRequest
from gateway.dimse.move_mediator import MoveMediator
from gateway.dimse.scu import DimseRequestor
from gateway.dimse.turns import Lane
from gateway.model.resource import Resource
from indexer.contract.identifiers import Uid


class Arrival(Protocol):
    """An instance that has come whole. Nobody has looked at what it says of itself yet."""

    @property
    def spooled(self) -> Path:
        """A Part 10 file in the object store's spool; who takes the arrival owns it. Nothing lies
        there of what is in memory."""

    @property
    def in_memory(self) -> tuple[memoryview, ...]:
        """The bytes of the file, one piece after the other; () where they were written."""

    @property
    def transfer_syntax(self) -> Uid:
        """Of its data set."""

    @property
    def size_bytes(self) -> int:
        """Of its data set, which is the last so many bytes of the file."""


class Puller(Protocol):
    """Has one PACS send."""

    def open(
        self, wanted: Resource, *, lane: Lane
    ) -> AbstractAsyncContextManager[AsyncIterator[Arrival]]:
        """Have it send a study, a series or an instance, and iterate what arrives as it does.

        A reader that is slow slows the PACS: few arrivals wait. Leaving the context early ends the
        transfer and removes what was not taken. What arrives may be anything, in any order.

        Raises:
            Unavailable: too much is pulled at once.
            PacsIncomplete: by the iteration, after all that came: the PACS could not send the rest.
            PacsUnavailable: by the iteration, after what came before: it refused, failed, broke off
                or was silent for too long.
        """


class MovePuller:
    """Pulls by C-MOVE to the gateway itself (see `Puller`)."""

    def __init__(self, mediator: MoveMediator, pacs: DimseRequestor) -> None:
        self._mediator = mediator
        self._pacs = pacs

    def open(
        self, wanted: Resource, *, lane: Lane
    ) -> AbstractAsyncContextManager[AsyncIterator[StoreRequest]]:
        """Have it send (see `Puller.open`)."""
        return self._mediator.move(self._pacs, wanted, lane=lane)
