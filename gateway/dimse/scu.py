"""Asks a PACS: C-FIND and C-MOVE (PS3.4 Annex C) through pynetdicom's own association.

A move, or a whole conversation of queries, is one association on one thread when it is its turn,
and its result crosses to the loop once. A caller that is cancelled, or out of time, has its
association aborted, which frees the thread.

Both information models are proposed. Where a PACS takes Study Root, that is used; one that knows
Patient Root alone is given the patient id that it told itself.
"""

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from ssl import SSLContext
from typing import Protocol, TypeVar
from uuid import uuid4

from pydicom import Dataset
from pynetdicom import evt
from pynetdicom.association import Association

from gateway.dimse.requestor import Call, RequestorAE
from gateway.dimse.turns import Lane, PacsTurns
from gateway.errors import PacsAnswerUnreadable, PacsRefused, PacsUnavailable, PacsUnreachable
from gateway.model.resource import Resource
from indexer.contract.identifiers import Uid

T = TypeVar("T")

# SOP classes, PS3.4 §A.4, §C.6.1.3, §C.6.2.3. Of each pair the first that is accepted is used.
_VERIFICATION = "1.2.840.10008.1.1"
_STUDY_ROOT_FIND, _PATIENT_ROOT_FIND = "1.2.840.10008.5.1.4.1.2.2.1", "1.2.840.10008.5.1.4.1.2.1.1"
_STUDY_ROOT_MOVE, _PATIENT_ROOT_MOVE = "1.2.840.10008.5.1.4.1.2.2.2", "1.2.840.10008.5.1.4.1.2.1.2"
_FIND, _MOVE = (_STUDY_ROOT_FIND, _PATIENT_ROOT_FIND), (_STUDY_ROOT_MOVE, _PATIENT_ROOT_MOVE)
SOP_CLASSES = (_VERIFICATION, *_FIND, *_MOVE)
"""All that a PACS is ever asked for."""

SUCCESS = 0x0000
PENDING = frozenset({0xFF00, 0xFF01})
_PATIENTS_MAX = 16  # under whom one study may be held

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
class PacsAbilities:
    """What a PACS lets us do."""

    echoes: bool
    """It answers C-ECHO (PS3.4 Annex A)."""
    finds: bool
    """It answers C-FIND, in one of the two models."""
    moves: bool
    """It takes C-MOVE; whether it knows where to move to is found when it does."""
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


class PynetdicomRequestor:
    """Asks one PACS with pynetdicom (see `DimseRequestor`).

    Args:
        turns: when a request may run; queries are background work.
        tls: what the connection must come to terms with before the association; None for none.
    """

    def __init__(
        self,
        host: str,
        port: int,
        *,
        called_ae: str,
        calling_ae: str,
        turns: PacsTurns,
        tls: SSLContext | None = None,
        timeouts: PacsTimeouts | None = None,
    ) -> None:
        self.called_ae = called_ae
        self._host = host
        self._port = port
        self._calling_ae = calling_ae
        self._turns = turns
        self._tls_args = None if tls is None else (tls, host)
        self._timeouts = timeouts or PacsTimeouts()

    async def converse(self, talk: Callable[[Find], T]) -> T:
        """Ask several queries on one association (see `DimseRequestor`)."""

        def ask(association: Association) -> T:
            return talk(_Query(association))

        try:
            async with asyncio.timeout(self._timeouts.conversation_s):
                answer_s = self._timeouts.answer_s
                return await self._run(Lane.BACKGROUND, _FIND, answer_s, ask)
        except TimeoutError:
            raise PacsUnavailable("the PACS did not tell all in time") from None

    async def examine(self) -> PacsAbilities:
        """What it lets us do, found out on one association by C-ECHO and a query for no study.

        Raises:
            PacsUnreachable: there is no connection to it.
            PacsUnavailable: it takes no association, or breaks it off; the message says why.
        """
        answer_s = self._timeouts.association_s
        return await self._run(Lane.BACKGROUND, SOP_CLASSES, answer_s, _examine)

    async def move(
        self,
        wanted: Resource,
        *,
        destination_ae: str,
        message_id: int,
        lane: Lane = Lane.VIEWER,
    ) -> MoveOutcome:
        """Have it send what is wanted to an AE title (see `DimseRequestor`)."""
        keys: dict[str, str] = {"StudyInstanceUID": wanted.study}
        level = QueryLevel.STUDY
        if wanted.series is not None:
            keys["SeriesInstanceUID"], level = wanted.series, QueryLevel.SERIES
        if wanted.instance is not None:
            keys["SOPInstanceUID"], level = wanted.instance, QueryLevel.IMAGE

        def ask(association: Association) -> MoveOutcome:
            model = _accepted(association, _MOVE)
            if model == _PATIENT_ROOT_MOVE:
                patient_id = _Query(association).patient_of(wanted.study)
                if patient_id is None:
                    return MoveOutcome(status=SUCCESS, completed=0, failed=0, warning=0)
                keys["PatientID"] = patient_id
            identifier = _build_identifier(level, keys)
            return _move(association, identifier, model, destination_ae, message_id)

        sop_classes = (*_MOVE, _PATIENT_ROOT_FIND)
        return await self._run(lane, sop_classes, self._timeouts.move_answer_s, ask)

    async def _run(
        self,
        lane: Lane,
        sop_classes: Sequence[str],
        answer_s: float,
        ask: Callable[[Association], T],
    ) -> T:
        call = Call()

        def work() -> T:
            with self._associated(sop_classes, answer_s, call) as association:
                return ask(association)

        return await self._turns.run(lane, work, on_cancel=call.cancel)

    @contextmanager
    def _associated(
        self, sop_classes: Sequence[str], answer_s: float, call: Call
    ) -> Iterator[Association]:
        ae = RequestorAE(self._calling_ae)
        ae.connection_timeout = self._timeouts.connect_s
        ae.acse_timeout = self._timeouts.association_s
        ae.dimse_timeout = answer_s
        for sop_class in sop_classes:
            ae.add_requested_context(sop_class)

        def opened(event: evt.Event) -> None:
            call.opened(event.assoc, stall_s=self._timeouts.stall_s)

        try:
            association = ae.associate(
                self._host,
                self._port,
                ae_title=self.called_ae,
                evt_handlers=[(evt.EVT_CONN_OPEN, opened)],
                tls_args=self._tls_args,
            )
        except OSError as error:
            raise PacsUnreachable("the name of the PACS's host leads to no address") from error
        try:
            if not association.is_established:
                raise call.why_not(association)
            yield association
            association.release()
        except BaseException:
            association.abort()
            raise
        finally:
            call.close(association)


