"""What FHIR gives of what is seen: neither the length of a page, nor that there is another, nor
what a document is to others tells of what is hidden."""

from dataclasses import replace

from gateway.errors import NotFound
from indexer.server.columns import patient_of
from indexer.server.custody.stored_queries import StoredQueries
from indexer.server.custody.usher import all_seen, seen
from indexer.server.registry.registry import NOTHING_HELD, HeldEntry, HeldSet, Registry
from indexer.server.rights.rights import Sight
from indexer.wire.fhir.search import EntrySearch
from indexer.wire.fhir.search_controls import PAGE_ENTRIES_MAX
from indexer.wire.fhir.set_search import SetSearch
from indexer.wire.fhir.submitted_document import PLACE


async def seen_entries(
    sight: Sight, registry: Registry, search: EntrySearch
) -> tuple[list[HeldEntry], bool]:
    """One page of entries, and whether there are more."""
    if not sight.hides:
        found, more = await registry.find(sight.tx, search)
        shown = await all_seen(sight, found)
        return shown, more and bool(shown)
    shown, more, after = [], True, search.after
    while more and len(shown) <= search.page_max:
        wide = replace(search, after=after, page_max=PAGE_ENTRIES_MAX)
        found, more = await registry.find(sight.tx, wide)
        shown += await all_seen(sight, found)
        after = found[-1].entry_id if found else None
    page = await _all_as_seen(sight, registry, shown[: search.page_max])
    return page, len(shown) > search.page_max


async def seen_entry(sight: Sight, registry: Registry, entry_id: str) -> HeldEntry:
    """One entry.

    Raises:
        NotFound: there is none, or it is hidden.
    """
    return await as_seen(
        sight, registry, await seen(sight, await registry.entry(sight.tx, entry_id))
    )


async def as_seen(sight: Sight, registry: Registry, held: HeldEntry) -> HeldEntry:
    """An entry that is seen, without its relations to what is hidden."""
    [shown] = await _all_as_seen(sight, registry, [held])
    return shown


async def _all_as_seen(sight: Sight, registry: Registry, held: list[HeldEntry]) -> list[HeldEntry]:
    targets = sorted({target for one in held for target in _targets(one)})
    if not sight.hides or not targets:
        return held
    seen_ids = {
        one.entry_id
        for one in await all_seen(sight, await registry.entries_by_id(sight.tx, targets))
    }
    return [_naming(one, seen_ids) if _targets(one) else one for one in held]


def _targets(held: HeldEntry) -> list[str]:
    relations = held.resource.get("relatesTo", [])
    return [one["target"]["reference"].removeprefix(PLACE) for one in relations]


def _naming(held: HeldEntry, entry_ids: set[str]) -> HeldEntry:
    kept = [
        relation
        for relation, target in zip(held.resource["relatesTo"], _targets(held), strict=True)
        if target in entry_ids
    ]
    rest = {name: value for name, value in held.resource.items() if name != "relatesTo"}
    return replace(held, resource=rest | ({"relatesTo": kept} if kept else {}))


async def seen_sets(
    sight: Sight, registry: Registry, queries: StoredQueries, search: SetSearch
) -> tuple[list[HeldSet], bool]:
    """One page of submission sets without those of their documents that are hidden, and whether
    there are more; a set of which nothing is seen is none.

    Raises:
        NotFound: the page before is not known, or nothing is seen of its end.
    """
    if not sight.hides:
        found, more = await registry.find_sets(sight.tx, search)
        opened = [one for one in found if await sight.opens(patient_of(one.patient_key))]
        return opened, more and bool(opened)
    if search.after is not None and await queries.documents_seen(sight, search.after) is None:
        raise NotFound(NOTHING_HELD)
    shown: list[HeldSet] = []
    more, after = True, search.after
    while more and len(shown) <= search.page_max:
        wide = replace(search, after=after, page_max=PAGE_ENTRIES_MAX)
        found, more = await registry.find_sets(sight.tx, wide)
        for one in found:
            documents = await queries.documents_seen(sight, one.set_id)
            if documents is not None:
                shown.append(one.showing(documents))
        after = found[-1].set_id if found else None
    return shown[: search.page_max], len(shown) > search.page_max
