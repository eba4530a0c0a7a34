"""An image that is fetched must fit what its study is published by: a report, or an order."""

from pathlib import Path

import pytest

from gateway.catalogue.catalogue import Catalogue
from gateway.model.decision import PublicationPolicy
from gateway.model.notification import OrderReceived
from indexer.contract.document import Identifier
from tests.support.gateway_stores import Stores, stores_in
from tests.support.studies import (
    ACCESSION,
    ON_IMAGES,
    POLICY,
    STUDY,
    an_image,
    an_instance_stored,
    an_order,
    report_news,
)

SECOND = Identifier(value="ACC2", authority=ACCESSION.authority)
SOMEBODY = Identifier(value="LOC901")


async def tell(stores: Stores, take, news, **told) -> None:
    await stores.database.write(lambda tx: take(tx, news, now_ms=0, **told))


def catalogue_of(stores: Stores, policy: PublicationPolicy) -> Catalogue:
    return Catalogue(
        stores.database, stores.studies, policy=policy, clock=stores.clock, on_news=lambda: None
    )


@pytest.mark.parametrize("by_order", [True, False])
async def test_an_image_of_another_patient_is_noticed(tmp_path: Path, by_order: bool) -> None:
    async with stores_in(tmp_path) as stores:
        await tell(stores, stores.studies.instance_stored, an_instance_stored(), due_at_ms=0)
        if by_order:
            ordered = OrderReceived(message_digest="m1", order=an_order())
            await tell(stores, stores.studies.order_received, ordered)
        else:
            await tell(stores, stores.studies.report_received, report_news())
        catalogue = catalogue_of(stores, ON_IMAGES if by_order else POLICY)

        found = await catalogue.disagreement(STUDY, an_image(2, patient={"local_id": SOMEBODY}))
        fitting = await catalogue.disagreement(STUDY, an_image(2))

    assert found is not None
    assert found.code == "patient_differs"
    assert fitting is None


async def test_an_image_of_an_exam_that_another_report_is_on_fits(tmp_path: Path) -> None:
    async with stores_in(tmp_path) as stores:
        for number, accession in enumerate((ACCESSION, SECOND), start=1):
            news = report_news(f"m{number}", document_id=f"d{number}", accessions=(accession,))
            await tell(stores, stores.studies.report_received, news)
        catalogue = catalogue_of(stores, POLICY)

        found = await catalogue.disagreement(STUDY, an_image(2, accession=SECOND))

    assert found is None
