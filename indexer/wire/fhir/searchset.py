"""The Bundle that answers a search, written and read."""

from collections.abc import Iterable

from indexer.wire.fhir.elements import Element
from indexer.wire.outcome import Json


def searchset(
    resources: Iterable[tuple[str, object]], *, self_url: str, next_url: str, whole: bool = False
) -> Json:
    """The answer to a search.

    Args:
        resources: the address and the resource of each match, in their order.
        self_url: what was asked.
        next_url: where the next page is, empty if this is the last.
        whole: this is the first page, so that what it has is all there is if no other follows.
    """
    links = [{"relation": "self", "url": self_url}]
    if next_url:
        links.append({"relation": "next", "url": next_url})
    entries = [
        {"fullUrl": url, "resource": resource, "search": {"mode": "match"}}
        for url, resource in resources
    ]
    bundle: Json = {"resourceType": "Bundle", "type": "searchset"}
    if whole and not next_url:
        bundle["total"] = len(entries)
    bundle["link"] = links
    if entries:  # FHIR has no empty lists
        bundle["entry"] = entries
    return bundle


def read_searchset(resource: object) -> tuple[list[Element], str | None]:
    """The DocumentReferences of a page, unread, and the address of the next page if there is one.

    Raises:
        Refusal: this is no searchset.
    """
    bundle = Element(resource, "Bundle")
    bundle.expect("resourceType", "Bundle")
    bundle.expect("type", "searchset")
    found = [entry.child("resource") for entry in bundle.children("entry")]
    following = [
        link.text("url") for link in bundle.children("link") if link.text("relation") == "next"
    ]
    matches = [one for one in found if one.text("resourceType") == "DocumentReference"]
    return matches, following[0] if following else None
