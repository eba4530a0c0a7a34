"""Pages of a search, filled with what is seen alone: neither the length of one nor that there is
another tells of what is hidden."""

from dataclasses import replace

from gateway.errors import NotFound
from indexer.server.registry import NOTHING_HELD, HeldEntry, HeldSet, Registry
from indexer.server.rights.rights import Sight
from indexer.server.stored_queries import StoredQueries
from indexer.server.usher import all_seen
from indexer.wire.search import EntrySearch
from indexer.wire.search_controls import PAGE_ENTRIES_MAX
from indexer.wire.set_search import SetSearch


async def seen_entries(
    sight: Sight, registry: Registry, search: EntrySearch
) -> tuple[list[HeldEntry], bool]:
    """One page of entries, and whether there are more."""
    if not sight.hides:
        found, more = await registry.find(sight.tx, search)
        shown = await all_seen(sight, found)
        return shown, more and bool(shown)
    shown, more, after = [], True, search.after
    while more and len(shown) <= search.entries_max:
        wide = replace(search, after=after, entries_max=PAGE_ENTRIES_MAX)
        found, more = await registry.find(sight.tx, wide)
        shown += await all_seen(sight, found)
        after = found[-1].entry_id if found else None
    return shown[: search.entries_max], len(shown) > search.entries_max


async def seen_sets(
    sight: Sight, registry: Registry, queries: StoredQueries, search: SetSearch
) -> tuple[list[HeldSet], bool]:
    """One page of submission sets without those of their documents that are hidden, and whether
    there are more; a set of which nothing is seen is none.

    Raises:
        NotFound: the page before is not known, or nothing is seen of its end.
    """
    if not sight.hides:
        return await registry.find_sets(sight.tx, search)
    if search.after is not None and await queries.documents_seen(sight, search.after) is None:
        raise NotFound(NOTHING_HELD)
    shown: list[HeldSet] = []
    more, after = True, search.after
    while more and len(shown) <= search.sets_max:
        wide = replace(search, after=after, sets_max=PAGE_ENTRIES_MAX)
        found, more = await registry.find_sets(sight.tx, wide)
        for one in found:
            seen = await queries.documents_seen(sight, one.set_id)
            if seen is not None:
                shown.append(one.showing(seen))
        after = found[-1].set_id if found else None
    return shown[: search.sets_max], len(shown) > search.sets_max
