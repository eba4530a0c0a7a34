"""Runs of tests that go side by side do not take each other's ports."""

import subprocess
import sys
from contextlib import ExitStack

from tests.support.peers import ROOT

A_RUN = """
from tests.support.ports import free_port
print(*(free_port() for _ in range(200)), flush=True)
input()
"""


def test_runs_at_once_are_given_different_ports() -> None:
    command = [sys.executable, "-c", A_RUN]
    with ExitStack() as stack:
        one, other = (
            stack.enter_context(
                subprocess.Popen(
                    command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
                )
            )
            for _run in range(2)
        )
        given = [set(run.stdout.readline().split()) for run in (one, other) if run.stdout]
        for run in (one, other):
            run.communicate("\n")

    assert [len(ports) for ports in given] == [200, 200]
    assert given[0].isdisjoint(given[1])
