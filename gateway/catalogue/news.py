"""Numbers the news of a study and makes the study due."""

from typing import cast

from gateway.catalogue.history import History
from gateway.model.event import Event
from gateway.storage.database import Dialect, Transaction
from gateway.storage.queries import load_queries
from indexer.contract.identifiers import Uid


class News:
    """Repository of what makes studies due: each news has the next number of its study."""

    def __init__(self, dialect: Dialect) -> None:
        self._sql = load_queries("gateway.catalogue", "news.sql", dialect)
        self.history = History(dialect)

    async def tell(
        self,
        tx: Transaction,
        study: Uid,
        *,
        now_ms: int,
        due_at_ms: int,
        pushed_at_ms: int | None = None,
        ask_pacs: bool = False,
        wait_anew: bool = False,
        patient_changed: bool = False,
    ) -> int:
        """Have the study looked at, be it known already or not; the number of the news."""
        [row] = await tx.fetch(
            self._sql["tell_study"],
            study=study,
            now_ms=now_ms,
            due_at_ms=due_at_ms,
            pushed_at_ms=pushed_at_ms,
            ask_pacs=int(ask_pacs),
            wait_anew=int(wait_anew),
            patient_changed=int(patient_changed),
        )
        return cast(int, row["news"])

    async def speak(
        self,
        tx: Transaction,
        study: Uid,
        event: Event,
        *,
        now_ms: int,
        names_it: bool = True,
        **detail: str,
    ) -> int:
        """The same for a message that speaks of the study, which is noted in its history.

        Args:
            names_it: False of a word about its patient, which does not undo what a person decided.
        """
        number = await self.tell(
            tx, study, now_ms=now_ms, due_at_ms=now_ms, ask_pacs=True, wait_anew=True
        )
        if names_it:
            await tx.fetch(self._sql["spoken"], study=study, news=number)
        await self.history.note(tx, study, event, now_ms=now_ms, **detail)
        return number

    async def is_known(self, tx: Transaction, study: Uid) -> bool:
        """Whether anything was told of the study."""
        return bool(await tx.fetch(self._sql["known"], study=study))
