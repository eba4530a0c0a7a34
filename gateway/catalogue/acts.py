"""What people decided about studies."""

from typing import Any, cast

from gateway.catalogue.news import News
from gateway.model.act import Act, ActKind
from gateway.model.event import Event
from gateway.model.notification import PersonActed
from gateway.model.study import NumberedAct
from gateway.storage.database import Dialect, Transaction
from gateway.storage.queries import load_queries
from gateway.storage.records import decode, encode
from indexer.contract.document import Identifier
from indexer.contract.identifiers import Uid

_ASKS_PACS = frozenset({ActKind.RETRY, ActKind.MATCH, ActKind.LIFT, ActKind.CONFIRM_PATIENT})


class Acts:
    """Repository of what people decided."""

    def __init__(self, dialect: Dialect) -> None:
        self._sql = load_queries("gateway.catalogue", "acts.sql", dialect)
        self._news = News(dialect)

    async def done(self, tx: Transaction, news: PersonActed, *, now_ms: int) -> bool:
        """Take in an act; False if nothing is known of the study.

        A withdrawal holds for readers from this transaction on.
        """
        act = news.act
        if not await self._news.is_known(tx, news.study):
            return False
        await self._keep(tx, news.study, act, now_ms=now_ms)
        if act.kind in (ActKind.WITHDRAW, ActKind.LIFT):
            blocked = int(act.kind is ActKind.WITHDRAW)
            await tx.fetch(self._sql["block"], study=news.study, blocked=blocked)
        if act.kind is ActKind.MATCH and act.reported_as is not None:
            await tx.fetch(self._sql["match"], study=news.study, reported_as=act.reported_as)
            if await self._news.is_known(tx, act.reported_as):
                left = Act(kind=ActKind.DROP, reason=act.reason, by=act.by, matched_to=news.study)
                await self._keep(tx, act.reported_as, left, now_ms=now_ms)
        return True

    async def of(self, tx: Transaction, study: Uid) -> tuple[NumberedAct, ...]:
        """What was decided about the study, in that order."""
        rows = await tx.fetch(self._sql["acts"], study=study)
        return tuple(
            NumberedAct(news=cast(int, row["news"]), act=decode(Act, cast(bytes, row["content"])))
            for row in rows
        )

    async def _keep(self, tx: Transaction, study: Uid, act: Act, *, now_ms: int) -> None:
        number = await self._news.tell(
            tx,
            study,
            now_ms=now_ms,
            due_at_ms=now_ms,
            ask_pacs=act.kind in _ASKS_PACS,
            wait_anew=act.kind in _ASKS_PACS,
        )
        await tx.fetch(self._sql["act"], study=study, news=number, content=encode(act))
        event = Event.MATCHED if act.matched_to is not None else Event(act.kind)
        await self._news.history.note(tx, study, event, now_ms=now_ms, **_detail(act))


def _detail(act: Act) -> dict[str, Any]:
    """Who did it and why; the other study, or who was confirmed as whom, by their numbers alone."""
    patients: dict[str, object] = {}
    if act.patient is not None:
        patients["patient"] = _local_id(act.patient.local_id)
        patients["reported"] = [
            {
                "ins": None if one.ins is None else one.ins.value,
                "local_ids": [_local_id(local_id) for local_id in one.local_ids],
            }
            for one in act.reported
        ]
    return {
        "reason": act.reason,
        "by": act.by,
        "reported_as": act.reported_as,
        "matched_to": act.matched_to,
        **patients,
    }


def _local_id(one: Identifier) -> dict[str, str]:
    return {"local_id": one.value, "authority": one.authority}
