"""Learns the SOP class of instances whose PACS does not tell it.

It is an optional key of C-FIND (PS3.4 §C.6.1.1.5), which IHE asks of every PACS (RAD-14) and some
leave out. A manifest must name it, and each C-STORE does; so such a PACS is asked to send, once,
the series of which a class is not known yet. What comes is not kept.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final

from gateway.catalogue.listing import Texts
from gateway.dimse.move_mediator import MoveMediator
from gateway.dimse.scu import DimseRequestor
from gateway.dimse.turns import Lane
from gateway.errors import PacsAnswerUnreadable
from gateway.model.resource import Resource
from indexer.contract.errors import InvalidValue
from indexer.contract.identifiers import Uid

_CLASS: Final = "SOPClassUID"

KnownClasses = Callable[[Uid], Awaitable[Mapping[str, str]]]
"""SOP class by instance, of what is known of a study."""


class ClassLearner:
    """Completes what a PACS tells of instances.

    Args:
        known: tells the classes that need not be learned again.
    """

    def __init__(self, mediator: MoveMediator, known: KnownClasses) -> None:
        self._mediator = mediator
        self._known = known

    async def complete(
        self, pacs: DimseRequestor, study: Uid, told: Sequence[Texts]
    ) -> Sequence[Texts]:
        """The same, each with its SOP class, but for instances that the PACS does not send.

        Raises:
            PacsUnavailable: the PACS does not send.
            PacsAnswerUnreadable: it tells of a series by no UID.
        """
        if all(_CLASS in one for one in told):
            return told
        classes = dict(await self._known(study))
        for series in _unknown_series(told, classes):
            classes |= await self._sent(pacs, study, series)
        return [_completed(one, classes) for one in told]

    async def _sent(self, pacs: DimseRequestor, study: Uid, series: Uid) -> dict[str, str]:
        classes: dict[str, str] = {}
        wanted = Resource(study=study, series=series)
        async with self._mediator.move(pacs, wanted, lane=Lane.LEARNER) as arrivals:
            async for arrival in arrivals:
                classes[arrival.sop_instance] = arrival.sop_class
                await asyncio.to_thread(arrival.spooled.unlink, missing_ok=True)
        return classes


def _unknown_series(told: Sequence[Texts], classes: Mapping[str, str]) -> list[Uid]:
    unknown = {
        one.get("SeriesInstanceUID", "")
        for one in told
        if _CLASS not in one and one.get("SOPInstanceUID") not in classes
    }
    try:
        return [Uid(series) for series in sorted(unknown)]
    except InvalidValue as error:
        raise PacsAnswerUnreadable(f"the PACS tells of a series whose UID is {error}") from None


def _completed(one: Texts, classes: Mapping[str, str]) -> Texts:
    learned = classes.get(one.get("SOPInstanceUID", ""))
    return one if _CLASS in one or learned is None else {**one, _CLASS: learned}
