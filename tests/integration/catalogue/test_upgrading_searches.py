"""What an older program kept is searched as what comes now, on either engine."""

from importlib import resources
from pathlib import Path

import orjson
import pytest

from gateway.catalogue.search import CatalogueSearch
from gateway.catalogue.searched import make_searchable
from gateway.dicomweb.attributes import SearchLevel
from gateway.dicomweb.qido import parse_query
from gateway.model.image import ImageDescription
from gateway.storage.database import Database, Transaction
from gateway.storage.engines import open_at
from gateway.storage.migrations import migrate
from gateway.storage.records import encode
from tests.support.packages import package_maker
from tests.support.studies import CT, STUDY, an_image

SEARCHES = "0009_what_is_searched.sql"

STUDY_ROW = (
    "INSERT INTO studies (study_uid, news, state, since_ms) VALUES (:study, 1, 'waiting', 0)"
)
INSTANCE_ROW = """INSERT INTO instances (study_uid, series_uid, instance_uid, patient_id, accession,
                                         header, answer, object_key)
VALUES (:study, :series, :instance, :patient_id, '', :header, :answer, :object_key)"""


@pytest.fixture
def tables_of() -> str:
    """A database without tables: they are made as older programs made them."""
    return ""


def as_it_was_kept(image: ImageDescription) -> bytes:
    kept = orjson.loads(encode(image))
    del kept["more"]
    return orjson.dumps(kept)


async def keep_as_before(tx: Transaction) -> None:
    await tx.fetch(STUDY_ROW, study=STUDY)
    pushed, told = an_image(7), an_image(8, instance_number="-12")
    for image, is_pushed in (
        (pushed, True),
        (told, False),
        (an_image(9, instance_number="x"), True),
    ):
        record = as_it_was_kept(image)
        await tx.fetch(
            INSTANCE_ROW,
            study=STUDY,
            series=image.series,
            instance=image.instance,
            patient_id=image.patient.local_id.value,
            header=record if is_pushed else None,
            answer=None if is_pushed else record,
            object_key="object" if is_pushed else None,
        )


async def count(database: Database, level: SearchLevel, **asked: str) -> int:
    return len((await CatalogueSearch(database).find(parse_query(level, asked.items()))).matches)


async def test_what_an_older_program_kept_is_found(
    tmp_path: Path, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    shipped = {
        one.name: one.read_text(encoding="utf-8")
        for one in resources.files("gateway.migrations").iterdir()
        if one.name.endswith(".sql")
    }
    older = {name: text for name, text in shipped.items() if name < SEARCHES}
    database = await open_at(database_url, tmp_path / "gateway.sqlite")
    await migrate(database, package_maker(tmp_path, monkeypatch)(older))
    await database.write(keep_as_before)

    await migrate(database, "gateway.migrations")
    await make_searchable(database)

    instances = SearchLevel.INSTANCES
    found = {
        "study": await count(database, SearchLevel.STUDIES, PatientName="exemple^*"),
        "class": await count(database, instances, SOPClassUID=CT),
        "number": await count(database, instances, InstanceNumber="7"),
        "other number": await count(database, instances, InstanceNumber="-12"),
    }
    await database.close()
    assert found == {"study": 1, "class": 3, "number": 1, "other number": 1}
