"""Searches the catalogue (PS3.18 §10.6): what is known of studies, whoever told it.

Results have an order, so that a page asked for twice holds the same: studies the newest first, and
series and instances by their unique ids.
"""

import asyncio
from dataclasses import dataclass
from typing import Final, cast

from gateway.catalogue.conditions import Conditions
from gateway.catalogue.members import Members, instance_texts, put, read_members, write_members
from gateway.catalogue.searched_rows import part_values
from gateway.dicomweb.attributes import SearchLevel
from gateway.dicomweb.qido import SearchQuery
from gateway.errors import TooBroad
from gateway.model.resource import Resource
from gateway.storage.database import Database, Row, Transaction
from gateway.storage.queries import load_queries
from indexer.contract.identifiers import Uid

COUNT_MAX: Final = 10_000
"""Results beyond the page that are counted; of more it is only known that there are more."""
SEARCH_S_MAX: Final = 10.0
"""How long the database may look; what takes longer is too broad."""

_MATCHES_AT_ONCE: Final = 100
_FILTER: Final = "/* filter */"
_UTF_8: Final = "ISO_IR 192"


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """One study, series or instance."""

    resource: Resource
    members: Members
    """All that can be told of it, as members of its JSON object, but where it is retrieved."""


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
            TooBroad: the database would look for longer than `SEARCH_S_MAX`.
            StorageUnavailable: the database does not answer.
        """
        try:
            async with asyncio.timeout(SEARCH_S_MAX) as looking:
                rows, additional = await self._database.read(lambda tx: self._rows(tx, query))
        except TimeoutError:
            if looking.expired():
                raise TooBroad("the search is too broad: ask for less") from None
            raise
        matches = []
        for number, row in enumerate(rows):
            if number % _MATCHES_AT_ONCE == 0:
                await asyncio.sleep(0)  # others have a turn
            matches.append(_match(query.level, row))
        return SearchPage(matches=matches, additional=additional)

    async def _rows(self, tx: Transaction, query: SearchQuery) -> tuple[list[Row], int]:
        conditions = Conditions(self._database.dialect)
        holding = conditions.of(query.level, query.keys)
        params = conditions.params
        page = self._sql[query.level].replace(_FILTER, holding)
        rows = await tx.fetch(page, **params, count_max=query.limit + 1, offset=query.offset)
        if len(rows) <= query.limit:
            return rows, 0
        count = self._sql[f"count_{query.level}"].replace(_FILTER, holding)
        seen = query.offset + query.limit
        [counted] = await tx.fetch(count, **params, count_max=seen + COUNT_MAX)
        return rows[: query.limit], cast(int, counted["matches"]) - seen


def _match(level: SearchLevel, row: Row) -> Match:
    told = [cast(bytes, row[one]) for one in ("of_study", "of_series") if one in row]
    syntax = None
    if level is SearchLevel.INSTANCES:
        told.append(write_members(level, instance_texts(row["header"], row["answer"])))
        syntax = row["transfer_syntax"]
    members = read_members(*told)
    put(members, "SpecificCharacterSet", _UTF_8)
    put(members, "InstanceAvailability", _availability(row))
    put(members, "ModalitiesInStudy", *part_values(row["modalities"]))
    put(members, "SOPClassesInStudy", *part_values(row["sop_classes"]))
    put(members, "NumberOfStudyRelatedSeries", row["in_study_series"])
    put(members, "NumberOfStudyRelatedInstances", row["in_study"])
    if level is not SearchLevel.STUDIES:
        in_series = row["in_series" if level is SearchLevel.INSTANCES else "instances"]
        put(members, "NumberOfSeriesRelatedInstances", in_series)
    if syntax is not None:
        put(members, "AvailableTransferSyntaxUID", syntax)
    return Match(resource=_resource(row), members=members)


def _resource(row: Row) -> Resource:
    uids = {
        level: Uid(cast(str, row[f"{level}_uid"]))
        for level in ("study", "series", "instance")
        if f"{level}_uid" in row
    }
    return Resource(**uids)


def _availability(row: Row) -> str:
    """That of what is farthest (PS3.3 §C.4.23.1.1): a PACS must be asked for what is not here."""
    return "ONLINE" if row["stored"] == row["instances"] else "NEARLINE"
