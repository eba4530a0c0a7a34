"""A PostgreSQL server of the tests' own: its databases are emptied for each test."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.support.peers import postgresql_programs

ROLE = "drim"
START_WITHIN_S = 30.0
STOP_WITHIN_S = 15.0
SHUT_DOWN_WITHIN_S = 120.0
POLL_EVERY_S = 0.02

END_SESSIONS = """SELECT count(pg_terminate_backend(pid, 5000)) FROM pg_stat_activity
    WHERE application_name = 'drim'"""
"""What an operator says to end every session of an engine, and waits for."""

REMOVE_ROWS = """DO $$
    DECLARE one regclass;
    BEGIN
        SET LOCAL session_replication_role = replica;  -- no trigger keeps a journal, no key a row
        FOR one IN SELECT oid FROM pg_class WHERE relnamespace = 'public'::regnamespace
            AND relkind = 'r' AND relname <> 'schema_migrations'
        LOOP
            EXECUTE format('DELETE FROM %s', one);
        END LOOP;
    END $$"""

QUICK = {
    "fsync": "off",  # what a power cut would leave is the server's own promise
    "full_page_writes": "off",
    "listen_addresses": "",
    "max_connections": "60",
    "shared_buffers": "16MB",
    "drim.parts": "3",  # of each table of an index: they take time to make and to remove
}


@dataclass
class PostgresqlServer:
    """A server that listens on a Unix socket in a folder of its own."""

    programs: Path
    folder: Path
    settings: Mapping[str, str]
    _process: "subprocess.Popen[bytes] | None" = None
    _kept: set[str] = field(default_factory=set)
    """The programs that have a database of their own."""

    @property
    def url(self) -> str:
        """Of the database that a test is given unless it asks for a program's."""
        return self._url("postgres")

    def emptied(self) -> str:
        """The URL of the database, which holds nothing any more; a new one would take longer."""
        self.ask("DROP SCHEMA public CASCADE", "CREATE SCHEMA public")
        return self.url

    def without_rows(self, program: str) -> str:
        """The URL of the program's own database, whose tables stay once it has made them: that
        takes longer than most tests of it."""
        if program not in self._kept:
            self.ask(f"CREATE DATABASE {program}")
            self._kept.add(program)
        self._ask(program, REMOVE_ROWS)
        return self._url(program)

    @property
    def pid(self) -> int:
        """Of the process that starts all others of the server."""
        assert self._process is not None, "it never ran"
        return self._process.pid

    def ask(self, *statements: str) -> str:
        """What psql answers to these, a row a line, its columns parted by `|`."""
        return self._ask("postgres", *statements)

    def _url(self, database: str) -> str:
        return f"postgresql://{ROLE}@/{database}?host={self.folder}"

    def _ask(self, database: str, *statements: str) -> str:
        commands = [f"--command={statement}" for statement in statements]
        psql = [str(self.programs / "psql"), "--no-psqlrc", "--quiet", "--tuples-only"]
        asked = subprocess.run(
            [*psql, "--no-align", *commands, self._url(database)],
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        return asked.stdout.strip()

    def make(self) -> None:
        """Make its data, of one database that holds nothing."""
        if owner := _unprivileged():
            os.chown(self.folder, owner["user"], owner["group"])
        command = [str(self.programs / "initdb"), "--pgdata", str(self.folder / "data")]
        command += ["--username", ROLE, "--auth", "trust"]
        command += ["--locale", "C", "--encoding", "UTF8", "--no-sync"]
        subprocess.run(
            command, stdout=subprocess.DEVNULL, timeout=60, check=True, **_unprivileged()
        )

    def start(self) -> None:
        """Start it, unless it runs, and return once it answers."""
        if self._process is not None and self._process.poll() is None:
            return
        options = {**self.settings, "unix_socket_directories": str(self.folder)}
        arguments = [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [self.programs / "postgres", "-D", self.folder / "data", *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                **_unprivileged(),
            )
        given_up_at = time.monotonic() + START_WITHIN_S
        ready = [str(self.programs / "pg_isready"), "--quiet", "--host", str(self.folder)]
        while subprocess.run(ready, timeout=60, check=False).returncode != 0:
            assert time.monotonic() < given_up_at, (self.folder / "log").read_text()
            time.sleep(POLL_EVERY_S)

    def stop(self) -> None:
        """End it at once, as a crash would: whoever is connected is cut off."""
        assert self._process is not None
        self._process.send_signal(signal.SIGQUIT)
        self._process.wait(STOP_WITHIN_S)

    def shut_down(self) -> None:
        """End it as an operator does: all that it has is written, and the next start is quick."""
        assert self._process is not None, "it never ran"
        self._process.send_signal(signal.SIGINT)
        self._process.wait(SHUT_DOWN_WITHIN_S)


@contextmanager
def a_postgresql_server(settings: Mapping[str, str] = QUICK) -> Iterator[PostgresqlServer]:
    """A server, until the block ends; skips the test where its programs are missing."""
    programs = postgresql_programs()
    # Not in a folder of pytest: the server's user may not enter that, nor may the path be long.
    folder = Path(tempfile.mkdtemp(prefix="drim-postgresql-"))
    server = PostgresqlServer(programs=programs, folder=folder, settings=settings)
    try:
        server.make()
        server.start()
        yield server
        server.stop()
    finally:
        shutil.rmtree(folder)


def _unprivileged() -> dict[str, Any]:
    """As whom the programs run, for they refuse to run as root."""
    if os.geteuid() != 0:
        return {}
    nobody = pwd.getpwnam("nobody")
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
