"""Looks at the gateway's neighbours: each PACS, who sends HL7, a database server."""

from collections.abc import Mapping
from typing import Final

from gateway.app.parts import listener_of
from gateway.app.pulling import session_towards
from gateway.dicomweb.client import WadoClient
from gateway.dimse.event_reports import try_listener
from gateway.dimse.negotiation import STORAGE_COMMITMENT
from gateway.dimse.requestor import PacsRequestor
from gateway.dimse.scu import PacsAbilities
from gateway.errors import (
    GatewayError,
    PacsBusy,
    PacsUnavailable,
    PacsUnreachable,
    StorageUnavailable,
    Unavailable,
)
from gateway.health import Finding, Probe, State
from gateway.retrieval.sources.wado import try_wado
from gateway.settings import DicomPeer, PacsSettings, RetrieveBy, Settings
from gateway.storage.postgresql_connection import look_at

_MEND_TLS_WEB: Final = "check its certificate against GATEWAY_TLS_CA, or the system's authorities"
_MEND_TLS: Final = "check that it listens for TLS, and the certificates of both sides"


def pacs_probes(settings: Settings, requestors: Mapping[str, PacsRequestor]) -> dict[str, Probe]:
    """One for each PACS; one finding where there is none."""

    def probe_of(one: PacsSettings) -> Probe:
        async def probe() -> list[Finding]:
            found = await _pacs(one, requestors[one.ae_title], our_title=settings.ae_title)
            return [*found, await _wado(settings, one)] if one.wado_url else found

        return probe

    async def none() -> list[Finding]:
        told = "none is set: only what is pushed to the gateway can be published and served"
        mend = "name the centre's PACS in GATEWAY_PACS, if it has one"
        return [Finding(what="PACS", state=State.WARN, told=told, mend=mend)]

    if not settings.pacs:
        return {"PACS": none}
    return {f"PACS {one.ae_title}": probe_of(one) for one in settings.pacs}


async def _pacs(one: PacsSettings, requestor: PacsRequestor, *, our_title: str) -> list[Finding]:
    name, place = f"PACS {one.ae_title}", f"{one.host}:{one.port}"
    try:
        abilities = await requestor.examine()
    except PacsBusy as error:
        return [Finding(what=name, state=State.WARN, told=str(error), mend="look again later")]
    except PacsUnreachable as error:
        told = f"{place}: {error}"
        mend = "check host and port in GATEWAY_PACS, that the PACS runs, and the firewalls between"
        if one.tls:
            told += ", or it does not come to terms by TLS"
            mend += f"; {_MEND_TLS}"
        return [_fail(f"{name}, connection", told, mend)]
    except PacsUnavailable as error:
        mend = (
            f"check that {place} is its DICOM port and {one.ae_title} its own AE title, and have "
            f"it know the AE title {our_title} with this machine's address"
        )
        connected = Finding(what=f"{name}, connection")
        return [connected, _fail(f"{name}, association", str(error), mend)]
    return [
        Finding(what=f"{name}, connection"),
        Finding(what=f"{name}, association"),
        *_services(name, abilities, our_title),
        *_retrieval(name, abilities, one.retrieve, our_title),
    ]


async def _wado(settings: Settings, one: PacsSettings) -> Finding:
    what = f"PACS {one.ae_title}, WADO-RS"
    async with session_towards(settings, one) as session:
        try:
            is_found = await try_wado(WadoClient(session, one.wado_url))
        except GatewayError as error:
            mend = "check wado_url and wado_authorization in GATEWAY_PACS, and that the PACS runs"
            mend += f"; {_MEND_TLS_WEB}" if one.wado_url.startswith("https") else ""
            return _fail(what, f"it {error}", mend)
    if is_found:
        return Finding(what=what)
    told = "it has no study, and no search (QIDO-RS) at /studies below wado_url either"
    mend = "check that wado_url is the root of its services, such as https://pacs/dicom-web"
    return Finding(what=what, state=State.WARN, told=told, mend=mend)


def _services(name: str, abilities: PacsAbilities, our_title: str) -> list[Finding]:
    echo, find = Finding(what=f"{name}, C-ECHO"), Finding(what=f"{name}, C-FIND")
    if not abilities.echoes:
        told = "it does not answer C-ECHO"
        echo = Finding(what=echo.what, state=State.WARN, told=told, mend="ask who runs the PACS")
    if not abilities.finds:
        told = abilities.refusal or "it takes C-FIND in neither Study Root nor Patient Root"
        find = _fail(find.what, told, f"have the PACS allow {our_title} to query it")
    return [echo, find]


def _retrieval(
    name: str, abilities: PacsAbilities, by: RetrieveBy, our_title: str
) -> list[Finding]:
    """Whether it takes what its instances are pulled by; WADO-RS is no service of DIMSE."""
    match by:
        case RetrieveBy.MOVE:
            service, is_taken = "C-MOVE", abilities.moves
            mend = f"have the PACS allow {our_title} to retrieve, with itself as destination"
        case RetrieveBy.GET:
            service, is_taken = "C-GET", abilities.gets
            mend = (
                f"have the PACS allow {our_title} to retrieve by C-GET, or set `retrieve` to move"
            )
        case RetrieveBy.WADO:
            return []
    what = f"{name}, {service}"
    if is_taken:
        return [Finding(what=what)]
    return [_fail(what, f"it takes {service} in neither Study Root nor Patient Root", mend)]


def commitment_probes(settings: Settings) -> dict[str, Probe]:
    """Whether those who ask for storage commitment could be told its result."""

    def probe_of(one: DicomPeer) -> Probe:
        async def probe() -> list[Finding]:
            what = f"commitment peer {one.ae_title}"
            try:
                await try_listener(
                    listener_of(settings, one),
                    STORAGE_COMMITMENT,
                    calling_ae=settings.ae_title,
                    called_ae=one.ae_title,
                )
            except Unavailable as error:  # a modality may be switched off now
                mend = (
                    "check it in GATEWAY_COMMITMENT_PEERS, that it runs, and that it knows the AE "
                    f"title {settings.ae_title}; results wait 72 h meanwhile"
                )
                mend += f"; {_MEND_TLS}" if one.tls else ""
                return [Finding(what=what, state=State.WARN, told=str(error), mend=mend)]
            return [Finding(what=what)]

        return probe

    return {f"commitment peer {one.ae_title}": probe_of(one) for one in settings.commitment_peers}


def sender_probes(settings: Settings, *, is_open: bool) -> dict[str, Probe]:
    """Whether anybody may tell of reports.

    Args:
        is_open: whether the gateway lets in everyone on this machine.
    """
    what = "HL7 senders"

    async def probe() -> list[Finding]:
        if settings.hl7_senders or is_open:
            return [Finding(what=what)]
        told = "no address may send HL7 messages, so no report comes"
        mend = "name the addresses of the RIS in GATEWAY_HL7_SENDERS"
        return [Finding(what=what, state=State.WARN, told=told, mend=mend)]

    return {what: probe}


def database_probes(settings: Settings) -> dict[str, Probe]:
    """One where the rows are on a server; a gateway at work may be writing there."""
    if not settings.database_url:
        return {}
    url = settings.database_url.get_secret_value()

    async def probe() -> list[Finding]:
        try:
            return [Finding(what="database", told=await look_at(url))]
        except StorageUnavailable as error:
            mend = "check GATEWAY_DATABASE_URL, that the server runs, and the firewalls between"
            return [_fail("database", str(error), mend)]

    return {"database": probe}


def _fail(what: str, told: str, mend: str) -> Finding:
    return Finding(what=what, state=State.FAIL, told=told, mend=mend)
