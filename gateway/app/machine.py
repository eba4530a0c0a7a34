"""Looks at the machine that the gateway runs on: its folder, ports, certificates and settings."""

import asyncio
import fcntl
import os
import re
import shutil
import ssl
import tempfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from errno import EACCES, EADDRINUSE
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

from gateway.clock import Clock, at
from gateway.connections import listen, why_no_tls
from gateway.health import Finding, Probe, State
from gateway.security.policy import is_loopback
from gateway.security.tls import client_context, server_context
from gateway.settings import Settings
from gateway.storage.lock import LOCK_FILE

GIB: Final = 2**30
FREE_BYTES_FEW: Final = 10 * GIB
FREE_BYTES_MIN: Final = GIB
EXPIRY_DAYS_FEW: Final = 30
_HANDSHAKE_STEPS_MAX: Final = 10

# Kind digit and number (TRE_G07): 1 FINESS, 2 SIREN, 3 SIRET; others are of any form.
_ORGANISATION = re.compile(r"1[0-9][0-9AB][0-9]{7}|2[0-9]{9}|3[0-9]{14}|[04][0-9A-Z]{5,20}")


def machine_probes(settings: Settings, clock: Clock) -> dict[str, Probe]:
    """What holds whether a gateway runs here or not."""
    probes: dict[str, Callable[[], list[Finding]]] = {
        "data folder": lambda: _folder(settings.data_dir),
        "time zone": lambda: [_time_zone(settings.time_zone, clock)],
        "organisation": lambda: [_organisation(settings)],
        "public URL": lambda: [_public_url(settings)],
        "certificates": lambda: _certificates(settings, clock),
    }
    return {name: _on_a_thread(look) for name, look in probes.items()}


def port_probes(settings: Settings) -> dict[str, Probe]:
    """Whether the ports are free, or the gateway that runs on the data folder listens there."""

    def probe_of(name: str, port: int) -> Probe:
        def look() -> list[Finding]:
            return [_port(settings, name, port)]

        return _on_a_thread(look)

    doors = {name.removesuffix("_port").upper(): port for name, port in settings.ports.items()}
    return {f"port {name}": probe_of(name, port) for name, port in doors.items()}


def _on_a_thread(look: Callable[[], list[Finding]]) -> Probe:
    async def probe() -> list[Finding]:
        return await asyncio.to_thread(look)

    return probe


def _folder(folder: Path) -> list[Finding]:
    what = "data folder"
    nearest = next(one for one in (folder, *folder.absolute().parents) if one.exists())
    try:
        with tempfile.TemporaryFile(dir=nearest) as file:
            file.write(b"\0")
            file.flush()
            os.fsync(file.fileno())
        free_bytes = shutil.disk_usage(nearest).free
    except OSError as error:
        told = f"it cannot be written: {error.strerror}"
        mend = "let the gateway's user write GATEWAY_DATA_DIR, or free space on its disk"
        return [_found(what, State.FAIL, told, mend)]
    told = f"{free_bytes / GIB:.1f} GiB free"
    state = State.OK
    if free_bytes < FREE_BYTES_FEW:
        state = State.FAIL if free_bytes < FREE_BYTES_MIN else State.WARN
    mend = "free space on the disk of GATEWAY_DATA_DIR, or enlarge it" if state != "ok" else ""
    return [Finding(what=what), _found("free disk", state, told, mend)]


def _time_zone(name: str, clock: Clock) -> Finding:
    now = at(clock()).astimezone(ZoneInfo(name))
    return _found("time zone", State.OK, f"{name}: it is {now:%H:%M} there", "")


def _organisation(settings: Settings) -> Finding:
    what = "organisation"
    if _ORGANISATION.fullmatch(settings.organisation_id):
        return _found(what, State.OK, settings.organisation_id, "")
    told = "GATEWAY_ORGANISATION_ID is no national number of a structure"
    if not settings.organisation_id:
        told = "GATEWAY_ORGANISATION_ID is empty: pointers do not number the structure"
    mend = "set it to the kind's digit and the number, as 1 and the FINESS, or 3 and the SIRET"
    return _found(what, State.WARN, told, mend)


def _public_url(settings: Settings) -> Finding:
    what = "public URL"
    if settings.public_url or not is_loopback(settings.bind):
        return _found(what, State.OK, settings.base_url, "")
    told = f"it is {settings.base_url}, which leads nowhere from another machine"
    return _found(what, State.WARN, told, "set GATEWAY_PUBLIC_URL before the first study goes out")


def _port(settings: Settings, name: str, port: int) -> Finding:
    what, variable = f"port {name}", f"GATEWAY_{name}_PORT"
    if port == 0:
        return _found(what, State.OK, "a free one is taken", "")
    is_at_work = _is_held(settings.data_dir)
    try:
        # Not by a connection, of which the gateway would log that nobody spoke.
        with listen(settings.bind, port):
            pass
    except OSError as error:
        if is_at_work and error.errno in (EADDRINUSE, EACCES):
            is_known = error.errno == EADDRINUSE
            told = f"the gateway listens on {port}" if is_known else f"{port} is for others to try"
            return _found(what, State.OK, told, "")
        told = f"{settings.bind}:{port} cannot be listened on: {error.strerror}"
        mend = f"stop the other program, or set {variable} or GATEWAY_BIND"
        return _found(what, State.FAIL, told, mend)
    if is_at_work:
        told = f"a gateway runs on the data folder and does not listen on {port}"
        return _found(what, State.FAIL, told, f"start it anew with {variable} as it is now")
    return _found(what, State.OK, f"{port} is free", "")


