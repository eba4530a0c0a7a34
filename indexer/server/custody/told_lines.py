"""What a journal tells to whom: a line about documents that are hidden from them is none.

A parent would else learn of what a minor keeps from them, also by who came in a secret connection,
and a patient of what nobody has told them yet. So would they from how many documents others found,
which is told where nothing is hidden from anybody. What was tried in vain on what is not there is
told to all.
"""

from collections.abc import Sequence
from dataclasses import replace

import orjson

from indexer.server.acts import Act
from indexer.server.columns import patient_key
from indexer.server.custody.stored_queries import StoredQueries
from indexer.server.custody.usher import all_seen
from indexer.server.journal.chain import Line
from indexer.server.journal.journal import Journal
from indexer.server.registry.registry import Registry
from indexer.server.rights.rights import Sight
from indexer.wire.fhir.journal_search import JournalSearch
from indexer.wire.fhir.search_controls import PAGE_ENTRIES_MAX
from indexer.wire.outcome import Json


class ToldLines:
    """The lines of journals as they are told; each method is one step of a read."""

    def __init__(self, journal: Journal, registry: Registry, queries: StoredQueries) -> None:
        self._journal = journal
        self._registry = registry
        self._queries = queries

    async def find(self, sight: Sight, search: JournalSearch) -> tuple[list[Line], bool]:
        """One page of a record's lines, the latest first, and whether there are more.

        Raises:
            Refusal: who asks may not read it.
        """
        await sight.open(search.patient)
        if not sight.hides:
            return await self._journal.find(sight.tx, search)
        finding, told = replace(sight, act=Act.FIND), list[Line]()
        more, before = True, search.before
        while more and len(told) <= search.lines_max:
            wide = replace(search, before=before, lines_max=PAGE_ENTRIES_MAX)
            found, more = await self._journal.find(sight.tx, wide)
            told += await self._told(finding, found, patient_key(search.patient))
            before = found[-1].position if found else before
        return told[: search.lines_max], len(told) > search.lines_max

    async def _told(self, sight: Sight, lines: Sequence[Line], owner: str) -> list[Line]:
        events: list[Json] = [orjson.loads(one.event) for one in lines]
        named = sorted({entry for event in events for entry in event.get("entries", ())})
        held = await self._registry.entries_by_id(sight.tx, named)
        seen = {one.entry_id for one in await all_seen(sight, held)}
        hidden = {one.entry_id for one in held if one.patient_key == owner} - seen
        told = []
        for line, event in zip(lines, events, strict=True):
            if event.get("who", {}).get("secret") and not sight.shares_secrets:
                continue
            entries = event.get("entries", [])
            kept = [one for one in entries if one not in hidden]
            if (entries and not kept) or not (entries or await self._is_set_seen(sight, event)):
                continue
            shown = {name: value for name, value in event.items() if name != "found"}
            shown |= {"entries": kept} if kept else {}
            told.append(replace(line, event=orjson.dumps(shown)))
        return told

    async def _is_set_seen(self, sight: Sight, event: Json) -> bool:
        """Whether something is seen of the submission set that a line names, if it names one."""
        if "set" not in event:
            return True
        return await self._queries.documents_seen(sight, event["set"]) is not None
