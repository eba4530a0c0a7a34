"""What is known of a study, and the PACS that holds it, make a C-GET."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

import pytest
from pydicom import Dataset

from gateway.catalogue.header import describe, read_texts
from gateway.dimse.receiving import Spooling
from gateway.dimse.requesting import Listener
from gateway.dimse.requestor import PacsRequestor
from gateway.dimse.turns import Lane, PacsThreads
from gateway.errors import PacsIncomplete, PacsUnavailable
from gateway.model.image import KnownImage
from gateway.model.resource import Resource
from gateway.retrieval.sources.get import GetPuller
from indexer.contract.identifiers import Uid
from tests.integration.dimse.pacs import CT, STUDY_ROOT_GET, Pacs, an_instance

WHOLE = Resource(study=Uid("1.2.3"))
MR = "1.2.840.10008.5.1.4.1.1.4"
IMAGES = tuple(f"1.2.840.10008.5.1.4.1.1.{n}" for n in ("2", "4", "7", "20", "1.1", "128", "12.1"))
"""More classes than one association has contexts for."""


@dataclass
class Known:
    """What the catalogue tells: each instance is held by the PACS."""

    held: Sequence[Dataset] = ()
    asked: list[Resource] = field(default_factory=list)

    async def images(self, resource: Resource) -> list[KnownImage]:
        self.asked.append(resource)
        told = [describe(read_texts(one)) for one in self.held]
        return [KnownImage(answer=one, pacs="PACS") for one in told]


@asynccontextmanager
async def puller_of(pacs: Pacs, known: Known, folder: Path) -> AsyncIterator[GetPuller]:
    with pacs.running(), PacsThreads(1) as threads:
        requestor = PacsRequestor(
            Listener(host="127.0.0.1", port=pacs.port),
            called_ae="PACS",
            calling_ae="DRIMBOX",
            turns=threads.turns(associations_max=1),
        )
        yield GetPuller(requestor, known, Spooling(lambda: folder / uuid4().hex, threads.executor))


async def pulled(puller: GetPuller, came: list[str] | None = None) -> list[str]:
    """File names of what came; the files are removed, as by whoever takes them."""
    came = [] if came is None else came
    async with puller.open(WHOLE, lane=Lane.VIEWER) as arrivals:
        async for arrival in arrivals:
            came.append(arrival.spooled.name)
            assert arrival.size_bytes > 0
            arrival.spooled.unlink(missing_ok=True)
    return came


def of_each_class() -> list[Dataset]:
    """Two series, which share all classes but one."""
    held = []
    for number, name in enumerate((*IMAGES, *IMAGES[:-1])):
        one = an_instance(number, sop_class=name)
        one.SeriesInstanceUID = f"1.2.3.{4 + number // len(IMAGES)}"
        held.append(one)
    return held


async def test_a_study_is_one_request(tmp_path: Path) -> None:
    held = [an_instance(1), an_instance(2, sop_class=MR)]
    pacs = Pacs(instances=held, models=STUDY_ROOT_GET, gives=(CT, MR))

    async with puller_of(pacs, Known(held), tmp_path) as puller:
        came = await pulled(puller)

    assert len(came) == 2
    assert len(pacs.asked) == 1
    assert list(tmp_path.iterdir()) == []


async def test_more_classes_than_an_association_has_contexts_for_come_part_by_part(
    tmp_path: Path,
) -> None:
    held = of_each_class()
    pacs = Pacs(instances=held, models=STUDY_ROOT_GET, gives=IMAGES)

    async with puller_of(pacs, Known(held), tmp_path) as puller:
        came = await pulled(puller)

    assert len(came) == len(held)
    levels = [asked.QueryRetrieveLevel for asked in pacs.asked]
    assert levels == ["IMAGE"] * len(IMAGES) + ["SERIES"]


async def test_what_nobody_knew_of_and_cannot_be_sent_is_not_missed(tmp_path: Path) -> None:
    known, unknown = an_instance(1), an_instance(2, sop_class=MR)
    pacs = Pacs(instances=[known, unknown], models=STUDY_ROOT_GET, gives=(CT, MR))

    async with puller_of(pacs, Known([known]), tmp_path) as puller:
        came = await pulled(puller)

    assert len(came) == 1


async def test_what_is_known_and_cannot_be_sent_is_missed_after_the_rest(tmp_path: Path) -> None:
    held = [an_instance(1), an_instance(2, sop_class=MR)]
    pacs = Pacs(instances=held, models=STUDY_ROOT_GET, gives=(CT,))
    came: list[str] = []

    async with puller_of(pacs, Known(held), tmp_path) as puller:
        with pytest.raises(PacsIncomplete, match="could not send 1"):
            await pulled(puller, came)

    assert len(came) == 1


async def test_a_pacs_that_breaks_off_is_unavailable_after_what_came(tmp_path: Path) -> None:
    held = [an_instance(number) for number in range(3)]
    pacs = Pacs(instances=held, models=STUDY_ROOT_GET, gives=(CT,), breaks_off_after=1)
    came: list[str] = []

    async with puller_of(pacs, Known(held), tmp_path) as puller:
        with pytest.raises(PacsUnavailable, match="broke off"):
            await pulled(puller, came)

    assert len(came) == 1


async def test_a_reader_that_leaves_leaves_nothing(tmp_path: Path) -> None:
    held = [an_instance(number) for number in range(20)]
    pacs = Pacs(instances=held, models=STUDY_ROOT_GET, gives=(CT,))

    async with puller_of(pacs, Known(held), tmp_path) as puller:
        async with puller.open(WHOLE, lane=Lane.VIEWER) as arrivals:
            first = await anext(arrivals)
            first.spooled.unlink(missing_ok=True)

        assert list(tmp_path.iterdir()) == []
        assert len(await pulled(puller)) == 20
