"""Puts together who has each PACS send what it holds."""

from concurrent.futures import ThreadPoolExecutor
from typing import Final

import aiohttp

from gateway.app.parts import MIB, Parts
from gateway.dicomweb.client import WadoClient
from gateway.dimse.receiving import Spooling
from gateway.retrieval.sources.get import GetPuller
from gateway.retrieval.sources.pull import MovePuller, Puller
from gateway.retrieval.sources.store import KnownImages
from gateway.retrieval.sources.wado import WadoPuller
from gateway.settings import PacsSettings, RetrieveBy, Settings

WRITERS: Final = 4
"""Threads that write what is got; what is moved is written by those of the listener."""


def pullers(parts: Parts, catalogue: KnownImages) -> dict[str, Puller]:
    """Who has each PACS send, by its AE title, as its setting `retrieve` says."""
    settings = parts.settings
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
            case RetrieveBy.WADO:
                session = session_towards(settings, pacs)
                parts.stack.push_async_callback(session.close)
                return WadoPuller(
                    WadoClient(session, pacs.wado_url),
                    pacs_ae=pacs.ae_title,
                    turns=requestor.turns,
                    spooling=spooling,
                    bytes_max=settings.instance_mib_max * MIB,
                )

    return {one.ae_title: puller(one) for one in settings.pacs}


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
