"""An image that is fetched must fit what its study is published by: a report, or an order."""

from dataclasses import replace

import pytest

from gateway.catalogue.catalogue import Catalogue
from gateway.catalogue.descriptions import Descriptions
from gateway.model.decision import PublicationPolicy
from gateway.model.resource import Resource
from indexer.contract.document import Identifier
from tests.support.gateway_stores import Stores
from tests.support.studies import ACCESSION, ON_IMAGES, POLICY, STUDY, an_image
from tests.support.telling import tell_answer, tell_instance, tell_order, tell_report

SECOND = Identifier(value="ACC2", authority=ACCESSION.authority)
SOMEBODY = Identifier(value="LOC901")


def catalogue_of(stores: Stores, policy: PublicationPolicy) -> Catalogue:
    return Catalogue(
        stores.database, stores.studies, policy=policy, clock=stores.clock, on_news=lambda: None
    )


@pytest.mark.parametrize("by_order", [True, False])
async def test_an_image_of_another_patient_is_noticed(stores: Stores, by_order: bool) -> None:
    await tell_instance(stores)
    await (tell_order(stores) if by_order else tell_report(stores))
    catalogue = catalogue_of(stores, ON_IMAGES if by_order else POLICY)

    found = await catalogue.disagreement(STUDY, an_image(2, patient={"local_id": SOMEBODY}))
    fitting = await catalogue.disagreement(STUDY, an_image(2))

    assert found is not None
    assert found.code == "patient_differs"
    assert fitting is None


async def test_an_image_of_an_exam_that_another_report_is_on_fits(stores: Stores) -> None:
    for number, accession in enumerate((ACCESSION, SECOND), start=1):
        await tell_report(
            stores, message_digest=f"m{number}", document_id=f"d{number}", accessions=(accession,)
        )

    found = await catalogue_of(stores, POLICY).disagreement(STUDY, an_image(2, accession=SECOND))

    assert found is None


async def test_one_image_stands_for_all_that_name_the_same_patient_and_exam(
    stores: Stores,
) -> None:
    """So that a study of twenty thousand is asked for one, and the same is found."""
    told: dict[int, dict[str, object]] = {
        3: {"accession": SECOND},
        5: {"patient": {"local_id": SOMEBODY}},
    }
    for number in range(1, 8):
        await tell_instance(stores, number, key=f"k{number}", **told.get(number, {}))
    born = {"birth_date": "19560101"}
    await tell_answer(stores, *(an_image(one, patient=born) for one in (6, 7)))
    studies = stores.studies

    whole = await stores.snapshot()
    apart = await stores.database.read(lambda tx: studies.identity(tx, STUDY))
    named = await stores.database.read(
        lambda tx: Descriptions(stores.database.dialect).named(tx, Resource(study=STUDY))
    )

    assert apart is not None
    assert len(apart.images) < len(whole.images)
    assert {(one.patient, one.accession) for one in apart.told} == {
        (one.patient, one.accession) for one in whole.told
    }
    assert replace(apart, images=()) == replace(whole, images=())
    stored = [image.header for image in whole.images if image.stored and image.header]
    assert {(one.patient, one.accession) for one in named} == {
        (one.patient, one.accession) for one in stored
    }
    assert len(named) == 3
