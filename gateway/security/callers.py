"""Who may open a DICOM association: AE titles, and the addresses that they are used from."""

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

_AE_TITLE = re.compile(r"[\x21-\x3f\x41-\x5b\x5d-\x7e]{1,16}")  # of PS3.5 §6.2, but for "@"

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, slots=True)
class Caller:
    """An AE title that may associate, from one network or from anywhere."""

    ae_title: str
    network: Network | None = None

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `AE`, `AE@address` or `AE@network/bits`.

        Raises:
            ValueError: it is none of these.
        """
        ae_title, at, place = text.partition("@")
        if not _AE_TITLE.fullmatch(ae_title):
            raise ValueError("no AE title: 1 to 16 characters, and an address only after an @")
        try:
            return cls(ae_title, ipaddress.ip_network(place) if at else None)
        except ValueError:
            raise ValueError("no address or network after the @: write CT1@10.20.0.0/24") from None


class Callers:
    """All who may associate. A title that is bound to networks is good from there alone, whatever
    else names it."""

    def __init__(self, callers: Iterable[Caller]) -> None:
        self._networks: dict[str, list[Network]] = {}
        for caller in callers:
            bound = self._networks.setdefault(caller.ae_title, [])
            if caller.network is not None:
                bound.append(caller.network)

    def admits(self, ae_title: str, address: str) -> bool:
        """Whether this title may be used from this address."""
        bound = self._networks.get(ae_title)
        if not bound:
            return bound is not None
        from_ = ipaddress.ip_address(address.partition("%")[0])
        mapped = getattr(from_, "ipv4_mapped", None)  # of IPv4, on a listener of both
        return any((mapped or from_) in network for network in bound)
