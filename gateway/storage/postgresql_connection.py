"""Connects to PostgreSQL, and sees that the database is as a gateway or an index needs it."""

import logging
from contextlib import suppress
from typing import Any

import asyncpg

from gateway.errors import StorageUnavailable
from gateway.storage.postgresql_statement import (
    DRIVER_ERRORS,
    Connection,
    as_ours,
    execute,
    execute_all,
)

log = logging.getLogger(__name__)

VERSION_MIN = 15
CONNECT_S_MAX = 5.0
PROMPT_S_MAX = 5.0
"""How long to wait for what a server does at once, as to begin or to end a transaction."""
STATEMENT_S_MAX = 30.0
"""How long the server may take over a statement; it ends one that takes longer."""
ANSWER_S_MAX = STATEMENT_S_MAX + PROMPT_S_MAX
"""How long to wait for its answer. A server that could not even end the statement is given up."""
LONG_STATEMENT_S_MAX = 3600.0
"""The same for a statement of a long work; an index that a migration makes is one."""
LOCK_S_MAX = 5
"""How long to wait for a lock that an operator's tool, or a process that is ending, holds."""

PLANS = {
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
    "enable_seqscan": "off",
    "jit": "off",
}
"""Every statement finds a few rows by a key. The planner takes a JSON list for a hundred items and
a recursion for ten times that, and would read whole tables rather than follow their indexes."""
_DURABLE = frozenset({"on", "remote_apply"})
_FACTS = """SELECT current_setting('server_version_num')::integer / 10000 AS version,
    current_setting('server_encoding') AS encoding, 'B' < 'a' AS by_bytes,
    current_setting('synchronous_commit') AS commits, current_setting('fsync') AS syncs"""


def connect_options() -> dict[str, Any]:
    """What every connection is opened with."""
    session = {
        "application_name": "drim",
        "lock_timeout": f"{LOCK_S_MAX}s",
        "statement_timeout": f"{round(STATEMENT_S_MAX * 1000)}ms",
        **PLANS,
        # A process whose machine is gone lets go of what it holds within a minute.
        "tcp_keepalives_idle": "30",
        "tcp_keepalives_interval": "10",
        "tcp_keepalives_count": "3",
    }
    return {
        # Readers, too: a standby lags, and objects that it does not know of would be removed.
        "target_session_attrs": "read-write",
        "timeout": CONNECT_S_MAX,
        "command_timeout": ANSWER_S_MAX,
        "server_settings": session,
    }


async def connect(url: str) -> Connection:
    """Connect to a server that takes writes, the first of those that the URL names.

    Raises:
        StorageUnavailable: none answers, or it refuses.
    """
    try:
        connection: Connection = await asyncpg.connect(url, **connect_options())
    except ValueError:  # as a URL that is none; unquoted and unchained, for it has a password
        raise StorageUnavailable("the database's URL cannot be understood") from None
    except DRIVER_ERRORS as error:
        raise as_ours(error) from None
    return connection


async def disconnect(connection: Connection) -> None:
    """Let go of the server, whatever it says."""
    with suppress(*DRIVER_ERRORS):
        await connection.close(timeout=CONNECT_S_MAX)


async def examine(connection: Connection) -> str:
    """See that the database is as it must be, and commits wait for its disk; the server's version.

    Raises:
        StorageUnavailable: it is not; the message says how it must be.
    """
    [facts] = await execute(connection, _FACTS, {})
    version = int(str(facts["version"]))
    if version < VERSION_MIN:
        raise StorageUnavailable(f"PostgreSQL {VERSION_MIN} or later is needed, not {version}")
    if facts["encoding"] != "UTF8" or not facts["by_bytes"]:
        raise StorageUnavailable(
            "the database must keep UTF-8 and sort by bytes: create it with "
            "TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C'"
        )
    if facts["commits"] not in _DURABLE:
        # With less a crash may undo an acknowledged commit; more is the operator's to ask for.
        await execute_all(connection, "SET synchronous_commit = on")
    if facts["syncs"] != "on":
        log.warning("database_may_lose_commits")
    return f"PostgreSQL {version}"


async def look_at(url: str) -> str:
    """As `examine`, on a connection for this alone; another process may be writing."""
    connection = await connect(url)
    try:
        return await examine(connection)
    finally:
        await disconnect(connection)
