"""Asks a PACS: C-FIND and C-MOVE (PS3.4 Annex C) through pynetdicom's own association.

A move, or a whole conversation of queries, is one association on one thread of a bounded pool, and
its result crosses to the loop once. A caller that is cancelled, or out of time, has its association
aborted, which frees the thread.
"""

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from enum import StrEnum
from socket import IPPROTO_TCP, SHUT_RDWR, TCP_NODELAY, socket
from threading import Lock
from typing import Protocol, TypeVar

from pydicom import Dataset
from pynetdicom import evt
from pynetdicom.association import Association

from gateway.dimse.requestor import END, Messages, RequestorAE
from gateway.errors import PacsAnswerUnreadable, PacsUnavailable
from indexer.contract.identifiers import Uid

T = TypeVar("T")

_STUDY_ROOT_FIND = "1.2.840.10008.5.1.4.1.2.2.1"
_STUDY_ROOT_MOVE = "1.2.840.10008.5.1.4.1.2.2.2"

SUCCESS = 0x0000
PENDING = frozenset({0xFF00, 0xFF01})
SOME_FAILED = 0xB000
"""C-MOVE ended with failures or warnings among its sub-operations (PS3.4 §C.4.2.1.5)."""


class QueryLevel(StrEnum):
    """Levels of the Study Root model (PS3.4 §C.6.2.1)."""

    STUDY = "STUDY"
    SERIES = "SERIES"
    IMAGE = "IMAGE"


@dataclass(frozen=True, slots=True, kw_only=True)
class MoveOutcome:
    """How a C-MOVE ended. Counts are None where the PACS left them out (they are optional)."""

    status: int
    completed: int | None
    failed: int | None
    warning: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PacsTimeouts:
    """How long a PACS may take, in seconds."""

    connect_s: float = 10.0
    association_s: float = 30.0
    """To answer an association or a release request."""
    answer_s: float = 60.0
    """To the first, or the next, answer of a C-FIND."""
    conversation_s: float = 100.0
    """For all the queries of one conversation, with the wait for a thread."""
    move_answer_s: float = 1800.0
    """Between two answers of a C-MOVE; a PACS may send none before the last (PS3.7 §9.1.4.2)."""
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
            PacsUnavailable: the PACS refuses, fails, breaks off or is silent.
            PacsAnswerUnreadable: it has more answers, or one that cannot be decoded.
        """


class DimseRequestor(Protocol):
    """A PACS that can be asked.

    Every method raises `PacsUnavailable` where the PACS refuses, fails, breaks off or is silent.
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
        *,
        destination_ae: str,
        message_id: int,
        study: Uid,
        series: Uid | None = None,
        instance: Uid | None = None,
    ) -> MoveOutcome:
        """Have it send what is named to an AE title that it knows (C-MOVE, PS3.4 §C.4.2).

        Args:
            message_id: 1 to 65535; the PACS names it in each C-STORE, if it is able to.
        """


class PynetdicomRequestor:
    """Asks one PACS with pynetdicom (see `DimseRequestor`).

    Args:
        executor: its threads bound how many requests run at once.
    """

    def __init__(
        self,
        host: str,
        port: int,
        *,
        called_ae: str,
        calling_ae: str,
        executor: Executor,
        timeouts: PacsTimeouts | None = None,
    ) -> None:
        self.called_ae = called_ae
        self._host = host
        self._port = port
        self._calling_ae = calling_ae
        self._executor = executor
        self._timeouts = timeouts or PacsTimeouts()

    async def converse(self, talk: Callable[[Find], T]) -> T:
        """Ask several queries on one association (see `DimseRequestor`)."""

        def ask(association: Association) -> T:
            def find(
                keys: Mapping[str, str | Sequence[Dataset]], *, level: QueryLevel, answers_max: int
            ) -> list[Dataset]:
                return _find(association, _build_identifier(level, keys), answers_max)

            return talk(find)

        try:
            async with asyncio.timeout(self._timeouts.conversation_s):
                return await self._run(_STUDY_ROOT_FIND, self._timeouts.answer_s, ask)
        except TimeoutError:
            raise PacsUnavailable("the PACS did not tell all in time") from None

    async def move(
        self,
        *,
        destination_ae: str,
        message_id: int,
        study: Uid,
        series: Uid | None = None,
        instance: Uid | None = None,
    ) -> MoveOutcome:
        """Have it send what is named to an AE title (see `DimseRequestor`)."""
        keys: dict[str, str] = {"StudyInstanceUID": study}
        level = QueryLevel.STUDY
        if series is not None:
            keys["SeriesInstanceUID"], level = series, QueryLevel.SERIES
        if instance is not None:
            keys["SOPInstanceUID"], level = instance, QueryLevel.IMAGE
        identifier = _build_identifier(level, keys)

        def ask(association: Association) -> MoveOutcome:
            return _move(association, identifier, destination_ae, message_id)

        return await self._run(_STUDY_ROOT_MOVE, self._timeouts.move_answer_s, ask)

    async def _run(self, sop_class: str, answer_s: float, ask: Callable[[Association], T]) -> T:
        call = _Call()

        def work() -> T:
            with self._associated(sop_class, answer_s, call) as association:
                return ask(association)

        try:
            return await asyncio.get_running_loop().run_in_executor(self._executor, work)
        except asyncio.CancelledError:
            call.cancel()
            raise

    @contextmanager
    def _associated(self, sop_class: str, answer_s: float, call: "_Call") -> Iterator[Association]:
        ae = RequestorAE(self._calling_ae)
        ae.connection_timeout = self._timeouts.connect_s
        ae.acse_timeout = self._timeouts.association_s
        ae.dimse_timeout = answer_s
        ae.add_requested_context(sop_class)

        def opened(event: evt.Event) -> None:
            call.opened(event.assoc, stall_s=self._timeouts.stall_s)

        try:
            association = ae.associate(
                self._host,
                self._port,
                ae_title=self.called_ae,
                evt_handlers=[(evt.EVT_CONN_OPEN, opened)],
            )
        except OSError as error:  # the name of the host does not resolve
            raise PacsUnavailable("the PACS cannot be reached") from error
        try:
            if not association.is_established:
                raise PacsUnavailable("the PACS does not accept an association for this service")
            yield association
            association.release()
        except BaseException:
            association.abort()
            raise
        finally:
            call.close(association)


