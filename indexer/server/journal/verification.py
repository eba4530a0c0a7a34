"""Follows the lines of an index's journal, all or one record's, and compares them with seals."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Final

import orjson

from gateway.storage.database import Readable
from indexer.contract.identifiers import Ins
from indexer.server.journal.chain import Seal, Walk
from indexer.server.journal.journal import Journal

SETTLED_MS: Final = 60_000
"""How old a line is before it is sealed: by then it is durable, or never will be."""
SEAL_LENGTH_MAX: Final = 1024  # characters
SEALS_MAX: Final = 1024


class NotASeal(ValueError):
    """A text is no seal; the message does not quote it."""


async def follow(
    database: Readable,
    patient: Ins | None = None,
    *,
    untils_ms: Sequence[int] = (),
    on_page: Callable[[int], None] = lambda _: None,
) -> tuple[Walk, list[Seal]]:
    """Follow all lines, or those of one record; gives what was walked, and a seal for each moment.

    Args:
        on_page: told after each page how many lines were followed.

    Raises:
        BrokenChain: a line does not follow the one before it.
    """
    walk = Walk(untils_ms)
    async for page in Journal(database.dialect).lines(database, patient):
        for line in page:
            walk.follow(line)
        on_page(walk.lines)
    return walk, walk.finish()


def difference(kept: Seal, found: Seal) -> str:
    """How what is found differs from what was sealed; empty where it does not."""
    if kept == found:
        return ""
    lines, chains = kept.lines - found.lines, kept.chains - found.chains
    if lines or chains:
        return f"{lines} lines and {chains} chains of it are missing"
    return "lines of it are others"


def write_seal(seal: Seal) -> str:
    """The seal as a line of JSON."""
    until = datetime.fromtimestamp(seal.until_ms / 1000, UTC)
    told = {
        "until": until.isoformat(timespec="milliseconds"),
        "chains": seal.chains,
        "lines": seal.lines,
        "digest": seal.digest,
    }
    return orjson.dumps(told).decode()


def read_seals(text: str) -> list[Seal]:
    """The seals of a file, one a line.

    Raises:
        NotASeal: a line is none, or there are too many.
    """
    lines = [line for line in text.splitlines() if line.strip()]
    if len(lines) > SEALS_MAX:
        raise NotASeal(f"more than {SEALS_MAX} seals")
    return [_seal(line) for line in lines]


def _seal(line: str) -> Seal:
    try:
        match orjson.loads(line[:SEAL_LENGTH_MAX]):
            case {
                "until": str() as until,
                "chains": int() as chains,
                "lines": int() as lines,
                "digest": str() as digest,
            }:
                moment = datetime.fromisoformat(until)
                if moment.tzinfo is not None:
                    until_ms = round(moment.timestamp() * 1000)
                    return Seal(until_ms=until_ms, chains=chains, lines=lines, digest=digest)
    except ValueError:
        pass
    raise NotASeal("a line is no seal")
