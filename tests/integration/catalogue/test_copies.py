"""What may be dropped, and what must not, as the rows tell it, on both engines."""

from dataclasses import replace

import pytest

from gateway.catalogue.copies import Copies, Copy
from gateway.model.image import StoredObject
from gateway.model.notification import HeldByPacs, PacsAnswered, StudyAnnounced
from gateway.model.resource import Resource
from gateway.storage.database import Transaction
from indexer.contract.identifiers import Uid
from tests.support.gateway_stores import Stores
from tests.support.studies import EXPLICIT, STUDY, an_image, an_instance_stored

PACS = ("PACS", "SECOND")
ANYTHING = 10**9
OTHER_STUDY = Uid("1.2.250.1.999.1.2")


@pytest.fixture
def copies(stores: Stores) -> Copies:
    return Copies(stores.database.dialect)


async def announce(stores: Stores, study: Uid = STUDY) -> int:
    """Have a PACS be asked of the study; after which news."""
    told = StudyAnnounced(study=study)
    await stores.database.write(lambda tx: stores.studies.study_announced(tx, told, now_ms=0))
    return (await stores.snapshot(study)).news


async def answer(
    stores: Stores, *numbers: int, asked_after: int, study: Uid = STUDY, **told: str
) -> None:
    """The PACS holds these instances."""
    held = tuple(HeldByPacs(pacs="PACS", image=an_image(one, **told)) for one in numbers)
    news = PacsAnswered(study=study, held=held, asked_after=asked_after)
    await stores.database.write(lambda tx: stores.studies.pacs_answered(tx, news, now_ms=7))


async def push(stores: Stores, number: int, *, key: str = "") -> None:
    news = an_instance_stored(number, key=key)
    await stores.database.write(
        lambda tx: stores.studies.instance_stored(tx, news, now_ms=0, due_at_ms=0)
    )


async def keep(
    stores: Stores, copies: Copies, *numbers: int, asked_after: int, study: Uid = STUDY
) -> set[Uid]:
    """Keep what was pulled of these instances."""
    pulled = [a_copy(number) for number in numbers]
    return await stores.database.write(
        lambda tx: copies.keep(tx, study, pulled, asked_after=asked_after)
    )


def a_copy(number: int) -> Copy:
    key = f"copy-{number}"
    stored = StoredObject(key=key, transfer_syntax=EXPLICIT, size_bytes=1000, sha256=key)
    return Copy(pacs="PACS", header=an_image(number), stored=stored)


async def drop(
    stores: Stores, copies: Copies, *, bytes_min: int = ANYTHING, study: Uid = STUDY
) -> tuple[str, ...]:
    dropped = await stores.database.write(
        lambda tx: copies.drop(tx, study, pacs=PACS, bytes_min=bytes_min, now_ms=5)
    )
    return dropped.keys


async def stored(stores: Stores) -> list[str]:
    """Keys of what is stored of the study."""
    images = await stores.database.read(lambda tx: stores.studies.shown(tx, Resource(study=STUDY)))
    return [one.stored.key for one in images if one.stored is not None]


async def test_what_only_we_hold_is_never_dropped(stores: Stores, copies: Copies) -> None:
    await push(stores, 1)
    await answer(stores, asked_after=await announce(stores))
    await push(stores, 2)

    assert await drop(stores, copies) == ()
    assert await stores.database.read(copies.size_bytes) == 0


async def test_what_was_pushed_may_go_once_a_pacs_told_of_it_since(
    stores: Stores, copies: Copies
) -> None:
    await push(stores, 1)
    await push(stores, 2)
    await answer(stores, 1, asked_after=await announce(stores))

    dropped = await drop(stores, copies)

    assert dropped == ("object-1",)
    assert await stored(stores) == ["object-2"]


async def test_what_a_pacs_told_of_before_it_was_pushed_stays(
    stores: Stores, copies: Copies
) -> None:
    """It may be a correction, and the PACS may hold what was corrected."""
    await push(stores, 1)
    asked_after = await announce(stores)
    await push(stores, 1, key="corrected")
    await answer(stores, 1, asked_after=asked_after)

    assert await drop(stores, copies) == ()
    assert await stored(stores) == ["corrected"]


async def test_what_was_pulled_may_go_and_the_study_is_told_as_before(
    stores: Stores, copies: Copies
) -> None:
    asked_after = await announce(stores)
    await answer(stores, 1, 2, asked_after=asked_after)
    before = await stores.snapshot()
    kept = await keep(stores, copies, 1, 2, asked_after=asked_after)
    with_copies = await stores.snapshot()

    dropped = await drop(stores, copies)

    assert kept == {an_image(1).instance, an_image(2).instance}
    assert dropped == ("copy-1", "copy-2")
    assert await stores.snapshot() == before
    assert with_copies.descriptions == before.descriptions
    assert (with_copies.news, with_copies.pushed) == (before.news, [])


async def test_no_more_is_dropped_than_must_be(stores: Stores, copies: Copies) -> None:
    asked_after = await announce(stores)
    await answer(stores, 1, 2, 3, asked_after=asked_after)
    await keep(stores, copies, 1, 2, 3, asked_after=asked_after)

    dropped = await drop(stores, copies, bytes_min=1001)

    assert dropped == ("copy-1", "copy-2")
    assert await stores.database.read(copies.size_bytes) == 1000


