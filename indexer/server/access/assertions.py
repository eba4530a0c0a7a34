"""Takes the VIHF of who asks, and finds out whether it is true.

A signature is checked on the assertion alone, parted from what it came in, and what it tells is
read from what was signed and from nothing else. Whose key signed it is found by `Trust`; that they
may say it of themselves, now, to this index and for the first time, is decided here.
"""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from cryptography.hazmat.primitives.hashes import SHA256

from indexer.contract.access import Authentication, Caller, CallerKind
from indexer.contract.errors import InvalidValue
from indexer.server.access.checks import Checks
from indexer.server.access.policy import Unproved
from indexer.server.access.replays import Replays
from indexer.server.access.revocations import Untrusted
from indexer.server.access.trust import Signer, Trust
from indexer.wire.proof.names import names_subject
from indexer.wire.proof.reader import read_vihf
from indexer.wire.proof.signatures import UnsupportedAlgorithm, certificates_in, check_enveloped
from indexer.wire.proof.vihf import Vihf
from indexer.wire.soap.envelope import SecurityFault
from indexer.wire.xml import open_xml

ASSERTION_BYTES_MAX: Final = 32 * 1024  # one takes some 6 kB, and fits in a header as base64


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What an assertion must be to be taken here."""

    audience: str
    """Whom it must be for where it says so."""
    age_s_max: float
    """For how long it is good from when it was issued."""
    skew_s: float
    """By how much the clock of who issued it may differ."""
    sha1: bool
    """Whether a signature may be made with SHA-1."""
    portals: frozenset[str]
    """Structures that may vouch for patients and their representatives."""
    sites: Mapping[str, str]
    """Legal entities that may speak for a site, by the site's number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proved:
    """An assertion that is true."""

    name: bytes
    """What tells it from all others."""
    caller: Caller
    one_time: bool
    until: datetime
    """When it is good for nothing any more."""


class Assertions:
    """An access policy: who shows a VIHF that is true is let in.

    Args:
        now: the time, aware.
    """

    in_envelopes = True

    def __init__(
        self, trust: Trust, rules: Rules, checks: Checks, *, now: Callable[[], datetime]
    ) -> None:
        self._trust = trust
        self._rules = rules
        self._now = now
        self._checks = checks
        self._replays = Replays()

    async def caller(self, proof: bytes | None, *, one_time: bool) -> Caller:
        """Who asks, by their assertion.

        Args:
            one_time: whether an assertion is good for one request alone.

        Raises:
            Unproved: it is none, or is not to be believed.
            Unavailable: too many are waiting to be checked.
        """
        if proof is None:
            raise Unproved("no assertion says who asks", fault=SecurityFault.TOKEN_UNAVAILABLE)
        now = self._now()
        proved = await self._checks.run(lambda: prove(proof, self._trust, self._rules, now))
        if one_time or proved.one_time:
            now_ms, until_ms = (_milliseconds(one) for one in (self._now(), proved.until))
            if not self._replays.is_first(proved.name, until_ms=until_ms, now_ms=now_ms):
                raise Unproved("the assertion was used before")
        return proved.caller


def prove(proof: bytes, trust: Trust, rules: Rules, now: datetime) -> Proved:
    """What an assertion proves.

    Raises:
        Unproved: it proves nothing.
    """
    if not 0 < len(proof) <= ASSERTION_BYTES_MAX:
        raise Unproved("the assertion is empty or too long", fault=SecurityFault.INVALID)
    try:
        root = open_xml(proof)
        certificates = certificates_in(root)
        # First, for what a stranger signed may be made to cost.
        signer = trust.signer(certificates, at=now)
        signed = check_enveloped(root, "ID", certificates[0], sha1=rules.sha1)
    except UnsupportedAlgorithm as error:
        raise Unproved(str(error), fault=SecurityFault.ALGORITHM) from None
    except Untrusted as error:
        raise Unproved(str(error)) from None
    except InvalidValue as error:
        raise Unproved(str(error), fault=SecurityFault.INVALID) from None
    try:
        told = read_vihf(signed)
    except InvalidValue as error:
        raise Unproved(str(error), fault=SecurityFault.INVALID) from None
    _expect_own(told, signer, rules)
    until = _expect_good(told, rules, now)
    name = signer.certificate.fingerprint(SHA256()) + told.assertion_id.encode()
    return Proved(
        name=hashlib.sha256(name).digest(),
        caller=replace(
            told.caller,
            organisation=replace(told.caller.organisation, name=signer.organisation.name),
        ),
        one_time=told.conditions.one_time,
        until=until,
    )


def _expect_own(told: Vihf, signer: Signer, rules: Rules) -> None:
    """Refuse what a structure says that is not its own to say."""
    caller = told.caller
    if not names_subject(told.issuer, signer.certificate):
        raise Unproved("the issuer is not the subject of its certificate")
    number, certified = caller.organisation.number, signer.organisation.number
    if certified not in (number, rules.sites.get(number)):
        raise Unproved("the structure is not the one of its certificate")
    if caller.authentication is Authentication.DIRECT:
        raise Unproved("who proves themselves by a card needs no structure to vouch for them")
    is_patient = caller.kind in (CallerKind.PATIENT, CallerKind.REPRESENTATIVE)
    if is_patient and number not in rules.portals:
        raise Unproved("the structure may not vouch for patients")
    audiences = told.conditions.audiences
    if audiences and rules.audience not in audiences:
        raise Unproved("the assertion is for somebody else")


def _expect_good(told: Vihf, rules: Rules, now: datetime) -> datetime:
    """When the assertion is no longer good, which is not yet."""
    skew = timedelta(seconds=rules.skew_s)
    conditions = told.conditions
    starts = (told.issued_at, conditions.not_before)
    if any(one is not None and now + skew < one for one in starts):
        raise Unproved("the assertion is not good yet", fault=SecurityFault.EXPIRED)
    until = told.issued_at + timedelta(seconds=rules.age_s_max)
    if conditions.not_on_or_after is not None:
        until = min(until, conditions.not_on_or_after)
    if now >= until + skew:
        raise Unproved("the assertion is good no longer", fault=SecurityFault.EXPIRED)
    return until + skew


def _milliseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)
