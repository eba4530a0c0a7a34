"""Keeps the rows that searches find, in the transaction of the news that changes them.

A series is told of by the first of its instances, and a study by the first of its series, in the
order of their unique ids: what the rows hold depends on the instances alone, not on how they came.
What comes one by one is counted in; after any other news the study's rows are made anew.
"""

import logging
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Final, cast

import orjson

from gateway.catalogue.members import texts_of
from gateway.catalogue.rows import known_image
from gateway.catalogue.searched_rows import (
    join_values,
    name_rows,
    part_values,
    patient_id_rows,
    request_rows,
    series_row,
    study_row,
)
from gateway.model.image import ImageDescription
from gateway.storage.database import Database, Dialect, Param, Row, Transaction
from gateway.storage.queries import load_queries
from indexer.contract.identifiers import Uid

log = logging.getLogger(__name__)

STUDIES_AT_ONCE: Final = 100
"""Whose rows one transaction makes at the start."""


class Searched:
    """Repository of what searches find."""

    def __init__(self, dialect: Dialect) -> None:
        self._sql = load_queries("gateway.catalogue", "searched.sql", dialect)

    async def stored(self, tx: Transaction, study: Uid, image: ImageDescription) -> None:
        """Count in an instance that was stored and was not held before, nor rejected."""
        place: dict[str, Param] = {"study": study, "series": image.series}
        counted = await tx.fetch(
            self._sql["count_in"], instance=image.instance, sop_class=image.sop_class, **place
        )
        if counted:
            return
        known = await tx.fetch(self._sql["series"], **place)
        classes = {image.sop_class, *part_values(known[0]["sop_classes"] if known else "")}
        counts: dict[str, Param] = {
            "instances": 1 + (cast(int, known[0]["instances"]) if known else 0),
            "stored": 1 + (cast(int, known[0]["stored"]) if known else 0),
            "sop_classes": join_values(classes),
        }
        if known and cast(str, known[0]["first_instance"]) < image.instance:
            await tx.fetch(self._sql["classify"], **place, **counts)
        else:
            await self._put_series(tx, study, image, counts, anew=bool(known))
        await self._describe(tx, study, image)

    async def stored_again(
        self, tx: Transaction, study: Uid, image: ImageDescription, before: Row
    ) -> None:
        """Take in an instance that was known before, by a row of `known_instance`.

        Only the first of a series tells of it, so that of others the bytes are all that is new.
        """
        is_as_before = (
            not before["gone"]
            and not before["rejected"]
            and before["series_uid"] == image.series
            and before["sop_class"] == image.sop_class
        )
        if is_as_before and await tx.fetch(
            self._sql["count_stored"],
            study=study,
            series=image.series,
            instance=image.instance,
            more_stored=int(before["object_key"] is None),
        ):
            return
        await self.restate(tx, study)

    async def objects_changed(
        self, tx: Transaction, study: Uid, instances: Iterable[str], *, more_stored: int
    ) -> None:
        """Count in that the objects of known instances came, by 1, or went, by -1."""
        names = orjson.dumps([str(one) for one in instances]).decode()
        await tx.fetch(
            self._sql["count_objects"], study=study, instances=names, more_stored=more_stored
        )

    async def restate(self, tx: Transaction, study: Uid) -> None:
        """Make the rows of a study anew, from what is held of it and not rejected."""
        for kind in ("all_requests", "names", "patient_ids", "series", "study"):
            await tx.fetch(self._sql[f"forget_{kind}"], study=study)
        rows = await tx.fetch(self._sql["kept"], study=study)
        if not rows:
            return
        classes: dict[Param, list[str]] = defaultdict(list)
        for row in await tx.fetch(self._sql["classes"], study=study):
            classes[row["series_uid"]].append(cast(str, row["sop_class"]))
        # A header and a PACS may tell of different series; the row is of one of them.
        images = [
            replace(known_image(row).description, series=Uid(cast(str, row["series_uid"])))
            for row in rows
        ]
        for image, row in zip(images, rows, strict=True):
            counts = {"instances": row["instances"], "stored": row["stored"]}
            counts["sop_classes"] = join_values(classes[image.series])
            await self._put_series(tx, study, image, counts, anew=False)
        await self._describe(tx, study, images[0])

    async def _put_series(
        self,
        tx: Transaction,
        study: Uid,
        image: ImageDescription,
        counts: Mapping[str, Param],
        *,
        anew: bool,
    ) -> None:
        texts = texts_of(image)
        await tx.fetch(self._sql["put_series"], **counts, **series_row(study, texts))
        if anew:
            await tx.fetch(self._sql["forget_requests"], study=study, series=image.series)
        await tx.add("searched_requests", request_rows(study, texts))

    async def _describe(self, tx: Transaction, study: Uid, image: ImageDescription) -> None:
        """Have the study's row tell of its series, and of the image if that is the first."""
        contents = await tx.fetch(self._sql["contents"], study=study)
        known = await tx.fetch(self._sql["study"], study=study)
        classes = (one for row in contents for one in part_values(row["sop_classes"]))
        lists: dict[str, Param] = {
            "modalities": join_values(cast(str, row["modality"]) for row in contents),
            "sop_classes": join_values(classes),
        }
        if image.instance == contents[0]["first_instance"]:
            await self._put_study(tx, study, image, lists, anew=bool(known))
        elif any(known[0][name] != value for name, value in lists.items()):
            await tx.fetch(self._sql["list_contents"], study=study, **lists)

    async def _put_study(
        self,
        tx: Transaction,
        study: Uid,
        image: ImageDescription,
        lists: Mapping[str, Param],
        *,
        anew: bool,
    ) -> None:
        texts = texts_of(image)
        await tx.fetch(self._sql["put_study"], **lists, **study_row(study, texts))
        if anew:
            await tx.fetch(self._sql["forget_names"], study=study)
            await tx.fetch(self._sql["forget_patient_ids"], study=study)
        await tx.add("searched_names", name_rows(study, texts))
        await tx.add("searched_patient_ids", patient_id_rows(study, texts))


async def make_searchable(database: Database) -> int:
    """Make the rows of studies that an earlier program kept; their number.

    `app` awaits it before anything is searched. What was done stays done if it is broken off.
    """
    searched = Searched(database.dialect)
    sql = load_queries("gateway.catalogue", "searched.sql", database.dialect)

    async def some(tx: Transaction) -> int:
        rows = await tx.fetch(sql["unsearched"], count_max=STUDIES_AT_ONCE)
        for row in rows:
            study = Uid(cast(str, row["study_uid"]))
            await searched.restate(tx, study)
            await tx.fetch(sql["forget_unsearched"], study=study)
        return len(rows)

    made = 0
    while count := await database.write(some):
        made += count
        log.info("studies_made_searchable", extra={"studies": made})
    return made
