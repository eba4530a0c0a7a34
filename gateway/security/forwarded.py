"""Whom a proxy speaks for, and at which address it was asked: `Forwarded` (RFC 7239) and
`X-Forwarded-For`, `-Proto`, `-Host` and `-Prefix`.

Anybody can send these headers, so they count from the proxies alone that the centre names. Each
adds what it saw behind what it was told, therefore all is read from its end, as far as one trusted
proxy after another says it. What cannot be read is nobody's word: the caller then is unknown, which
is never this machine, and the address is the gateway's own.
"""

import ipaddress
import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.security.callers import Network

FORWARDED_LENGTH_MAX: Final = 4096
"""Characters of one of these headers, of all its lines together."""
HOPS_MAX: Final = 16
"""Proxies one behind the other."""

BASE_URL: Final = "base_url"
"""Where a request's state has the address at which its client reaches the gateway."""
STANDARD: Final = "Forwarded"
CUSTOMARY: Final = ("X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host")
PREFIX: Final = "X-Forwarded-Prefix"

_TOKEN: Final = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_PAIR: Final = re.compile(rf'({_TOKEN})=(?:({_TOKEN})|"((?:[^"\\]|\\.)*)")', re.ASCII)
_GAP: Final = re.compile(r"[ \t]*([;,])[ \t]*|\Z", re.ASCII)
_NODE: Final = re.compile(
    r"\[([0-9A-Fa-f:.]{2,45})\](?::[0-9]{1,5}|:_[\w.-]+)?"
    r"|([0-9]{1,3}(?:\.[0-9]{1,3}){3})(?::[0-9]{1,5}|:_[\w.-]+)?"
    r"|([0-9A-Fa-f:.]{2,45})",
    re.ASCII,
)
_HOST: Final = re.compile(
    r"(?:[0-9A-Za-z][0-9A-Za-z._-]{0,252}|\[([0-9A-Fa-f:.]{2,45})\])(?::([0-9]{1,5}))?", re.ASCII
)
_PATH: Final = re.compile(r"(?:/(?!\.{1,2}(?:/|\Z))[0-9A-Za-z._~-]{1,64}){1,8}/?", re.ASCII)

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


