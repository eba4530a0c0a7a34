"""Who may ask: the policy seam of the index, asked before a request is looked at.

Three policies stand: everybody on this machine, nobody, and who shows an assertion that is true
(`indexer.server.access.assertions`).
"""

from ipaddress import ip_address
from typing import Protocol

from starlette.requests import Request

from indexer.contract.access import Caller
from indexer.wire.soap.envelope import SecurityFault


class Unproved(Exception):
    """Who asks is not known, whatever they say.

    Args:
        reason: what is wrong with their proof, without a word of theirs.
    """

    def __init__(self, reason: str, *, fault: SecurityFault = SecurityFault.FAILED) -> None:
        super().__init__(reason)
        self.reason = reason
        self.fault = fault


class AccessPolicy(Protocol):
    """Decides who is let in, before anything else of a request is looked at."""

    @property
    def in_envelopes(self) -> bool:
        """Whether a proof may come in a SOAP message, which then is read as far as that."""

    async def caller(self, proof: bytes | None, *, one_time: bool) -> Caller | None:
        """Who asks; None where nobody has to say.

        Args:
            proof: what they show; None where they show nothing.
            one_time: whether it is good for one request alone.

        Raises:
            Unproved: they are not let in.
            Unavailable: it cannot be found out now.
        """


def caller_of(request: Request) -> Caller | None:
    """Who asks, as the policy proved it; None where nobody had to say."""
    caller: Caller | None = request.scope.get("caller")
    return caller


class OpenAccess:
    """Anyone: for tests and demonstrations, on loopback only."""

    in_envelopes = False

    async def caller(self, proof: bytes | None, *, one_time: bool) -> None:
        """Nobody in particular, whatever they show."""


class RefuseAll:
    """No one: how the index starts unless it is told otherwise."""

    in_envelopes = False

    async def caller(self, proof: bytes | None, *, one_time: bool) -> Caller | None:
        raise Unproved("say who you are", fault=SecurityFault.TOKEN_UNAVAILABLE)


def is_loopback(address: str) -> bool:
    """Whether an address is of this machine alone."""
    try:
        return ip_address(address).is_loopback
    except ValueError:
        return False
