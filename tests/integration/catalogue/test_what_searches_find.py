"""What a search finds is what PS3.4 §C.2.2.2 says, on either engine, judged by a naive search."""

from random import Random

import orjson
from pydicom import Dataset

from gateway.catalogue.header import describe, read_texts
from gateway.catalogue.search import CatalogueSearch
from gateway.dicomweb.attributes import SearchLevel
from gateway.dicomweb.qido import parse_query
from gateway.model.image import StoredObject
from gateway.model.notification import InstanceStored
from indexer.contract.identifiers import Uid
from tests.support.gateway_stores import Stores
from tests.support.naive_search import LEVELS, NaiveSearch
from tests.support.searched_world import a_world, as_parameters, drawn_search, each_form
from tests.support.studies import EXPLICIT

BY_NAME = dict(zip(SearchLevel, LEVELS, strict=True))


async def keep(stores: Stores, instances: list[Dataset]) -> None:
    for ds in instances:
        image = describe(read_texts(ds))
        stored = StoredObject(
            key=image.instance, transfer_syntax=EXPLICIT, size_bytes=1, sha256=image.instance
        )
        news = InstanceStored(study=Uid(ds.StudyInstanceUID), image=image, stored=stored)
        await tell_stored(stores, news)


async def tell_stored(stores: Stores, news: InstanceStored) -> None:
    await stores.database.write(
        lambda tx: stores.studies.instance_stored(tx, news, now_ms=0, due_at_ms=0)
    )


async def found(
    stores: Stores, level: SearchLevel, asked: dict[str, str], flags: set[str]
) -> list[str]:
    search = CatalogueSearch(stores.database)
    parameters = [*as_parameters(asked, flags), ("limit", "1000")]
    page = await search.find(parse_query(level, parameters))
    tag = {"studies": b"0020000D", "series": b"0020000E", "instances": b"00080018"}[level]
    return [
        orjson.loads(b"{%s}" % match.members[tag])[tag.decode()]["Value"][0]
        for match in page.matches
    ]


async def test_each_kind_of_matching_finds_what_the_standard_says(stores: Stores) -> None:
    instances = a_world(1, studies=40)
    await keep(stores, instances)
    naive = NaiveSearch(instances)

    wrong = []
    something = 0
    for level, uid in BY_NAME.items():
        for asked, flags in each_form():
            expected = naive.find(uid, asked, flags)
            something += bool(expected)
            if sorted(await found(stores, level, asked, flags)) != sorted(expected):
                wrong.append((level.value, asked, flags))

    assert wrong == []
    assert something > 300  # searches that find nothing would agree about anything


async def test_keys_that_are_asked_together_must_all_hold(stores: Stores) -> None:
    instances = a_world(2, studies=60)
    await keep(stores, instances)
    naive, random = NaiveSearch(instances), Random(3)

    wrong = []
    something = 0
    for _ in range(150):
        asked, flags = drawn_search(random)
        for level, uid in BY_NAME.items():
            expected = naive.find(uid, asked, flags)
            something += bool(expected)
            if sorted(await found(stores, level, asked, flags)) != sorted(expected):
                wrong.append((level.value, asked, flags))

    assert wrong == []
    assert something > 50
