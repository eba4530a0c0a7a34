"""What to ask of which PACS, so that what is not here comes."""

from collections.abc import Iterable, Set
from dataclasses import dataclass
from typing import Final

from gateway.model.image import KnownImage
from gateway.model.resource import Resource
from indexer.contract.identifiers import Uid

SINGLY_MAX: Final = 4
"""Instances that are pulled one by one where the rest of their series is here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pull:
    """What is to come from one PACS."""

    pacs: str
    """Its AE title."""
    wanted: Resource
    """A series, or an instance."""
    shown: frozenset[Uid]
    """The instances of it that may be shown."""
    needed: frozenset[Uid]
    """Those of them that are not here."""


def pulls_of(wanted: Resource, known: Iterable[KnownImage], missing: Set[Uid]) -> list[Pull]:
    """What brings the missing instances of a series, or of an instance.

    Args:
        known: all that is known of it.
    """
    by_pacs: dict[str, set[Uid]] = {}
    for image in known:
        if image.pacs:
            by_pacs.setdefault(image.pacs, set()).add(image.description.instance)
    pulls = []
    for pacs, shown in sorted(by_pacs.items()):
        needed = frozenset(shown & missing)
        if len(needed) <= SINGLY_MAX and len(needed) < len(shown):
            pulls += [_of_one(pacs, wanted, instance) for instance in sorted(needed)]
        elif needed:
            pulls.append(Pull(pacs=pacs, wanted=wanted, shown=frozenset(shown), needed=needed))
    return pulls


def _of_one(pacs: str, series: Resource, instance: Uid) -> Pull:
    alone = frozenset({instance})
    wanted = Resource(study=series.study, series=series.series, instance=instance)
    return Pull(pacs=pacs, wanted=wanted, shown=alone, needed=alone)
