"""A program that keeps copies for ever where there is room for few, and prints each that is kept.

Run as `python copies_until_killed.py FOLDER FIRST`: the instances are numbered from FIRST.
"""

import asyncio
import itertools
import sys
from pathlib import Path

from prometheus_client import CollectorRegistry

from gateway.model.notification import HeldByPacs, PacsAnswered, StudyAnnounced
from gateway.retrieval.at_hand import StudiesAtHand
from gateway.retrieval.metrics import RetrievalMetrics
from gateway.retrieval.sources.keeper import Keeper, Pulled
from gateway.storage.database import Transaction
from indexer.contract.identifiers import Uid
from tests.support.gateway_stores import Stores, stores_in
from tests.support.studies import EXPLICIT, an_image

PACS = "PACS"
ONE_BYTES = 20_000
ROOM_BYTES = 12 * ONE_BYTES
TOGETHER = 4


def content(study: str) -> bytes:
    """What the file of a study's instance holds."""
    return study.encode().ljust(ONE_BYTES, b".")


async def keep_one(stores: Stores, keeper: Keeper, study: Uid) -> None:
    image = an_image()

    async def tell(tx: Transaction) -> None:
        held = (HeldByPacs(pacs=PACS, image=image),)
        told = PacsAnswered(study=study, held=held, asked_after=1)
        await stores.studies.study_announced(tx, StudyAnnounced(study=study), now_ms=0)
        await stores.studies.pacs_answered(tx, told, now_ms=0)

    await stores.database.write(tell)
    spooled = stores.objects.new_spool()
    spooled.write_bytes(content(study))
    pulled = Pulled(
        pacs=PACS,
        header=image,
        spooled=spooled,
        transfer_syntax=EXPLICIT,
        size_bytes=ONE_BYTES,
    )
    if await keeper.reserve(ONE_BYTES):
        await keeper.keep(study, [pulled], asked_after=1)
        keeper.release(ONE_BYTES)
    await stores.objects.discard_spool(spooled)
    sys.stdout.write(f"{study}\n")
    sys.stdout.flush()


async def main(folder: Path, first: int) -> None:
    async with stores_in(folder) as stores:
        keeper = Keeper(
            stores.database,
            stores.objects,
            StudiesAtHand(stores.clock),
            pacs=[PACS],
            bytes_max=ROOM_BYTES,
            spare_bytes_min=0,
            metrics=RetrievalMetrics(CollectorRegistry()),
            clock=stores.clock,
        )
        await keeper.tidy()
        numbers = itertools.count(first)

        async def keep() -> None:
            for number in numbers:
                await keep_one(stores, keeper, Uid(f"1.2.{number}"))

        async with asyncio.TaskGroup() as tasks:
            for _ in range(TOGETHER):
                tasks.create_task(keep())


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2])))
