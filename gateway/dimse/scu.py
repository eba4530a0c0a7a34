"""What a PACS is asked, and what it answers: C-FIND, C-MOVE and C-GET (PS3.4 Annex C)."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol, TypeVar

from pydicom import Dataset

from gateway.dimse.turns import Lane
from gateway.model.resource import Resource

T = TypeVar("T")

SUCCESS = 0x0000
PENDING = frozenset({0xFF00, 0xFF01})

SOME_FAILED = 0xB000
"""It ended with failures or warnings among its sub-operations (PS3.4 §C.4.2.1.5, §C.4.3.1.4)."""


class QueryLevel(StrEnum):
    """Levels of the Study Root model (PS3.4 §C.6.2.1)."""

    STUDY = "STUDY"
    SERIES = "SERIES"
    IMAGE = "IMAGE"


@dataclass(frozen=True, slots=True, kw_only=True)
class MoveOutcome:
    """How a C-MOVE or a C-GET ended. Counts are None where the PACS left them out: they may be."""

    status: int
    completed: int | None
    failed: int | None
    warning: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PacsAbilities:
    """What a PACS lets us do."""

    echoes: bool
    """It answers C-ECHO (PS3.4 Annex A)."""
    finds: bool
    """It answers C-FIND, in one of the two models."""
    moves: bool
    """It takes C-MOVE; whether it knows where to move to is found when it does."""
    gets: bool
    """It takes C-GET."""
    refusal: str = ""
    """How it refuses C-FIND, where it takes the service and not the query."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PacsTimeouts:
    """How long a PACS may take, in seconds."""

    connect_s: float = 10.0
    association_s: float = 30.0
    """To answer an association or a release request."""
    answer_s: float = 60.0
    """To the first, or the next, answer of a C-FIND."""
    conversation_s: float = 100.0
    """For all the queries of one conversation, with the wait for its turn."""
    move_answer_s: float = 1800.0
    """Between two answers of a C-MOVE; a PACS may send none before the last (PS3.7 §9.1.4.2)."""
    get_answer_s: float = 300.0
    """Between two messages of a C-GET: it sends what it was asked on the same association."""
    stall_s: float = 60.0
    """Within one PDU, or until it takes what we write."""


class Find(Protocol):
    """A query on an association that is open; it waits on the thread that calls it."""

    def __call__(
        self, keys: Mapping[str, str | Sequence[Dataset]], *, level: QueryLevel, answers_max: int
    ) -> list[Dataset]:
        """What matches (C-FIND, PS3.4 §C.4.1).

        Args:
            keys: matching and return keys by DICOM keyword; an empty value asks for the attribute.
            answers_max: more answers than this are none.

        Raises:
            PacsRefused: the PACS answers with a status that is no success.
            PacsUnavailable: it breaks off or is silent.
            PacsAnswerUnreadable: it has more answers, or one that cannot be decoded.
        """


class DimseRequestor(Protocol):
    """A PACS that can be asked.

    Every method raises `PacsUnavailable` where the PACS refuses, fails, breaks off or is silent,
    and `PacsBusy` of it where its turn does not come.
    """

    @property
    def called_ae(self) -> str:
        """AE title of the PACS."""

    async def converse(self, talk: Callable[[Find], T]) -> T:
        """Ask several queries on one association; what `talk` gives or raises comes back.

        Args:
            talk: runs on a thread of its own, which it may keep waiting with queries only.
        """

    async def move(
        self,
        wanted: Resource,
        *,
        destination_ae: str,
        message_id: int,
        lane: Lane = Lane.VIEWER,
    ) -> MoveOutcome:
        """Have it send what is wanted to an AE title that it knows (C-MOVE, PS3.4 §C.4.2).

        Args:
            message_id: 1 to 65535; the PACS names it in each C-STORE, if it is able to.
            lane: for whom.
        """
