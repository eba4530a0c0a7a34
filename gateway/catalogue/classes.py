"""Learns the SOP class of instances whose PACS does not tell it.

It is an optional key of C-FIND (PS3.4 §C.6.1.1.5), which IHE asks of every PACS (RAD-14) and some
leave out. A manifest must name it, and each C-STORE does; so such a PACS is asked to send, once,
the series of which a class is not known yet. What comes is not kept.
"""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence, Set
from contextlib import AbstractAsyncContextManager
from typing import Final, Protocol

from gateway.catalogue.listing import Texts
from gateway.dimse.commands import StoreRequest
from gateway.dimse.turns import Lane
from gateway.errors import PacsAnswerUnreadable
from gateway.model.resource import Resource
from indexer.contract.errors import InvalidValue
from indexer.contract.identifiers import Uid

_CLASS: Final = "SOPClassUID"

KnownClasses = Callable[[Uid], Awaitable[Mapping[str, str]]]
"""SOP class by instance, of what is known of a study."""


class Sender(Protocol):
    """Has one PACS send."""

    def open(
        self, wanted: Resource, *, lane: Lane
    ) -> AbstractAsyncContextManager[AsyncIterator[StoreRequest]]:
        """Have it send a series, and iterate what arrives; who takes it removes its file.

        Raises:
            PacsUnavailable: by the iteration: it does not send.
        """


class ClassLearner:
    """Completes what a PACS tells of instances.

    Args:
        sender: has this PACS send, as it sends to viewers.
        known: tells the classes that need not be learned again.
    """

    def __init__(self, sender: Sender, known: KnownClasses) -> None:
        self._sender = sender
        self._known = known

    async def complete(self, study: Uid, told: Sequence[Texts]) -> Sequence[Texts]:
        """The same, each with its SOP class, but for instances that the PACS does not send.

        Raises:
            PacsUnavailable: the PACS does not send.
            PacsAnswerUnreadable: it tells of a series by no UID.
        """
        if all(_CLASS in one for one in told):
            return told
        classes = dict(await self._known(study))
        for series, instances in _unknown(told, classes).items():
            classes |= await self._sent(study, series, instances)
        return [_completed(one, classes) for one in told]

    async def _sent(self, study: Uid, series: Uid, instances: Set[str]) -> dict[str, str]:
        classes: dict[str, str] = {}
        wanted = Resource(study=study, series=series)
        async with self._sender.open(wanted, lane=Lane.LEARNER) as arrivals:
            async for arrival in arrivals:
                classes[arrival.sop_instance] = arrival.sop_class
                if not arrival.in_memory:
                    await asyncio.to_thread(arrival.spooled.unlink, missing_ok=True)
                if instances <= classes.keys():
                    break
        return classes


def _unknown(told: Sequence[Texts], classes: Mapping[str, str]) -> dict[Uid, set[str]]:
    """Instances whose class is not known, by their series."""
    unknown: dict[str, set[str]] = defaultdict(set)
    for one in told:
        instance = one.get("SOPInstanceUID", "")
        if _CLASS not in one and instance not in classes:
            unknown[one.get("SeriesInstanceUID", "")].add(instance)
    try:
        return {Uid(series): unknown[series] for series in sorted(unknown)}
    except InvalidValue as error:
        raise PacsAnswerUnreadable(f"the PACS tells of a series whose UID is {error}") from None


def _completed(one: Texts, classes: Mapping[str, str]) -> Texts:
    learned = classes.get(one.get("SOPInstanceUID", ""))
    return one if _CLASS in one or learned is None else {**one, _CLASS: learned}
