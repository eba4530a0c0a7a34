"""What is kept of stored objects' descriptions, on both engines."""

from array import array

import pytest

from gateway.catalogue.descriptions import Description, Descriptions, Listing, StoredInstance
from gateway.dicomweb.layout import BulkValue, Layout, Pixels
from gateway.model.notification import HeldByPacs, PacsAnswered, StudyAnnounced
from gateway.model.resource import Resource
from indexer.contract.identifiers import Uid
from tests.support.gateway_stores import Stores
from tests.support.studies import SERIES, STUDY, an_image, an_instance_stored

FIRST = Resource(study=STUDY, series=SERIES, instance=an_image(1).instance)
LAYOUT = Layout(
    bulk={"7FE00010": BulkValue(vr="OB", at=900, size_bytes=80, fragmented=True)},
    pixels=Pixels(path="7FE00010", frames=3, claimed=3),
)
STARTS = array("Q", [908, 920, 940, 972]).tobytes()


@pytest.fixture
def descriptions(stores: Stores) -> Descriptions:
    return Descriptions(stores.database.dialect)


async def store(stores: Stores, number: int, key: str) -> None:
    news = an_instance_stored(number, key=key, sha256=key)
    await stores.database.write(
        lambda tx: stores.studies.instance_stored(tx, news, now_ms=0, due_at_ms=0)
    )


async def keep(stores: Stores, descriptions: Descriptions, *described: Description) -> None:
    await stores.database.write(lambda tx: descriptions.keep(tx, described))


async def waiting(stores: Stores, descriptions: Descriptions) -> set[str]:
    found = await stores.database.read(lambda tx: descriptions.undescribed(tx, count_max=10))
    return {one.key for one in found}


async def listed(stores: Stores, descriptions: Descriptions, resource: Resource) -> Listing:
    found = await stores.database.read(lambda tx: descriptions.listed(tx, resource))
    assert found is not None
    return found


async def instance(
    stores: Stores, descriptions: Descriptions, frames: tuple[int, int] = (1, 1)
) -> StoredInstance:
    found = await stores.database.read(lambda tx: descriptions.instance(tx, FIRST, frames=frames))
    assert found is not None
    return found


async def test_a_description_is_read_as_it_was_kept(
    stores: Stores, descriptions: Descriptions
) -> None:
    await store(stores, 1, "aa")
    await store(stores, 2, "bb")

    kept = Description(key="aa", metadata=b"\0json", layout=LAYOUT.encode(), starts=STARTS)
    await keep(stores, descriptions, kept, Description(key="bb", failure="it is cut short"))

    found = await stores.database.read(lambda tx: descriptions.metadata(tx, ["aa", "bb", "cc"]))
    assert {key: (one.metadata, one.failure) for key, one in found.items()} == {
        "aa": (b"\0json", ""),
        "bb": (b"", "it is cut short"),
    }
    assert (await instance(stores, descriptions)).layout == LAYOUT
    assert await waiting(stores, descriptions) == set()


async def test_only_the_places_of_the_frames_that_are_asked_for_are_read(
    stores: Stores, descriptions: Descriptions
) -> None:
    await store(stores, 1, "aa")
    await keep(stores, descriptions, Description(key="aa", layout=LAYOUT.encode(), starts=STARTS))

    assert (await instance(stores, descriptions, (2, 2))).starts == STARTS[8:24]
    assert (await instance(stores, descriptions, (2, 3))).starts == STARTS[8:]
    assert (await instance(stores, descriptions, (3, 9))).starts == STARTS[16:]
    assert (await instance(stores, descriptions, (90, 90))).starts == b""


async def test_another_object_of_an_instance_waits_to_be_described(
    stores: Stores, descriptions: Descriptions
) -> None:
    await store(stores, 1, "aa")
    await keep(stores, descriptions, Description(key="aa", layout=LAYOUT.encode()))
    before = await listed(stores, descriptions, Resource(study=STUDY))

    await store(stores, 1, "bb")
    after = await listed(stores, descriptions, Resource(study=STUDY))

    assert await waiting(stores, descriptions) == {"bb"}
    assert (await instance(stores, descriptions)).layout is None
    assert before.fingerprint != after.fingerprint
    assert before.version != after.version


async def test_what_was_replaced_meanwhile_is_not_kept(
    stores: Stores, descriptions: Descriptions
) -> None:
    await store(stores, 1, "bb")

    await keep(stores, descriptions, Description(key="aa", metadata=b"json"))

    assert not await stores.database.read(lambda tx: descriptions.metadata(tx, ["aa"]))
    assert await waiting(stores, descriptions) == {"bb"}


async def test_a_listing_is_of_a_study_a_series_or_an_instance(
    stores: Stores, descriptions: Descriptions
) -> None:
    await store(stores, 1, "aa")
    await store(stores, 2, "bb")
    study = await listed(stores, descriptions, Resource(study=STUDY))
    series = await listed(stores, descriptions, Resource(study=STUDY, series=SERIES))
    one = await listed(stores, descriptions, FIRST)

    assert [(each.instance, each.key) for each in study.instances] == [
        (an_image(1).instance, "aa"),
        (an_image(2).instance, "bb"),
    ]
    assert series.instances == study.instances
    assert [each.key for each in one.instances] == ["aa"]
    other = Resource(study=STUDY, series=Uid("1.2"))
    assert await stores.database.read(lambda tx: descriptions.listed(tx, other)) is None


async def test_a_listing_says_whether_all_is_stored_here(
    stores: Stores, descriptions: Descriptions
) -> None:
    await store(stores, 1, "aa")
    assert (await listed(stores, descriptions, Resource(study=STUDY))).entire

    held = tuple(HeldByPacs(pacs="PACS", image=an_image(number)) for number in (1, 2))
    told = PacsAnswered(study=STUDY, held=held, asked_after=9)
    before = await listed(stores, descriptions, Resource(study=STUDY))
    announced = StudyAnnounced(study=STUDY)
    await stores.database.write(lambda tx: stores.studies.study_announced(tx, announced, now_ms=0))
    await stores.database.write(lambda tx: stores.studies.pacs_answered(tx, told, now_ms=0))

    after = await listed(stores, descriptions, Resource(study=STUDY))
    assert not after.entire
    assert [each.key for each in after.instances] == ["aa", ""]
    assert (await listed(stores, descriptions, FIRST)).entire
    assert before.version.answers < after.version.answers
