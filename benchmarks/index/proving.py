"""What it costs to find out that the assertion of who asks (VIHF) is true."""

import time

from benchmarks.kit.results import Spread
from indexer.client.assertion import build_assertion
from indexer.server.access.assertions import prove
from tests.support.health_pki import NOW, a_structure
from tests.support.proving import RULES, TRUST
from tests.support.vihf import DOCTOR


def cpu_ms_of_proving(*, assertions: int, rounds: int) -> Spread:
    """CPU milliseconds for each assertion: certificate, revocation, signature, and what it tells.

    Args:
        assertions: in a round; each is another, as in an index that takes each once.
    """
    structure = a_structure()
    told = [build_assertion(DOCTOR, structure, now=NOW) for _ in range(assertions)]
    prove(told[0], TRUST, RULES, NOW)
    figures = []
    for _ in range(rounds):
        began = time.process_time()
        for one in told:
            prove(one, TRUST, RULES, NOW)
        figures.append((time.process_time() - began) / assertions * 1000)
    return Spread.of(figures)