async def test_what_is_of_a_pacs_that_is_not_configured_any_more_stays(
    stores: Stores, copies: Copies
) -> None:
    asked_after = await announce(stores)
    await answer(stores, 1, asked_after=asked_after)
    await keep(stores, copies, 1, asked_after=asked_after)

    dropped = await stores.database.write(
        lambda tx: copies.drop(tx, STUDY, pacs=["SECOND"], bytes_min=ANYTHING, now_ms=0)
    )

    assert dropped.keys == ()


async def test_an_object_that_was_dropped_is_removed_in_its_time(
    stores: Stores, copies: Copies
) -> None:
    """Whoever dropped it removes it at once, and the janitor if that one has died."""
    asked_after = await announce(stores)
    await answer(stores, 1, asked_after=asked_after)
    await keep(stores, copies, 1, asked_after=asked_after)

    await drop(stores, copies)

    discards = stores.discards
    assert await stores.database.read(lambda tx: discards.discarded(tx, before_ms=4)) == []
    assert await stores.database.read(lambda tx: discards.discarded(tx, before_ms=5)) == ["copy-1"]


async def test_a_copy_goes_when_the_pacs_tells_otherwise_of_its_instance(
    stores: Stores, copies: Copies
) -> None:
    asked_after = await announce(stores)
    await answer(stores, 1, 2, asked_after=asked_after)
    await keep(stores, copies, 1, 2, asked_after=asked_after)

    await answer(stores, 2, asked_after=await announce(stores))
    same = await stored(stores)
    await answer(stores, 2, asked_after=await announce(stores), study_description="Corrected")

    assert same == ["copy-2"]
    assert await stored(stores) == []


async def test_what_was_pulled_before_the_pacs_told_otherwise_is_not_kept(
    stores: Stores, copies: Copies
) -> None:
    asked_after = await announce(stores)
    await answer(stores, 1, asked_after=asked_after)
    await answer(stores, 1, asked_after=await announce(stores))

    assert await keep(stores, copies, 1, asked_after=asked_after) == set()


async def test_a_push_takes_the_place_of_a_copy_and_is_held_for_good(
    stores: Stores, copies: Copies
) -> None:
    asked_after = await announce(stores)
    await answer(stores, 1, asked_after=asked_after)
    await keep(stores, copies, 1, asked_after=asked_after)

    pushed = an_instance_stored(1, key="pushed", sha256="copy-1")  # the same data set
    is_news = await stores.database.write(
        lambda tx: stores.studies.instance_stored(tx, pushed, now_ms=0, due_at_ms=0)
    )

    assert is_news
    assert await drop(stores, copies) == ()
    assert await stored(stores) == ["pushed"]


async def test_what_was_pushed_and_dropped_can_be_pushed_again(
    stores: Stores, copies: Copies
) -> None:
    await push(stores, 1)
    await answer(stores, 1, asked_after=await announce(stores))
    await drop(stores, copies)

    await push(stores, 1, key="object-1-again")

    assert await stored(stores) == ["object-1-again"]


async def test_the_study_that_was_read_longest_ago_goes_first(
    stores: Stores, copies: Copies
) -> None:
    for study in (STUDY, OTHER_STUDY):
        asked_after = await announce(stores, study)
        await answer(stores, 1, asked_after=asked_after, study=study)
        await keep(stores, copies, 1, asked_after=asked_after, study=study)

    async def least_read(in_use: tuple[Uid, ...] = ()) -> list[Uid]:
        return await stores.database.read(
            lambda tx: copies.least_read(tx, pacs=PACS, in_use=in_use, count_max=9)
        )

    async def read(tx: Transaction) -> None:
        await copies.read(tx, {STUDY: 20, OTHER_STUDY: 10})

    never_read = await least_read()
    await stores.database.write(read)

    assert never_read == [STUDY, OTHER_STUDY]
    assert await least_read() == [OTHER_STUDY, STUDY]
    assert await least_read(in_use=(OTHER_STUDY,)) == [STUDY]


async def test_the_last_studies_of_a_patient_that_are_not_here_are_found(
    stores: Stores, copies: Copies
) -> None:
    dates = {"20240101": STUDY, "20250101": OTHER_STUDY, "20230101": Uid("1.2.3")}
    for date, study in dates.items():
        asked_after = await announce(stores, study)
        await answer(stores, 1, asked_after=asked_after, study=study, study_date=date)
    await keep(stores, copies, 1, asked_after=1, study=OTHER_STUDY)
    patient = an_image().patient.local_id

    async def earlier(count_max: int) -> list[Uid]:
        return await stores.database.read(
            lambda tx: copies.earlier_studies(tx, [patient], count_max=count_max)
        )

    nobody = replace(patient, value="NOBODY")

    assert await earlier(9) == [STUDY, Uid("1.2.3")]
    assert await earlier(1) == [STUDY]
    assert not await stores.database.read(
        lambda tx: copies.earlier_studies(tx, [nobody], count_max=9)
    )