class _Query:
    """Queries on an open association, in the model that the PACS took."""

    def __init__(self, association: Association) -> None:
        self._association = association
        self._model = _accepted(association, _FIND)
        self._patient_id: str | None = None

    def __call__(
        self, keys: Mapping[str, str | Sequence[Dataset]], *, level: QueryLevel, answers_max: int
    ) -> list[Dataset]:
        asked = dict(keys)
        if self._model == _PATIENT_ROOT_FIND:
            # The unique keys of all levels above must be given, the patient's too (§C.4.1.2.1); for
            # a study whose patient is not known yet it is there and empty.
            asked["PatientID"] = self._patient_id or ""
        identifier = _build_identifier(level, asked)
        # Some answer in the character set of the question, and would leave out every accent.
        identifier.SpecificCharacterSet = "ISO_IR 100"
        answers = _find(self._association, identifier, self._model, answers_max)
        if level is QueryLevel.STUDY and answers:
            self._patient_id = str(answers[0].get("PatientID", ""))
        return answers

    def patient_of(self, study: Uid) -> str | None:
        """PatientID under which the PACS holds the study; None if it does not."""
        keys = {"StudyInstanceUID": str(study), "PatientID": ""}
        answers = self(keys, level=QueryLevel.STUDY, answers_max=_PATIENTS_MAX)
        return self._patient_id if answers else None


def _accepted(association: Association, models: tuple[str, str]) -> str:
    """The first of the models that the PACS took.

    Raises:
        PacsUnavailable: it took neither.
    """
    taken = {context.abstract_syntax for context in association.accepted_contexts}
    for model in models:
        if model in taken:
            return model
    raise PacsUnavailable("the PACS does not accept an association for this service")


def _examine(association: Association) -> PacsAbilities:
    taken = {str(context.abstract_syntax) for context in association.accepted_contexts}
    echoes = _VERIFICATION in taken and association.send_c_echo().get("Status") == SUCCESS
    finds, refusal = not taken.isdisjoint(_FIND), ""
    if finds:
        nobodys = {"StudyInstanceUID": f"2.25.{uuid4().int}"}
        try:
            _Query(association)(nobodys, level=QueryLevel.STUDY, answers_max=_PATIENTS_MAX)
        except (PacsRefused, PacsAnswerUnreadable) as error:
            finds, refusal = False, str(error)
    moves = not taken.isdisjoint(_MOVE)
    return PacsAbilities(echoes=echoes, finds=finds, moves=moves, refusal=refusal)


def _build_identifier(level: QueryLevel, keys: Mapping[str, str | Sequence[Dataset]]) -> Dataset:
    identifier = Dataset()
    identifier.QueryRetrieveLevel = level.value
    for keyword, value in keys.items():
        setattr(identifier, keyword, value)
    return identifier


def _find(
    association: Association, identifier: Dataset, model: str, answers_max: int
) -> list[Dataset]:
    answers: list[Dataset] = []
    status = Dataset()
    for status, answer in association.send_c_find(identifier, model):
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
    association: Association, identifier: Dataset, model: str, destination_ae: str, message_id: int
) -> MoveOutcome:
    status = Dataset()
    for status, _failed in association.send_c_move(
        identifier, destination_ae, model, msg_id=message_id
    ):
        if status.get("Status") not in PENDING:
            break
    hint = (
        f": does it know the AE title {destination_ae}, its address and its port as a destination?"
        if _is_of_the_destination(status.get("Status", SUCCESS))
        else ""
    )
    _raise_unless(status.get("Status") in (SUCCESS, SOME_FAILED), "C-MOVE", status, hint=hint)
    return MoveOutcome(
        status=status.Status,
        completed=status.get("NumberOfCompletedSuboperations"),
        failed=status.get("NumberOfFailedSuboperations"),
        warning=status.get("NumberOfWarningSuboperations"),
    )


def _is_of_the_destination(status: int) -> bool:
    """Whether it may say that the destination is unknown (PS3.4 §C.4.2.1.5): A801 does, A702 where
    it is not reached; some, as Orthanc, tell the first as unable to process."""
    return status in (0xA702, 0xA801) or 0xC000 <= status <= 0xCFFF


def _raise_unless(succeeded: bool, service: str, status: Dataset, *, hint: str = "") -> None:
    if "Status" not in status:
        raise PacsUnavailable(f"the PACS broke off or was silent during {service}")
    if not succeeded:
        told = f"the PACS answered {service} with status {status.Status:04X}{hint}"
        raise PacsRefused(told, status=status.Status)
