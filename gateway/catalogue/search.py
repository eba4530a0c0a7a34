"""Searches the catalogue (PS3.18 §10.6): what is known of studies, whoever told it.

Results are sorted by their unique ids, so that a page asked for twice holds the same.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby
from typing import Final, cast

import orjson

from gateway.catalogue.studies import known_image
from gateway.dicomweb.qido import SearchLevel, SearchQuery
from gateway.model.image import ImageDescription
from gateway.storage.database import Database, Param, Row, Transaction
from gateway.storage.queries import load_queries
from indexer.contract.identifiers import Uid

COUNT_MAX: Final = 10_000
"""Results beyond the page that are counted; of more it is only known that there are more."""

_FILTER: Final = "/* filter */"


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """One study, series or instance, told by one of its instances."""

    study: Uid
    description: ImageDescription
    modalities: tuple[str, ...]
    """Of the series that the match holds, sorted."""
    series_count: int
    instance_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchPage:
    """What was found."""

    matches: list[Match]
    additional: int
    """How many more there are after this page, at most `COUNT_MAX`."""


class CatalogueSearch:
    """Reads one page of a search in one transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._sql = load_queries("gateway.catalogue", "search.sql", database.dialect)

    async def find(self, query: SearchQuery) -> SearchPage:
        """The page that the query's limit and offset name.

        Raises:
            StorageUnavailable: the database does not answer.
        """
        return await self._database.read(lambda tx: self._find(tx, query))

    async def _find(self, tx: Transaction, query: SearchQuery) -> SearchPage:
        conditions, params = self._conditions(query)
        page = self._sql[query.level].replace(_FILTER, conditions)
        rows = await tx.fetch(page, **params, count_max=query.limit, offset=query.offset)
        matches = list(_matches(query.level, rows))
        if len(matches) < query.limit:
            return SearchPage(matches=matches, additional=0)
        count = self._sql[f"count_{query.level}"].replace(_FILTER, conditions)
        seen = query.offset + len(matches)
        [counted] = await tx.fetch(count, **params, count_max=seen + COUNT_MAX)
        return SearchPage(matches=matches, additional=cast(int, counted["matches"]) - seen)

    def _conditions(self, query: SearchQuery) -> tuple[str, dict[str, Param]]:
        """The conditions of what is asked alone, so that an index can answer them."""
        asked: dict[str, tuple[str, Param]] = {
            "study_is": ("studies", _list(query.studies)),
            "series_is": ("series", _list(query.series)),
            "instance_is": ("instances", _list(query.instances)),
            "patient_is": ("patient_id", query.patient_id),
            "accession_is": ("accession", query.accession),
        }
        given = {name: pair for name, pair in asked.items() if pair[1] is not None}
        conditions = "\n  AND ".join(self._sql[name] for name in given)
        return conditions or "true", dict(given.values())


def _list(uids: tuple[Uid, ...] | None) -> str | None:
    return None if uids is None else orjson.dumps([str(uid) for uid in uids]).decode()


def _matches(level: SearchLevel, rows: list[Row]) -> Iterable[Match]:
    if level is SearchLevel.STUDIES:
        for _, series in groupby(rows, key=lambda row: row["study_uid"]):
            yield _match(list(series))
    else:
        for row in rows:
            yield _match([row])


def _match(rows: list[Row]) -> Match:
    told = [known_image(row).description for row in rows]
    return Match(
        study=Uid(cast(str, rows[0]["study_uid"])),
        description=told[0],
        modalities=tuple(sorted({one.modality for one in told if one.modality})),
        series_count=len(rows),
        instance_count=sum(cast(int, row["in_series"]) for row in rows),
    )
