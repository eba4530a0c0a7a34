"""The rows that searches find are those that would be made of the instances now, whatever came."""

from random import Random

import pytest

from gateway.catalogue.copies import Copies, Copy
from gateway.catalogue.searched import Searched, make_searchable
from gateway.model.notification import InstancesRejected
from gateway.storage.database import Row, Transaction
from indexer.contract.document import Identifier
from indexer.contract.identifiers import Uid
from tests.support.gateway_stores import Stores
from tests.support.studies import STUDY, a_stored, an_image
from tests.support.telling import tell_answer, tell_instance

TABLES = {
    "searched_studies": "study_uid",
    "searched_series": "study_uid, series_uid",
    "searched_names": "study_uid, role, word",
    "searched_patient_ids": "study_uid, number",
    "searched_requests": "study_uid, series_uid, number",
}
CLASSES = ("1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.4")
REQUESTS = '[{"ScheduledProcedureStepID":"S1","RequestedProcedureID":"R1"}]'
OTHERS = '[{"PatientID":"OTHER","IssuerOfPatientID":"INS-NIR"}]'


class Centre:
    """A modality and a PACS that tell of one study as chance will have it."""

    def __init__(self, stores: Stores, seed: int) -> None:
        self._stores = stores
        self._random = Random(seed)
        self._told = 0
        self.acts = (
            *[self.store] * 3, self.answer, self.reject, self.repeat, *[self.keep] * 2, self.drop
        )  # fmt: skip
        self._copies = Copies(stores.database.dialect)

    async def act(self) -> None:
        await self._random.choice(self.acts)()

    async def store(self) -> None:
        self._told += 1
        image = self._image()
        await tell_instance(
            self._stores,
            key=f"object-{self._told}",
            **{name: getattr(image, name) for name in ("series", "instance", "sop_class")},
            modality=image.modality,
            patient={"name": image.patient.name},
            study_time=image.study_time,
            series_number=image.series_number,
            more=image.more,
        )

    async def repeat(self) -> None:
        """What is held comes again, which changes nothing."""
        await tell_instance(self._stores, 1, key="object-1")

    async def answer(self) -> None:
        images = {one.instance: one for one in (self._image() for _ in range(5))}
        await tell_answer(self._stores, *images.values(), asked_after=1)

    async def keep(self) -> None:
        """Copies are pulled of what a PACS told of; of what is no copy, nothing is kept."""
        self._told += 1
        key = f"copy-{self._told}"
        copies = [
            Copy(pacs="PACS", header=self._image(), stored=a_stored(f"{key}-{number}"))
            for number in range(3)
        ]
        await self._stores.database.write(
            lambda tx: self._copies.keep(tx, STUDY, copies, asked_after=1)
        )

    async def drop(self) -> None:
        await self._stores.database.write(
            lambda tx: self._copies.drop(tx, STUDY, pacs=["PACS"], bytes_min=1500, now_ms=0)
        )

    async def reject(self) -> None:
        note = InstancesRejected(
            study=STUDY,
            note=Uid(f"1.2.3.{self._random.randint(1, 3)}"),
            code="113001",
            instances=(self._image().instance,),
        )
        await self._stores.database.write(
            lambda tx: self._stores.studies.instances_rejected(tx, note, now_ms=0)
        )

    def _image(self):
        number = self._random.randint(1, 12)
        series = self._random.choice((number % 4, number % 4, number % 4, 7))
        sop_class = self._random.choice((CLASSES[0], CLASSES[0], CLASSES[series % 2]))
        more = {}
        if self._random.random() < 0.5:
            more = {"RequestAttributesSequence": REQUESTS, "OtherPatientIDsSequence": OTHERS}
        return an_image(
            series=Uid(f"1.2.9.{series}"),
            instance=Uid(f"1.2.9.0.{number}"),
            sop_class=Uid(sop_class),
            modality="CT" if sop_class == CLASSES[0] else "MR",
            patient={
                "name": self._random.choice(("A^B", "C D^E", "")),
                "local_id": Identifier(value=f"P{series}"),
            },
            study_time=self._random.choice(("10", "")),
            series_number=str(series),
            more=more,
        )


async def rows_of(stores: Stores) -> dict[str, list[Row]]:
    async def read(tx: Transaction) -> dict[str, list[Row]]:
        return {
            table: [dict(row) for row in await tx.fetch(f"SELECT * FROM {table} ORDER BY {order}")]
            for table, order in TABLES.items()
        }

    return await stores.database.read(read)


async def made_anew(stores: Stores) -> dict[str, list[Row]]:
    searched = Searched(stores.database.dialect)
    await stores.database.write(lambda tx: searched.restate(tx, STUDY))
    return await rows_of(stores)


@pytest.mark.parametrize("seed", range(6))
async def test_rows_are_kept_as_they_would_be_made(stores: Stores, seed: int) -> None:
    centre = Centre(stores, seed)

    for _ in range(40):
        await centre.act()
        kept = await rows_of(stores)

        assert kept == await made_anew(stores)


async def test_rows_of_each_kind_are_made_at_all(stores: Stores) -> None:
    more = {"RequestAttributesSequence": REQUESTS, "OtherPatientIDsSequence": OTHERS}

    await tell_instance(stores, 1, more=more)

    assert all((await rows_of(stores)).values())


async def test_a_study_of_which_nothing_is_left_is_not_found(stores: Stores) -> None:
    await tell_instance(stores, 1)
    note = InstancesRejected(
        study=STUDY, note=Uid("1.2.3"), code="113001", instances=(an_image(1).instance,)
    )

    await stores.database.write(lambda tx: stores.studies.instances_rejected(tx, note, now_ms=0))

    assert not any((await rows_of(stores)).values())


async def as_an_older_program_left_it(tx: Transaction) -> None:
    for table in TABLES:
        await tx.fetch(f"DELETE FROM {table}")
    await tx.fetch("INSERT INTO unsearched_studies VALUES (:study)", study=STUDY)


async def test_what_an_older_program_kept_is_made_searchable_once(stores: Stores) -> None:
    await tell_instance(stores, 1)
    expected = await rows_of(stores)
    await stores.database.write(as_an_older_program_left_it)

    assert await make_searchable(stores.database) == 1
    assert await make_searchable(stores.database) == 0

    assert await rows_of(stores) == expected