@dataclass(frozen=True, slots=True, kw_only=True)
class Hop:
    """What one proxy says of who asked it."""

    client: Address | None
    """None where it does not say, or hides it."""
    scheme: str = ""
    host: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What is believed of a request."""

    client: Address | None
    """Who asks; None where it is not known."""
    base_url: str = ""
    """At which address, without a slash at its end; empty where nobody says."""


class Forwarding:
    """Takes the word of some addresses for what they forward.

    Args:
        proxies: the addresses.
        base_url: the gateway's own address, without a slash at its end.
        fixed: whether that holds whatever a proxy says.
    """

    def __init__(self, proxies: Collection[Network], *, base_url: str, fixed: bool) -> None:
        self.proxies = tuple(proxies)
        self._base_url = base_url
        self._fixed = fixed

    def base_url(self, told: Told | None) -> str:
        """At which address the client reaches the gateway, without a slash at its end."""
        said = "" if told is None or self._fixed else told.base_url
        return said or self._base_url

    def read(self, peer: str, headers: Headers) -> Told | None:
        """What is believed of a request; None where it says nothing that counts.

        Args:
            peer: address of whoever the connection is from.
        """
        address = read_node(peer)
        if address is None or not self._trust(address):
            return None
        by_standard, by_custom = self._standard(address, headers), self._customary(address, headers)
        if by_standard is None or by_custom is None:
            return by_standard or by_custom
        # A proxy sets one kind and may pass on the other, which anybody may have written.
        if by_standard.client != by_custom.client:
            return Told(client=None)
        urls = {by_standard.base_url, by_custom.base_url} - {""}
        return Told(client=by_standard.client, base_url=urls.pop() if len(urls) == 1 else "")

    def _trust(self, address: Address) -> bool:
        return any(address in network for network in self.proxies)

    def _standard(self, peer: Address, headers: Headers) -> Told | None:
        text = ", ".join(headers.getlist(STANDARD))
        if not text:
            return None
        hops = read_forwarded(text)
        if hops is None:
            return Told(client=None)
        said, client = self._heeded(peer, hops)
        scheme = next((hop.scheme for hop in reversed(said) if hop.scheme), "")
        host = next((hop.host for hop in reversed(said) if hop.host), "")
        return Told(client=client, base_url=_base_url(scheme, host, headers))

    def _customary(self, peer: Address, headers: Headers) -> Told | None:
        lists = [_listed(headers, name) for name in CUSTOMARY]
        if all(one == [] for one in lists):
            return None
        clients, schemes, hosts = lists
        if clients is None or schemes is None or hosts is None:
            return Told(client=None)
        said, client = self._heeded(peer, [Hop(client=read_node(one)) for one in clients])
        steps = max(1, len(said))
        base_url = _base_url(_step(schemes, steps), _step(hosts, steps), headers)
        return Told(client=client, base_url=base_url)

    def _heeded(self, peer: Address, hops: Sequence[Hop]) -> tuple[list[Hop], Address | None]:
        """What trusted proxies say, the nearest first, and who asked the last of them."""
        said: list[Hop] = []
        client: Address | None = peer
        for hop in reversed(hops[-HOPS_MAX:]):
            if client is None or not self._trust(client):
                break
            said.append(hop)
            client = hop.client
        return said, client if said else None


class Addressed:
    """Tells all that lies behind it who asks, and at which address the client reaches it."""

    def __init__(self, app: ASGIApp, *, forwarding: Forwarding) -> None:
        self._app = app
        self._forwarding = forwarding

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        client, told = scope.get("client"), None
        if client is not None and self._forwarding.proxies:
            told = self._forwarding.read(client[0], Headers(scope=scope))
        if told is not None:
            scope["client"] = None if told.client is None else (str(told.client), 0)
        scope.setdefault("state", {})[BASE_URL] = self._forwarding.base_url(told)
        await self._app(scope, receive, send)


def read_forwarded(text: str) -> list[Hop] | None:
    """The elements of a Forwarded header (RFC 7239 §4); None if it cannot be read."""
    if len(text) > FORWARDED_LENGTH_MAX:
        return None
    hops: list[Hop] = []
    try:
        for pairs in _elements(text):
            hops.append(
                Hop(
                    client=read_node(pairs.get("for", "")),
                    scheme=pairs.get("proto", ""),
                    host=pairs.get("host", ""),
                )
            )
    except ValueError:
        return None
    return hops


def _elements(text: str) -> Iterator[dict[str, str]]:
    """The pairs of each element, names in lower case.

    Raises:
        ValueError: the text is no such list.
    """
    at, pairs = 0, dict[str, str]()
    while True:
        if (pair := _PAIR.match(text, at)) is not None:
            name, plain, quoted = pair.groups()
            if name.lower() in pairs:
                raise ValueError("a parameter is given twice")
            pairs[name.lower()] = plain or re.sub(r"\\(.)", r"\1", quoted or "")
            at = pair.end()
        gap = _GAP.match(text, at)
        if gap is None:
            raise ValueError("neither a pair nor the end of one")
        at = gap.end()
        if gap[1] != ";":
            if pairs:  # a list may hold empty elements (RFC 9110 §5.6.1.2)
                yield pairs
            pairs = {}
        if gap[1] is None:
            return


def read_node(text: str) -> Address | None:
    """An address with or without a port (RFC 7239 §6); None for what is hidden or is none."""
    found = _NODE.fullmatch(text)
    if found is None:
        return None
    try:
        address = ipaddress.ip_address(next(one for one in found.groups() if one))
    except ValueError:
        return None
    # Of IPv4, on a listener of both.
    return getattr(address, "ipv4_mapped", None) or address


def _listed(headers: Headers, name: str) -> list[str] | None:
    """The values of a list, the farthest first; None if it is too long."""
    text = ",".join(headers.getlist(name))
    if len(text) > FORWARDED_LENGTH_MAX:
        return None
    return [one.strip() for one in text.split(",")] if text else []


def _step(values: Sequence[str], steps: int) -> str:
    """What the proxy so many steps away said. One that sets a header alone leaves one value in it,
    however many are behind it; those that add to it leave one each."""
    return values[-min(steps, len(values))] if values else ""


def _base_url(scheme: str, host: str, headers: Headers) -> str:
    """The address that is made of these; empty where they tell none, or none that can be."""
    prefixes = _listed(headers, PREFIX)
    if not (scheme or host) or prefixes is None or len(prefixes) > 1:
        return ""
    scheme, host = scheme.lower() or "http", host or headers.get("host", "")
    prefix = prefixes[0] if prefixes else ""
    if scheme not in ("http", "https") or not _is_host(host):
        return ""
    if prefix not in ("", "/") and not _PATH.fullmatch(prefix):
        return ""
    return f"{scheme}://{host}{prefix.rstrip('/')}"


def _is_host(text: str) -> bool:
    found = _HOST.fullmatch(text)
    if found is None:
        return False
    address, port = found.groups()
    if address is not None and read_node(address) is None:
        return False
    return port is None or 0 < int(port) < 65536
