"""Counts the groups that one engine has committed, in the database itself and in memory.

The row changes in the transaction of its group. Where the answer to a COMMIT is lost, it tells
whether the group is there; where a server is connected to anew, it tells whether that server has
all that was acknowledged, which a standby that was promoted too early has not.
"""

import logging
import secrets

from gateway.errors import StorageUnavailable
from gateway.storage.postgresql_statement import Connection, StatementRefused, execute, execute_all

log = logging.getLogger(__name__)

_CREATE = """CREATE TABLE IF NOT EXISTS commit_tally (
    number INTEGER PRIMARY KEY CHECK (number = 1), writer TEXT NOT NULL, groups BIGINT NOT NULL)"""
_BEGIN = """INSERT INTO commit_tally (number, writer, groups) VALUES (1, :writer, 0)
ON CONFLICT (number) DO UPDATE SET writer = excluded.writer, groups = 0"""
_FIND = "SELECT writer, groups FROM commit_tally"


class CommitTally:
    """The count of one engine, from its opening to its end."""

    def __init__(self) -> None:
        self._writer = secrets.token_hex(16)
        self.groups = 0
        """Groups that are known to be durable."""
        self.in_doubt = False
        """Whether one more may be."""

    @property
    def step(self) -> str:
        """The statement that counts one more group, to be run in its transaction."""
        return f"UPDATE commit_tally SET groups = {self.groups + 1}"

    def committed(self) -> None:
        """The group that was counted is durable."""
        self.groups += 1
        self.in_doubt = False

    async def begin(self, connection: Connection) -> None:
        """Take over the row from whoever wrote before."""
        await execute_all(connection, _CREATE)
        await execute(connection, _BEGIN, {"writer": self._writer})

    async def resume(self, connection: Connection) -> None:
        """See on a new writing connection what is durable; nobody has written meanwhile.

        Raises:
            StorageUnavailable: the server lacks what was acknowledged, or holds another's writes.
        """
        found = await self._find(connection)
        if found not in (self.groups, self.groups + self.in_doubt):
            raise _strange()
        self.groups, self.in_doubt = found, False

    async def expect(self, connection: Connection) -> None:
        """See that a new reading connection finds all that was acknowledged before it was made.

        Raises:
            StorageUnavailable: it does not.
        """
        acknowledged = self.groups
        if await self._find(connection) < acknowledged:
            raise _strange()

    async def _find(self, connection: Connection) -> int:
        """How many of our groups the server has; -1 where it knows nothing of us."""
        try:
            rows = await execute(connection, _FIND, {})
        except StatementRefused:  # there is no such table
            return -1
        ours = [int(str(row["groups"])) for row in rows if row["writer"] == self._writer]
        return ours[0] if ours else -1


def _strange() -> StorageUnavailable:
    log.error("database_lacks_commits")
    return StorageUnavailable(
        "the server has not all that was written, or more: "
        "see 'A database server' in docs/operations.md"
    )
