"""Puts together who has each PACS send what it holds."""

from concurrent.futures import ThreadPoolExecutor
from typing import Final

from gateway.app.parts import Parts
from gateway.dimse.receiving import Spooling
from gateway.retrieval.sources.get import GetPuller
from gateway.retrieval.sources.pull import MovePuller, Puller
from gateway.retrieval.sources.store import KnownImages
from gateway.settings import PacsSettings, RetrieveBy

WRITERS: Final = 4
"""Threads that write what is got; what is moved is written by those of the listener."""


def pullers(parts: Parts, catalogue: KnownImages) -> dict[str, Puller]:
    """Who has each PACS send, by its AE title, as its setting `retrieve` says."""
    writers = ThreadPoolExecutor(WRITERS, thread_name_prefix="got")
    parts.stack.callback(writers.shutdown, cancel_futures=True)
    spooling = Spooling(parts.objects.new_spool, writers)

    def puller(pacs: PacsSettings) -> Puller:
        requestor = parts.requestors[pacs.ae_title]
        match pacs.retrieve:
            case RetrieveBy.MOVE:
                return MovePuller(parts.mediator, requestor)
            case RetrieveBy.GET:
                return GetPuller(requestor, catalogue, spooling)

    return {one.ae_title: puller(one) for one in parts.settings.pacs}
