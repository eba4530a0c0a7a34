"""Puts together who has each PACS send what it holds."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from typing import Final

import aiohttp

from gateway.catalogue.classes import Sender
from gateway.dicomweb.client import WadoClient
from gateway.dimse.move_mediator import MoveMediator
from gateway.dimse.receiving import Spooling
from gateway.dimse.requestor import PacsRequestor
from gateway.retrieval.sources.get import ClassSeeker, GetPuller
from gateway.retrieval.sources.pull import MovePuller, Puller
from gateway.retrieval.sources.store import KnownImages
from gateway.retrieval.sources.wado import WadoPuller
from gateway.settings import MIB, PacsSettings, RetrieveBy, Settings
from gateway.storage.objects import ObjectStore

WRITERS: Final = 4
"""Threads that write what is got; what is moved is written by those of the listener."""


class PacsSending:
    """Has each PACS send as its setting `retrieve` says."""

    def __init__(
        self,
        stack: AsyncExitStack,
        settings: Settings,
        objects: ObjectStore,
        mediator: MoveMediator,
    ) -> None:
        self._stack = stack
        self._settings = settings
        self._mediator = mediator
        writers = ThreadPoolExecutor(WRITERS, thread_name_prefix="got")
        stack.callback(writers.shutdown, cancel_futures=True)
        self._spooling = Spooling(objects.new_spool, writers)

    def pullers(
        self, requestors: Mapping[str, PacsRequestor], catalogue: KnownImages
    ) -> dict[str, Puller]:
        """Who has each PACS send what the catalogue knows of, by its AE title."""

        def puller(pacs: PacsSettings, requestor: PacsRequestor) -> Puller:
            if pacs.retrieve is RetrieveBy.GET:
                return GetPuller(requestor, catalogue, self._spooling)
            return self.sender(pacs, requestor)

        return {one.ae_title: puller(one, requestors[one.ae_title]) for one in self._settings.pacs}

    def sender(self, pacs: PacsSettings, requestor: PacsRequestor) -> Sender:
        """Who has it send instances of which not even the classes are known."""
        match pacs.retrieve:
            case RetrieveBy.MOVE:
                return MovePuller(self._mediator, requestor)
            case RetrieveBy.GET:
                return ClassSeeker(requestor, self._spooling)
            case RetrieveBy.WADO:
                session = session_towards(self._settings, pacs)
                self._stack.push_async_callback(session.close)
                return WadoPuller(
                    WadoClient(session, pacs.wado_url),
                    pacs_ae=pacs.ae_title,
                    turns=requestor.turns,
                    spooling=self._spooling,
                    bytes_max=self._settings.instance_mib_max * MIB,
                )


def session_towards(settings: Settings, pacs: PacsSettings) -> aiohttp.ClientSession:
    """Connections to the DICOMweb services of a PACS, and what is shown on them.

    By https the gateway shows its certificate and trusts its own authorities, where it has them,
    and else those of the system.
    """
    tls = settings.tls_context_as_client()
    authorization = pacs.wado_authorization.get_secret_value()
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=pacs.associations_max, ssl=tls or True),
        headers={"Authorization": authorization} if authorization else {},
        cookie_jar=aiohttp.DummyCookieJar(),
    )
