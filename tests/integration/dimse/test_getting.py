"""C-GET: instances come on the association that asks."""

import asyncio
from contextlib import suppress
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.uid import JPEG2000Lossless

from gateway.dimse.commands import StoreRequest
from gateway.dimse.requestor import fits_one_get
from gateway.errors import PacsUnavailable
from gateway.model.resource import Resource
from indexer.contract.identifiers import Uid
from tests.integration.dimse.getting import STUDY, GetterOf
from tests.integration.dimse.pacs import (
    CT,
    PATIENT_ROOT,
    PATIENT_ROOT_GET,
    STUDY_ROOT_GET,
    Pacs,
    an_instance,
)
from tests.integration.dimse.raw_peer import (
    EXPLICIT,
    MR,
)


async def test_a_study_comes_on_the_association_that_asks(getter_of: GetterOf) -> None:
    held = [an_instance(number) for number in range(5)]
    pacs = Pacs(
        instances=[*held, an_instance(9, study="1.2.9")], models=STUDY_ROOT_GET, gives=(CT,)
    )

    with pacs.running():
        getter = getter_of(pacs.port)
        outcome = await getter.get()

    assert (outcome.status, outcome.completed, outcome.failed) == (0, 5, 0)
    assert [request.sop_instance for request, _ in getter.came] == [
        one.SOPInstanceUID for one in held
    ]
    assert pacs.associations == 1
    assert getter.spooled == []


async def test_each_instance_comes_as_the_pacs_holds_it(
    getter_of: GetterOf, tmp_path: Path
) -> None:
    plain, compressed = an_instance(1), an_instance(2)
    compressed.file_meta.TransferSyntaxUID = JPEG2000Lossless
    pacs = Pacs(instances=[plain, compressed], models=STUDY_ROOT_GET, gives=(CT,))

    with pacs.running():
        getter = getter_of(pacs.port)
        await getter.get()

    assert [request.transfer_syntax for request, _ in getter.came] == [EXPLICIT, JPEG2000Lossless]
    file = tmp_path / "came.dcm"
    file.write_bytes(getter.came[0][1])
    assert dcmread(file) == plain


async def test_a_series_and_an_instance_are_asked_for_at_their_level(getter_of: GetterOf) -> None:
    pacs = Pacs(instances=[an_instance(1), an_instance(2)], models=STUDY_ROOT_GET, gives=(CT,))

    with pacs.running():
        getter = getter_of(pacs.port)
        await getter.get(Resource(study=STUDY, series=Uid("1.2.3.4")))
        await getter.get(Resource(study=STUDY, series=Uid("1.2.3.4"), instance=Uid("1.2.3.4.2")))

    assert [asked.QueryRetrieveLevel for asked in pacs.asked] == ["SERIES", "IMAGE"]
    assert len(getter.came) == 3


async def test_a_pacs_of_patient_root_alone_is_told_the_patient(getter_of: GetterOf) -> None:
    held = an_instance(1)
    held.PatientID = "IPP1"
    models = (*PATIENT_ROOT, *PATIENT_ROOT_GET)

    with Pacs(instances=[held], models=models, gives=(CT,)).running() as pacs:
        getter = getter_of(pacs.port)
        await getter.get()

    assert len(getter.came) == 1
    assert pacs.asked[-1].PatientID == "IPP1"


async def test_what_is_of_a_class_that_was_not_told_of_is_a_failure(getter_of: GetterOf) -> None:
    held = [an_instance(1), an_instance(2, sop_class=MR)]

    with Pacs(instances=held, models=STUDY_ROOT_GET, gives=(CT, MR)).running() as pacs:
        getter = getter_of(pacs.port)
        outcome = await getter.get(storage=(CT,))

    assert (outcome.status, outcome.completed, outcome.failed) == (0xB000, 1, 1)
    assert len(getter.came) == 1


async def test_a_pacs_that_does_not_take_the_service_is_unavailable(getter_of: GetterOf) -> None:
    with Pacs().running() as pacs, pytest.raises(PacsUnavailable, match="for this service"):
        await getter_of(pacs.port).get()


async def test_a_pacs_that_breaks_off_gave_what_came_before(getter_of: GetterOf) -> None:
    held = [an_instance(number) for number in range(3)]
    pacs = Pacs(instances=held, models=STUDY_ROOT_GET, gives=(CT,), breaks_off_after=2)

    with pacs.running():
        getter = getter_of(pacs.port)
        with pytest.raises(PacsUnavailable, match="broke off"):
            await getter.get()

    assert len(getter.came) == 2
    assert getter.spooled == []


async def test_a_slow_reader_holds_the_pacs_back(getter_of: GetterOf) -> None:
    held = [an_instance(number) for number in range(20)]
    may_go_on, began = asyncio.Event(), asyncio.Event()
    in_hand: list[StoreRequest] = []

    with Pacs(instances=held, models=STUDY_ROOT_GET, gives=(CT,)).running() as pacs:
        getter = getter_of(pacs.port)

        async def slow(request: StoreRequest) -> int:
            in_hand.append(request)
            began.set()
            await may_go_on.wait()
            return await getter.take(request)

        getting = asyncio.create_task(getter.get(take=slow))
        await began.wait()
        came_while_it_waits = len(in_hand)
        may_go_on.set()
        outcome = await getting

    assert came_while_it_waits == 1
    assert outcome.completed == 20


async def test_who_leaves_ends_the_transfer_and_keeps_nothing(getter_of: GetterOf) -> None:
    began = asyncio.Event()

    async def never(_request: StoreRequest) -> int:
        began.set()
        await asyncio.Event().wait()
        raise AssertionError

    pacs = Pacs(
        instances=[an_instance(number) for number in range(5)], models=STUDY_ROOT_GET, gives=(CT,)
    )
    with pacs.running():
        getter = getter_of(pacs.port)
        getting = asyncio.create_task(getter.get(take=never))
        await began.wait()
        getting.cancel()
        with suppress(asyncio.CancelledError):
            await getting

        assert getter.spooled == []
        again = await getter.get()  # the turn was given back, there is one
    assert again.completed == 5


def test_an_association_has_contexts_for_a_few_classes_of_images_and_more_of_others() -> None:
    storage = "1.2.840.10008.5.1.4.1.1"
    images = [f"{storage}.{suffix}" for suffix in ("2", "4", "7", "20", "1.1", "12.1")]
    reports = [f"{storage}.88.{suffix}" for suffix in (11, 22, 33, 59)]

    assert fits_one_get(images + reports)
    assert not fits_one_get([*images, f"{storage}.128"])
