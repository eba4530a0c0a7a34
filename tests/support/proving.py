"""Assertions, and what an index that trusts the authority of organisations makes of them."""

from datetime import datetime

import pytest

from indexer.client.assertion import Structure, build_assertion
from indexer.contract.access import Caller
from indexer.server.access.assertions import Proved, Rules, prove
from indexer.server.access.policy import Unproved
from indexer.server.access.trust import Trust
from tests.support.health_pki import NOW, a_structure, organisations
from tests.support.vihf import DOCTOR

RULES = Rules(
    audience="urn:dmp", age_s_max=300, skew_s=30, sha1=False, portals=frozenset(), sites={}
)
TRUST = Trust([organisations().certificate], None)


def proved(
    assertion: bytes, *, trust: Trust = TRUST, rules: Rules = RULES, now: datetime = NOW
) -> Proved:
    return prove(assertion, trust, rules, now)


def refused(assertion: bytes, *, rules: Rules = RULES, now: datetime = NOW) -> Unproved:
    with pytest.raises(Unproved) as told:
        prove(assertion, TRUST, rules, now)
    return told.value


def built(caller: Caller = DOCTOR, structure: Structure | None = None) -> bytes:
    return build_assertion(caller, structure or a_structure(), now=NOW)