def _is_held(folder: Path) -> bool:
    """Whether a gateway runs on the folder."""
    try:
        with (folder / LOCK_FILE).open("rb") as file:
            # Shared and given back at once: a gateway that starts this instant may be kept out.
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def certificates_in_doubt(settings: Settings, clock: Clock) -> list[Finding]:
    """What of the certificates deserves a look; none of it keeps a gateway from its work today.

    Raises:
        ValueError: its own has expired, or every authority of its peers has.
    """
    doubts = [one for one in _certificates(settings, clock) if one.state is not State.OK]
    for one in doubts:
        if one.state is State.FAIL:
            raise ValueError(f"{one.what}: {one.told}; {one.mend}")
    return doubts


def _certificates(settings: Settings, clock: Clock) -> list[Finding]:
    if not (settings.tls_certificate and settings.tls_key and settings.tls_ca):
        return [_found("certificates", State.OK, "none is set: no TLS", "")]
    certificate, key, ca = settings.tls_certificate, settings.tls_key, settings.tls_ca
    own = _own_certificate(certificate, key, at(clock()))
    found = [own, *_authorities(ca, at(clock()))]
    if all(one.state is not State.FAIL for one in found):
        files = {"certificate": certificate, "key": key, "ca": ca}
        found.append(_chain(files, is_shown_by_a_client=bool(settings.peers_by_tls)))
    return found


def _own_certificate(certificate: Path, key: Path, now: datetime) -> Finding:
    what = "certificate"
    mend = "have the centre's authority give out a new one for GATEWAY_TLS_CERTIFICATE"
    try:
        shown = _shown_to_a_peer(certificate, key)
    except (OSError, ValueError) as error:
        return _found(what, State.FAIL, f"{certificate} cannot be used: {why_no_tls(error)}", mend)
    return _expiry(what, certificate, str(shown["notAfter"]), now, mend)


def _shown_to_a_peer(certificate: Path, key: Path) -> dict[str, object]:
    """What a peer reads of the certificate that trusts it already.

    Raises:
        OSError: a file cannot be used, the key is another's, or a peer would not take it today.
    """
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(certificate, key, password=lambda: "")
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname = False
    client.load_verify_locations(cafile=certificate)
    client.verify_flags |= ssl.VerifyFlags.VERIFY_X509_PARTIAL_CHAIN  # its authority is not here
    return _shake_hands(client, server)


def _chain(files: Mapping[str, Path], *, is_shown_by_a_client: bool) -> Finding:
    """Whether a peer that trusts the same authorities would take the certificate."""
    what = "certificate chain"
    server, client = server_context(**files), client_context(**files)
    if not is_shown_by_a_client:  # then it need not be good for that
        server.verify_mode = ssl.CERT_NONE
    try:
        _shake_hands(client, server)
    except OSError as error:
        told = f"peers that trust GATEWAY_TLS_CA alone do not take it: {why_no_tls(error)}"
        mend = (
            "put the intermediate certificates after its own into GATEWAY_TLS_CERTIFICATE, or see "
            "that peers trust the authority that gave it out"
        )
        return _found(what, State.WARN, told, mend)
    return Finding(what=what)


def _shake_hands(client: ssl.SSLContext, server: ssl.SSLContext) -> dict[str, object]:
    """What the client reads of the server's certificate, by a handshake in memory.

    Raises:
        OSError: one does not take the other.
    """
    to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = (
        client.wrap_bio(to_client, to_server),
        server.wrap_bio(to_server, to_client, server_side=True),
    )
    for _ in range(_HANDSHAKE_STEPS_MAX):
        for end in ends:
            with suppress(ssl.SSLWantReadError):
                end.do_handshake()
    return dict(ends[0].getpeercert() or {})


def _authorities(ca: Path, now: datetime) -> list[Finding]:
    what = "authorities of peers"
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        context.load_verify_locations(cafile=ca)
    except OSError as error:
        told = f"GATEWAY_TLS_CA cannot be used: {why_no_tls(error)}"
        return [_found(what, State.FAIL, told, "name a PEM file of authorities' certificates")]
    known = context.get_ca_certs()
    if not known:
        told = "GATEWAY_TLS_CA holds no certificate of an authority"
        return [_found(what, State.FAIL, told, "name a PEM file of authorities' certificates")]
    mend = "add the authority's new certificate to GATEWAY_TLS_CA"
    expiries = [_expiry(what, ca, str(one["notAfter"]), now, mend) for one in known]
    if any(one.state is not State.FAIL for one in expiries):  # those of the others still come in
        expiries = [
            replace(one, state=min(one.state, State.WARN, key=[*State].index)) for one in expiries
        ]
    return [one for one in expiries if one.state != State.OK] or expiries[:1]


def _expiry(what: str, file: Path, not_after: str, now: datetime, mend: str) -> Finding:
    ends = datetime.fromtimestamp(ssl.cert_time_to_seconds(not_after), UTC)
    days = (ends - now).days
    if ends <= now:
        return _found(what, State.FAIL, f"{file} expired on {ends:%Y-%m-%d}", mend)
    told = f"{file} expires on {ends:%Y-%m-%d}, in {days} days"
    if days < EXPIRY_DAYS_FEW:
        return _found(what, State.WARN, told, mend)
    return _found(what, State.OK, told, "")


def _found(what: str, state: State, told: str, mend: str) -> Finding:
    return Finding(what=what, state=state, told=told, mend=mend)
