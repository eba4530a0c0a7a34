"""The images of a pointer that was taken over are where its manifest says, or are yet to come."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import time
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from gateway.app.files import export_pointers, import_medium
from gateway.catalogue.checks import Checks
from gateway.model.notification import InstancesRejected
from gateway.model.resource import Resource
from gateway.publication.export import Wanted
from gateway.publication.night import Night
from gateway.publication.sweep import Sweep
from gateway.settings import PacsSettings, Settings
from indexer.contract.identifiers import Uid
from tests.support.failing_index import IndexInMemory
from tests.support.gateway_stores import stores_in
from tests.support.media import a_folder, a_pointer, an_archive
from tests.support.publishing import Bench, published, states
from tests.support.studies import ON_IMAGES, STUDY, WITH_PACS, an_image
from tests.support.telling import tell_announcement, tell_instance

NOT_FOUND = ("published", "images_not_found")
HOUR_MS = 3_600_000
ALL_DAY = Night(begins=time(0), ends=time(23, 59), zone=ZoneInfo("UTC"))
PACS = PacsSettings(ae_title="PACS", host="127.0.0.1", port=1)


@pytest.fixture
async def archive(settings: Settings, index: IndexInMemory, onlooker, tmp_path: Path) -> Path:
    """What a gateway leaves that published a study whose image was pushed to it."""
    async with stores_in(settings.data_dir) as stores:
        await published(Bench(stores, index))
    await export_pointers(settings, tmp_path / "out.zip", Wanted(), onlooker)
    return tmp_path / "out.zip"


@pytest.fixture
def heir(heir: Settings) -> Settings:
    """The gateway that comes after, with a PACS."""
    return heir.model_copy(update={"pacs": (PACS,)})


@pytest.fixture
async def bench(heir: Settings, archive: Path, index, onlooker) -> AsyncIterator[Bench]:
    """The heir at work; its PACS holds nothing unless the test says so."""
    await import_medium(heir, archive, onlooker)
    async with stores_in(heir.data_dir) as stores:
        bench = Bench(stores, index, policy=WITH_PACS)
        bench.stores.clock.now_ms = 4_000_000_000_000  # after the import
        yield bench


async def a_night(bench: Bench) -> None:
    """Compare all that is published, and look at what differs."""
    bench.stores.clock.now_ms += 24 * HOUR_MS
    sweep = Sweep(
        bench.stores.database,
        bench.stores.studies,
        Checks(bench.stores.database.dialect),
        pacs=bench.pacs,
        night=ALL_DAY,
        studies_max=100,
        studies_per_s=100.0,
        clock=bench.stores.clock,
        on_news=lambda: None,
    )
    for _step in range(3):
        await sweep.step()
    await bench.come_to_rest()


async def events(bench: Bench) -> list[tuple[object, object]]:
    """What happened to the study, with the codes."""
    history = bench.stores.standings.history
    rows = await bench.stores.database.read(
        lambda tx: history.of(tx, STUDY, count_max=100, offset=0)
    )
    return [(row["event"], row["code"]) for row in rows]


async def shown(bench: Bench) -> int:
    """How many images of the study may be shown."""
    found = await bench.stores.database.read(
        lambda tx: bench.stores.studies.shown(tx, Resource(study=STUDY))
    )
    return len(found)


async def test_a_pacs_that_never_held_them_withdraws_nothing(bench, index):
    await a_night(bench)
    after_one = await events(bench)
    await a_night(bench)

    assert (await states(bench), index.withdrawn) == (NOT_FOUND, [])
    assert after_one == await events(bench)  # a second night has nothing to add
    assert NOT_FOUND in after_one
    assert await shown(bench) == 0


async def test_what_other_manifests_list_does_not_speak_for_the_pacs(
    heir, archive, index, onlooker, tmp_path
):
    """A PACS that knows nothing of two studies has lost its database only if it knew one."""
    await import_medium(heir, archive, onlooker)
    await import_medium(heir, a_folder(tmp_path / "usb", an_archive(a_pointer())), onlooker)

    async with stores_in(heir.data_dir) as stores:
        bench = Bench(stores, index, policy=WITH_PACS)
        stores.clock.now_ms = 4_000_000_000_000
        await a_night(bench)

        assert await states(bench) == NOT_FOUND


async def test_a_pacs_that_tells_of_them_has_them_stay(bench, index):
    bench.pacs.images = (an_image(),)

    await a_night(bench)

    assert (await states(bench), len(index.held)) == (("published", ""), 1)
    assert await shown(bench) == 1


async def test_a_pacs_that_tells_of_them_late_is_heard(bench):
    await a_night(bench)
    bench.pacs.images = (an_image(),)

    await a_night(bench)

    assert (await states(bench), await shown(bench)) == (("published", ""), 1)


@pytest.mark.parametrize("told", [1, 2], ids=["as listed", "another"])
async def test_a_pacs_that_told_of_them_and_lost_them_takes_the_pointer_back(bench, index, told):
    bench.pacs.images = (an_image(told),)
    await a_night(bench)
    bench.pacs.images = ()

    await a_night(bench)

    assert await states(bench) == ("withheld", "images_gone")
    assert len(index.withdrawn) == 1


@pytest.mark.parametrize("nights", [0, 1])
async def test_images_that_come_later_make_the_study_whole(bench, index, nights):
    for _night in range(nights):
        await a_night(bench)

    await bench.tell_instance()
    await bench.come_to_rest()
    await a_night(bench)

    assert (await states(bench), index.withdrawn) == (("published", ""), [])
    assert await shown(bench) == 1


async def test_images_that_came_before_the_archive_make_the_study_whole(
    heir, archive, index, onlooker
):
    async with stores_in(heir.data_dir) as stores:
        await tell_instance(stores)
    await import_medium(heir, archive, onlooker)

    async with stores_in(heir.data_dir) as stores:
        bench = Bench(stores, index, policy=WITH_PACS)
        bench.stores.clock.now_ms = 4_000_000_000_000
        await bench.come_to_rest()
        await a_night(bench)

        assert (await states(bench), await shown(bench)) == (("published", ""), 1)


@pytest.mark.parametrize("nights", [0, 1])
async def test_a_note_that_rejects_them_takes_the_pointer_back(bench, index, nights):
    for _night in range(nights):
        await a_night(bench)
    rejected = (an_image().instance,)
    note = InstancesRejected(study=STUDY, note=Uid("1.2.9"), code="113001", instances=rejected)

    await bench.stores.database.write(
        lambda tx: bench.stores.studies.instances_rejected(tx, note, now_ms=0)
    )
    await bench.come_to_rest()

    assert (await states(bench))[0] == "withheld"
    assert len(index.withdrawn) == 1


async def test_a_report_on_images_that_are_nowhere_waits_for_a_person(bench, index):
    await bench.tell_report(message_digest="m2", version=2)
    await bench.look()
    waits = await states(bench)
    bench.stores.clock.now_ms += HOUR_MS
    await bench.come_to_rest()
    given_up, withdrawn = await states(bench), list(index.withdrawn)
    await bench.tell_instance()
    await bench.come_to_rest()

    assert (waits, given_up) == (("waiting", "images"), ("set_aside", "images_missing"))
    assert withdrawn == []
    assert await states(bench) == ("published", "")


async def test_a_centre_without_a_pacs_waits_for_them_as_well(heir, archive, index, onlooker):
    await import_medium(heir.model_copy(update={"pacs": ()}), archive, onlooker)

    async with stores_in(heir.data_dir) as stores:
        bench = Bench(stores, index)
        stores.clock.now_ms = 4_000_000_000_000
        await bench.tell_report(message_digest="m2", version=2)
        await bench.look()
        waits = await states(bench)
        await bench.tell_instance()
        await bench.come_to_rest()

        assert (waits, await states(bench)) == (("waiting", "images"), ("published", ""))
    assert index.withdrawn == []


async def test_a_centre_that_publishes_on_images_keeps_what_it_took_over(bench, index):
    on_images = Bench(bench.stores, index, policy=replace(ON_IMAGES, has_pacs=True))

    await tell_announcement(bench.stores)
    await on_images.come_to_rest()
    nowhere = await states(bench)
    await bench.tell_instance()
    await on_images.come_to_rest()

    assert (nowhere, await states(bench)) == (NOT_FOUND, ("published", ""))
    assert index.withdrawn == []
