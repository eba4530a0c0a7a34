"""What holds for every test: properties that repeat, servers that end at once, no settings but the
test's own, and a summary that names what did not run."""

import asyncio
import logging
import os
import signal
import socketserver
from collections import Counter
from collections.abc import Iterator
from types import SimpleNamespace

import pytest
from hypothesis import settings

from gateway.storage.database import Dialect
from tests.support.postgresql import PostgresqlServer, a_postgresql_server

# The same examples on every machine and in every run; two slow cores are no failure.
settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.load_profile("repeatable")


def pytest_configure() -> None:
    """A run that is told to end ends its servers and removes their folders, as by Ctrl-C."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)


@pytest.fixture(scope="session", autouse=True)
def servers_that_end_at_once() -> Iterator[None]:
    """uvicorn looks every 100 ms whether it is to end, and pynetdicom's server every 500 ms; over
    all tests that is most of a minute."""
    hurried = SimpleNamespace(**{**vars(asyncio), "sleep": lambda s: asyncio.sleep(s / 20)})
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("uvicorn.server.asyncio", hurried)
        patched.setattr(socketserver.BaseServer.serve_forever, "__defaults__", (0.02,))
        yield


@pytest.fixture(scope="session", autouse=True)
def no_settings_of_this_machine() -> Iterator[None]:
    """What a developer has exported for a gateway of their own is not meant for those of tests."""
    with pytest.MonkeyPatch.context() as patched:
        for name in [one for one in os.environ if one.startswith(("GATEWAY_", "INDEX_"))]:
            patched.delenv(name)
        yield


@pytest.fixture(autouse=True)
def the_log_as_it_was() -> Iterator[None]:
    """A command that is run within a test sends the log of the whole process to a stream that is
    closed with the test."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgresqlServer]:
    """One server for all tests that ask for it."""
    with a_postgresql_server() as server:
        yield server


@pytest.fixture
def tables_of() -> str:
    """The program whose tables a test may find in a database, without rows; of none: nothing."""
    return ""


@pytest.fixture(params=list(Dialect))
def database_url(request: pytest.FixtureRequest, tables_of: str) -> str:
    """Of a database that holds no row yet, of each engine; empty: a file in the test's folder."""
    if request.param is Dialect.SQLITE:
        return ""
    server: PostgresqlServer = request.getfixturevalue("postgresql")
    return server.without_rows(tables_of) if tables_of else server.emptied()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Name each suite that was skipped, why, and the one command that helps."""
    skipped = Counter(
        _suite_and_reason(report) for report in terminalreporter.getreports("skipped")
    )
    if not skipped:
        return
    terminalreporter.section("not run on this machine")
    for (suite, reason), tests in sorted(skipped.items()):
        why, _, command = reason.partition(": ")
        hint = f"; try: {command}" if command.startswith("make ") else ""
        terminalreporter.line(f"{suite} ({tests}): {why if hint else reason}{hint}")


def _suite_and_reason(report: pytest.TestReport | pytest.CollectReport) -> tuple[str, str]:
    suite = report.nodeid.partition("::")[0]
    reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    return suite, reason.removeprefix("Skipped: ")
