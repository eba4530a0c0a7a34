"""Keeps the procedure steps that modalities perform, and tells of their studies when they end.

A step goes from IN PROGRESS to COMPLETED or DISCONTINUED once (PS3.4 §F.7.2). Where it stands is
durable before the modality is told success, for it says each thing once.
"""

import asyncio
from typing import Final, cast

import orjson

from gateway.clock import Clock
from gateway.dimse.commands import NRequest
from gateway.dimse.statuses import Refused, Status
from gateway.errors import StorageUnavailable
from gateway.intake.assembler import Assembler
from gateway.intake.procedure_step import (
    FINAL,
    IN_PROGRESS,
    StepWord,
    check_final,
    read_created,
    read_set,
)
from gateway.model.notification import StudyAnnounced
from gateway.storage.database import Database, Row, Transaction
from gateway.storage.queries import load_queries
from indexer.contract.identifiers import Uid

STEPS_MAX: Final = 100_000
"""Steps that are remembered."""
KEPT_MS: Final = 90 * 24 * 3_600_000
"""A step without a word for so long is forgotten, whatever its state."""
FORGOTTEN_AT_ONCE_MAX: Final = 100

MAY_NOT_BE_UPDATED: Final = 0xA710
"""Error ID of an N-SET on a step that has ended (PS3.4 §F.7.2.2.3)."""


class ProcedureSteps:
    """Answers N-CREATE and N-SET of the Modality Performed Procedure Step SOP Class."""

    def __init__(self, database: Database, assembler: Assembler, *, clock: Clock) -> None:
        self._database = database
        self._assembler = assembler
        self._clock = clock
        self._sql = load_queries("gateway.intake", "procedure_steps.sql", database.dialect)

    async def create(self, request: NRequest) -> int:
        """Remember a step that has begun.

        Raises:
            Refused: it exists (0111), or lacks something (see `read_created`).
            StorageUnavailable: it could not be made durable, or too many are remembered.
        """
        word = await asyncio.to_thread(read_created, request)
        now_ms = self._clock()

        async def work(tx: Transaction) -> None:
            await tx.fetch(
                self._sql["forget_old"],
                before_ms=now_ms - KEPT_MS,
                count_max=FORGOTTEN_AT_ONCE_MAX,
            )
            [counted] = await tx.fetch(self._sql["count"])
            if cast(int, counted["steps"]) >= STEPS_MAX:
                raise StorageUnavailable("too many procedure steps are remembered")
            created = await tx.fetch(
                self._sql["create"],
                step=request.sop_instance,
                status=word.status,
                studies=_json(word.studies),
                told=_json(word.told),
                now_ms=now_ms,
            )
            if not created:
                raise Refused("the procedure step exists", Status.DUPLICATE_SOP_INSTANCE)

        await self._database.write(work)
        return Status.SUCCESS

    async def set(self, request: NRequest) -> int:
        """Take in how a step goes on; where it ends, have its studies looked at.

        Raises:
            Refused: there is no such step (0112), it has ended (0110 with Error ID A710), or it
                ends without saying what it must (see `check_final`).
            StorageUnavailable: it could not be made durable.
        """
        word = await asyncio.to_thread(read_set, request)
        step = request.sop_instance

        _, studies = await self._database.read(lambda tx: self._judge(tx, step, word))
        await self._announce(word, studies)

        async def work(tx: Transaction) -> None:
            told, _ = await self._judge(tx, step, word)
            await tx.fetch(
                self._sql["set"],
                step=step,
                status=word.status or IN_PROGRESS,
                told=_json(told),
                now_ms=self._clock(),
            )

        await self._database.write(work)
        return Status.SUCCESS

    async def _judge(
        self, tx: Transaction, step: Uid, word: StepWord
    ) -> tuple[frozenset[str], list[Uid]]:
        """All that is told of the step's end, and its studies; it may go on as the word says."""
        row = await self._find(tx, step)
        told = word.told | frozenset(orjson.loads(cast(str, row["told"])))
        if word.status in FINAL:
            check_final(told)
        return told, [Uid(one) for one in orjson.loads(cast(str, row["studies"]))]

    async def _announce(self, word: StepWord, studies: list[Uid]) -> None:
        # Before the step has ended: whoever must say it again after a crash is not refused then.
        if word.status in FINAL:
            for study in studies:
                await self._assembler.study_announced(StudyAnnounced(study=study, by="mpps"))

    async def _find(self, tx: Transaction, step: Uid) -> Row:
        rows = await tx.fetch(self._sql["find"], step=step)
        if not rows:
            raise Refused("there is no such procedure step", Status.NO_SUCH_SOP_INSTANCE)
        if rows[0]["status"] in FINAL:
            raise Refused(
                "the procedure step has ended and stays as it is",
                Status.PROCESSING_FAILURE,
                error_id=MAY_NOT_BE_UPDATED,
            )
        return rows[0]


def _json(values: tuple[str, ...] | frozenset[str]) -> str:
    return orjson.dumps(sorted(values)).decode()
