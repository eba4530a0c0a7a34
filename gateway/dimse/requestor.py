"""Asks a PACS, each time on an association of its own when it is the request's turn.

A caller that is cancelled, or out of time, has its association aborted.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable
from concurrent.futures import Future
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from typing import Final, TypeVar
from uuid import uuid4

from pydicom import Dataset
from pynetdicom.pdu_primitives import A_ASSOCIATE

from gateway.dimse.commands import CommandField, Element, Peer, StoreRequest, encode_answer
from gateway.dimse.limits import CONTEXTS_MAX, DimseLimits
from gateway.dimse.messages import Message, data_set, drain
from gateway.dimse.negotiation import (
    STORAGE,
    VERIFICATION,
    Context,
    ask_as_scu,
    ask_to_get,
    syntaxes_got,
)
from gateway.dimse.pdus import ProtocolError
from gateway.dimse.query import FIND, Keys, Query, accepted, build_identifier, encode, raise_unless
from gateway.dimse.receiving import Spooling, spooled
from gateway.dimse.requesting import (
    Association,
    Listener,
    NoAssociation,
    associated,
    ensure_answer,
)
from gateway.dimse.scu import (
    PENDING,
    SOME_FAILED,
    SUCCESS,
    Find,
    MoveOutcome,
    PacsAbilities,
    PacsTimeouts,
    QueryLevel,
)
from gateway.dimse.spool import NoRoom
from gateway.dimse.statuses import AbortReason, StoreStatus
from gateway.dimse.turns import Lane, PacsTurns
from gateway.errors import (
    PacsAnswerUnreadable,
    PacsRefused,
    PacsUnavailable,
    PacsUnreachable,
)
from gateway.model.resource import Resource
from indexer.contract.identifiers import Uid

T = TypeVar("T")

# PS3.4 §C.6.1.3, §C.6.2.3: Study Root, Patient Root.
MOVE: Final = ("1.2.840.10008.5.1.4.1.2.2.2", "1.2.840.10008.5.1.4.1.2.1.2")
GET: Final = ("1.2.840.10008.5.1.4.1.2.2.3", "1.2.840.10008.5.1.4.1.2.1.3")
SOP_CLASSES: Final = (VERIFICATION, *FIND, *MOVE, *GET)
"""All that a PACS is ever asked for."""
GETTING: Final = (*GET, FIND[1])
"""What an association for a C-GET asks for beside storage: with Patient Root, a query, too."""

_NOTHING: Final = MoveOutcome(status=SUCCESS, completed=0, failed=0, warning=0)

Take = Callable[[StoreRequest], Awaitable[int]]
"""Takes an instance that was got; the status that its C-STORE is answered with."""


class PacsRequestor:
    """Asks one PACS (see `DimseRequestor`).

    Args:
        turns: when a request may run; queries are background work.
        limits: of what it sends; how long it may take is told by `timeouts`.
    """

    def __init__(
        self,
        to: Listener,
        *,
        called_ae: str,
        calling_ae: str,
        turns: PacsTurns,
        timeouts: PacsTimeouts | None = None,
        limits: DimseLimits | None = None,
    ) -> None:
        self.called_ae = called_ae
        self._to = to
        self._calling_ae = calling_ae
        self.turns = turns
        """When it may be asked, by whatever way."""
        self._timeouts = timeouts or PacsTimeouts()
        self._limits = limits or DimseLimits()

    async def converse(self, talk: Callable[[Find], T]) -> T:
        """Ask several queries on one association (see `DimseRequestor`)."""
        loop = asyncio.get_running_loop()
        try:
            async with (
                asyncio.timeout(self._timeouts.conversation_s),
                self._asking(Lane.BACKGROUND, FIND, self._timeouts.answer_s) as association,
            ):
                find = _Find(Query(association), loop)
                return await self.turns.talk(lambda: talk(find), on_cancel=find.end)
        except TimeoutError:
            raise PacsUnavailable("the PACS did not tell all in time") from None

    async def examine(self) -> PacsAbilities:
        """What it lets us do, found out on one association by C-ECHO and a query for no study.

        Raises:
            PacsUnreachable: there is no connection to it.
            PacsUnavailable: it takes no association, or breaks it off; the message says why.
        """
        answer_s = self._timeouts.association_s
        async with self._asking(Lane.BACKGROUND, SOP_CLASSES, answer_s) as association:
            echoes = await _echoes(association)
            finds, refusal = association.accepted(*FIND) is not None, ""
            if finds:
                try:
                    await Query(association).patient_of(Uid(f"2.25.{uuid4().int}"))
                except (PacsRefused, PacsAnswerUnreadable) as error:
                    finds, refusal = False, str(error)
            return PacsAbilities(
                echoes=echoes,
                finds=finds,
                moves=association.accepted(*MOVE) is not None,
                gets=association.accepted(*GET) is not None,
                refusal=refusal,
            )

    async def move(
        self,
        wanted: Resource,
        *,
        destination_ae: str,
        message_id: int,
        lane: Lane = Lane.VIEWER,
    ) -> MoveOutcome:
        """Have it send what is wanted to an AE title (see `DimseRequestor`)."""
        services, field = (*MOVE, FIND[1]), CommandField.C_MOVE_RQ
        async with self._asking(lane, services, self._timeouts.move_answer_s) as association:
            context_id, context = accepted(association, MOVE)
            identifier = await _identify(association, wanted, context)
            if identifier is None:
                return _NOTHING
            await association.ask(
                field, context_id, identifier, message_id=message_id, destination=destination_ae
            )
            while True:
                answer = await association.receive_answer(field, message_id)
                await _pass_over(association, answer)
                if answer.status not in PENDING:
                    return _outcome(answer, "C-MOVE", hint=_hint(answer.status, destination_ae))

    async def get(
        self,
        wanted: Resource,
        *,
        storage: Collection[str],
        spooling: Spooling,
        take: Take,
        lane: Lane = Lane.VIEWER,
    ) -> MoveOutcome:
        """Have it send what is wanted on the association that asks (C-GET, PS3.4 §C.4.3).

        Args:
            storage: SOP classes of what may come; of others the PACS can send none.
            take: is given each instance; the PACS is slowed while it waits.

        Raises:
            PacsUnavailable: the PACS refuses, fails, breaks off or is silent.
            ValueError: an association has not so many contexts (see `fits_one_get`).
        """
        asked = ask_to_get(
            GETTING,
            storage,
            pdu_bytes_announced=self._limits.pdu_bytes_announced,
            calling_ae=self._calling_ae,
            called_ae=self.called_ae,
        )
        answer_s, field = self._timeouts.get_answer_s, CommandField.C_GET_RQ
        async with self._turn(lane, asked, answer_s) as association:
            context_id, context = accepted(association, GET)
            identifier = await _identify(association, wanted, context)
            if identifier is None:
                return _NOTHING
            message_id = await association.ask(field, context_id, identifier)
            while True:
                message = await association.receive()
                if message.command.field == CommandField.C_STORE_RQ:
                    await self._store(association, message, spooling, take)
                    continue
                ensure_answer(message.command, field, message_id)
                await _pass_over(association, message)
                if message.status not in PENDING:
                    return _outcome(message, "C-GET")

    async def _store(
        self, association: Association, message: Message, spooling: Spooling, take: Take
    ) -> None:
        """Take one instance, and answer its C-STORE."""
        command, name = message.command, message.context.abstract_syntax
        told = (command.sop_class, command.has_data_set, command.sop_instance is not None)
        if name not in STORAGE or told != (name, True, True):
            raise ProtocolError(AbortReason.SERVICE_USER)
        sender = Peer(calling_ae=self.called_ae, called_ae=self._calling_ae, address=self._to.host)
        layer = association.layer
        async with spooled(layer, message, sender, spooling, association.limits) as request:
            status = await _taken(request, take)
        await layer.send_command(encode_answer(command, status), context_id=message.context_id)

    def _asking(
        self, lane: Lane, services: Iterable[str], answer_s: float
    ) -> AbstractAsyncContextManager[Association]:
        """An association for these services, when it is its turn."""
        asked = ask_as_scu(services, calling_ae=self._calling_ae, called_ae=self.called_ae)
        return self._turn(lane, asked, answer_s)

    @asynccontextmanager
    async def _turn(
        self, lane: Lane, asked: A_ASSOCIATE, answer_s: float
    ) -> AsyncIterator[Association]:
        allowed = self._timeouts
        limits = replace(
            self._limits,
            handshake_s=allowed.association_s,
            idle_s=answer_s,
            pdu_s=allowed.stall_s,
            write_s=allowed.stall_s,
        )
        async with self.turns.turn(lane):
            try:
                async with associated(
                    self._to, asked, limits, connect_s=allowed.connect_s
                ) as association:
                    yield association
            except NoAssociation as error:
                kind = PacsUnavailable if error.is_reached else PacsUnreachable
                raise kind(f"the PACS {error}") from None


def fits_one_get(storage: Collection[str]) -> bool:
    """Whether one association has the contexts for these storage classes."""
    return len(GETTING) + sum(len(syntaxes_got(one)) for one in storage) <= CONTEXTS_MAX


class _Find:
    """Queries for a thread, which waits for their answers and decodes them itself."""

    def __init__(self, query: Query, loop: asyncio.AbstractEventLoop) -> None:
        self._query = query
        self._loop = loop
        self._is_over = False
        self._asking: Future[list[bytes]] | None = None

    def __call__(self, keys: Keys, *, level: QueryLevel, answers_max: int) -> list[Dataset]:
        identifier = self._query.encode(self._query.asked(keys, level))
        found = self._query.find(identifier, answers_max=answers_max)
        self._asking = asyncio.run_coroutine_threadsafe(found, self._loop)
        if self._is_over:
            self._asking.cancel()
        return self._query.decode(self._asking.result(), level)

    def end(self) -> None:
        """Have the thread end: what it asks is cancelled, now and from now on."""
        self._is_over = True
        if self._asking is not None:
            self._asking.cancel()


async def _echoes(association: Association) -> bool:
    verification = association.accepted(VERIFICATION)
    if verification is None:
        return False
    message_id = await association.ask(CommandField.C_ECHO_RQ, verification[0])
    answer = await association.receive_answer(CommandField.C_ECHO_RQ, message_id)
    return answer.status == SUCCESS


async def _identify(association: Association, wanted: Resource, context: Context) -> bytes | None:
    """What names the resource to a retrieval; None if the PACS knows no patient who has it."""
    keys = {"StudyInstanceUID": str(wanted.study)}
    level = QueryLevel.STUDY
    if wanted.series is not None:
        keys["SeriesInstanceUID"], level = wanted.series, QueryLevel.SERIES
    if wanted.instance is not None:
        keys["SOPInstanceUID"], level = wanted.instance, QueryLevel.IMAGE
    if context.abstract_syntax in (MOVE[1], GET[1]):  # Patient Root
        patient_id = await Query(association).patient_of(wanted.study)
        if patient_id is None:
            return None
        keys["PatientID"] = patient_id
    return encode(build_identifier(level, keys), context)


async def _pass_over(association: Association, message: Message) -> None:
    """Read what an answer lists, which is what it could not send."""
    if message.command.has_data_set:
        pieces = data_set(association.layer, message.context_id)
        async with asyncio.timeout(association.limits.message_s):
            await drain(pieces, association.limits)


async def _taken(request: StoreRequest | None, take: Take) -> int:
    """The status to answer."""
    if request is None:
        return StoreStatus.OUT_OF_RESOURCES
    try:
        return await take(request)
    except NoRoom:
        return StoreStatus.OUT_OF_RESOURCES


def _outcome(answer: Message, service: str, *, hint: str = "") -> MoveOutcome:
    raise_unless(answer.status in (SUCCESS, SOME_FAILED), service, answer.status, hint=hint)
    number = answer.command.number
    return MoveOutcome(
        status=answer.status,
        completed=number(Element.COMPLETED_SUB_OPERATIONS),
        failed=number(Element.FAILED_SUB_OPERATIONS),
        warning=number(Element.WARNING_SUB_OPERATIONS),
    )


def _hint(status: int, destination_ae: str) -> str:
    """What to look at where the destination may be unknown (PS3.4 §C.4.2.1.5): A801 says so, A702
    where it is not reached; some, as Orthanc, tell the first as unable to process."""
    if status not in (0xA702, 0xA801) and not 0xC000 <= status <= 0xCFFF:
        return ""
    return (
        f": does it know the AE title {destination_ae}, its address and its port as a destination?"
    )
