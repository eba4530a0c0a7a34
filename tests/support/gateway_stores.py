"""The gateway's own stores on a folder of the test, with a clock that the test holds."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from gateway.catalogue.discards import Discards
from gateway.catalogue.standings import Standings
from gateway.catalogue.studies import Studies
from gateway.model.study import StudySnapshot
from gateway.publication.outbox import Outbox
from gateway.storage.database import Database
from gateway.storage.engines import open_at
from gateway.storage.migrations import migrate
from gateway.storage.objects import ObjectStore
from indexer.contract.identifiers import Uid
from tests.support.studies import STUDY


class HeldClock:
    """A clock that stands still until the test moves it."""

    def __init__(self) -> None:
        self.now_ms = 0

    def __call__(self) -> int:
        return self.now_ms


@dataclass(frozen=True, slots=True, kw_only=True)
class Stores:
    database: Database
    studies: Studies
    standings: Standings
    discards: Discards
    outbox: Outbox
    objects: ObjectStore
    clock: HeldClock

    async def snapshot(self, study: Uid = STUDY) -> StudySnapshot:
        found = await self.database.read(lambda tx: self.studies.snapshot(tx, study))
        assert found is not None
        return found

    async def standing(self, study: Uid = STUDY) -> dict[str, object]:
        rows = await self.database.read(
            lambda tx: self.standings.page(tx, state=None, count_max=100, offset=0)
        )
        return dict(next(row for row in rows if row["study_uid"] == study))


@asynccontextmanager
async def stores_in(folder: Path, database_url: str = "") -> AsyncIterator[Stores]:
    """Open them; what an earlier one wrote is there."""
    folder.mkdir(parents=True, exist_ok=True)
    database = await open_at(database_url, folder / "gateway.sqlite")
    objects = ObjectStore.open(folder / "store")
    try:
        await migrate(database, "gateway.migrations")
        yield Stores(
            database=database,
            studies=Studies(database.dialect),
            standings=Standings(database.dialect),
            discards=Discards(database.dialect),
            outbox=Outbox(database.dialect),
            objects=objects,
            clock=HeldClock(),
        )
    finally:
        objects.close()
        await database.close()
