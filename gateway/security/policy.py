"""The one seam at which access is decided; nothing is read or asked before it.

Two policies exist until people and their rights are known: one lets everyone in, and is for
loopback only; the other lets in the configured machines of the centre, and nobody over HTTP.
"""

import ipaddress
from dataclasses import dataclass
from typing import Final, Protocol

from gateway.errors import Unauthenticated
from gateway.model.access import ANYONE, AccessContext
from gateway.model.resource import Resource
from gateway.security.callers import Callers
from indexer.contract.identifiers import INS_NIR_DEMO, INS_NIR_TEST, Ins


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Policy's answer; the reason holds no patient data and may be shown to the caller."""

    permitted: bool
    reason: str = ""


PERMITTED = Verdict(permitted=True)


class Policy(Protocol):
    """Decides for every door."""

    @property
    def more_ins_oids(self) -> frozenset[str]:
        """Authorities whose INS are taken beside those of the settings."""

    def authenticate(self, authorization: str | None) -> AccessContext:
        """Who the caller of an HTTP request is, from its Authorization header.

        Raises:
            Unauthenticated: the caller does not show who it is.
        """

    async def decide(self, access: AccessContext, target: Resource | Ins) -> Verdict:
        """May the caller have this resource, or search this patient's pointers?"""

    def admits_association(self, calling_ae: str, address: str) -> bool:
        """May this application entity associate?"""

    def admits_sender(self, address: str) -> bool:
        """May this address send HL7 messages?"""

    def admits_news(self, access: AccessContext) -> bool:
        """May this caller of HTTP push instances, or tell of studies?"""


class OpenAccess:
    """Everyone may do everything, from this machine: for tests and demonstrations."""

    more_ins_oids: Final = frozenset({INS_NIR_TEST, INS_NIR_DEMO})

    def authenticate(self, authorization: str | None) -> AccessContext:
        """Nobody has to say who they are; a header, even a wrong one, is ignored."""
        return ANYONE

    async def decide(self, access: AccessContext, target: Resource | Ins) -> Verdict:
        """Everything is permitted."""
        return PERMITTED

    def admits_association(self, calling_ae: str, address: str) -> bool:
        """Any title, from loopback."""
        return is_loopback(address)

    def admits_sender(self, address: str) -> bool:
        """Anyone on loopback."""
        return is_loopback(address)

    def admits_news(self, access: AccessContext) -> bool:
        """Anyone."""
        return True


class RefuseAll:
    """Nobody gets anything over HTTP; the centre's own machines may bring news."""

    more_ins_oids: Final[frozenset[str]] = frozenset()

    def __init__(self, *, callers: Callers, hl7_senders: frozenset[str]) -> None:
        self._callers = callers
        self._hl7_senders = hl7_senders

    def authenticate(self, authorization: str | None) -> AccessContext:
        """No way to say who one is exists yet, so nobody is known."""
        raise Unauthenticated("authentication is required")

    async def decide(self, access: AccessContext, target: Resource | Ins) -> Verdict:
        """Nothing is permitted."""
        return Verdict(permitted=False, reason="no access rights are configured")

    def admits_association(self, calling_ae: str, address: str) -> bool:
        """Only the titles of the configured machines, from their addresses."""
        return self._callers.admits(calling_ae, address)

    def admits_sender(self, address: str) -> bool:
        """Only the configured addresses."""
        return address in self._hl7_senders

    def admits_news(self, access: AccessContext) -> bool:
        """Nobody, for nobody can show who they are."""
        return False


def is_loopback(host: str) -> bool:
    """Whether it is an address of this machine alone; a name is none, wherever it leads today."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