class _Call:
    """The association of one request, so that another thread can end it."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._is_cancelled = False
        self._association: Association | None = None
        self._socket: socket | None = None

    def opened(self, association: Association, *, stall_s: float) -> None:
        """Called by pynetdicom once the connection is open."""
        assert association.dul.socket is not None
        connection = association.dul.socket.socket
        assert connection is not None
        # Without it each request of ours waits for the peer's delayed acknowledgement, 40 ms.
        connection.setsockopt(IPPROTO_TCP, TCP_NODELAY, 1)
        connection.settimeout(stall_s)  # pynetdicom has none of its own within a PDU
        association.dimse.msg_queue = Messages()
        with self._lock:
            self._association, self._socket = association, connection
            if self._is_cancelled:
                self._cut()

    def cancel(self) -> None:
        """End the association; the thread that waits on it aborts it."""
        with self._lock:
            self._is_cancelled = True
            if self._association is None:
                return
            self._association.dimse.msg_queue.put(END)
            if not self._association.is_established:
                self._cut()

    def close(self, association: Association) -> None:
        """Leave no connection and no thread, however the association ended."""
        with self._lock:
            self._cut()
            self._association, self._socket = None, None
        association.kill()

    def _cut(self) -> None:
        # pynetdicom takes a closed connection as the end in every state.
        if self._socket is not None:
            with suppress(OSError):
                self._socket.shutdown(SHUT_RDWR)


def _build_identifier(level: QueryLevel, keys: Mapping[str, str | Sequence[Dataset]]) -> Dataset:
    identifier = Dataset()
    identifier.QueryRetrieveLevel = level.value
    for keyword, value in keys.items():
        setattr(identifier, keyword, value)
    return identifier


def _find(association: Association, identifier: Dataset, answers_max: int) -> list[Dataset]:
    answers: list[Dataset] = []
    status = Dataset()
    for status, answer in association.send_c_find(identifier, _STUDY_ROOT_FIND):
        if status.get("Status") not in PENDING:
            break
        if answer is None:
            raise PacsAnswerUnreadable("an answer of the PACS to C-FIND cannot be decoded")
        if len(answers) == answers_max:
            raise PacsAnswerUnreadable(f"the PACS has more than {answers_max} answers to C-FIND")
        answers.append(answer)
    _raise_unless(status.get("Status") == SUCCESS, "C-FIND", status)
    return answers


def _move(
    association: Association, identifier: Dataset, destination_ae: str, message_id: int
) -> MoveOutcome:
    status = Dataset()
    for status, _failed in association.send_c_move(
        identifier, destination_ae, _STUDY_ROOT_MOVE, msg_id=message_id
    ):
        if status.get("Status") not in PENDING:
            break
    _raise_unless(status.get("Status") in (SUCCESS, SOME_FAILED), "C-MOVE", status)
    return MoveOutcome(
        status=status.Status,
        completed=status.get("NumberOfCompletedSuboperations"),
        failed=status.get("NumberOfFailedSuboperations"),
        warning=status.get("NumberOfWarningSuboperations"),
    )


def _raise_unless(succeeded: bool, service: str, status: Dataset) -> None:
    if "Status" not in status:
        raise PacsUnavailable(f"the PACS broke off or was silent during {service}")
    if not succeeded:
        raise PacsUnavailable(f"the PACS answered {service} with status {status.Status:04X}")
