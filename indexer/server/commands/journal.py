"""`drim-index journal`: what an operator asks of the journal, while the index runs or not."""

import asyncio
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from gateway.errors import Unavailable
from gateway.storage.engines import opened_to_read
from gateway.storage.migrations import MigrationRefused, expect_migrated
from indexer.contract.errors import InvalidValue
from indexer.contract.identifiers import Ins, Oid
from indexer.server.app import DATABASE_FILE
from indexer.server.clock import epoch_ms
from indexer.server.journal.chain import BrokenChain, Seal, Walk
from indexer.server.journal.verification import (
    SETTLED_MS,
    difference,
    follow,
    read_seals,
    write_seal,
)
from indexer.server.settings import IndexSettings, load_settings

PROGRESS_LINES = 100_000
"""How many lines are followed from one word of it to the next."""

journal = typer.Typer(
    no_args_is_help=True, help="Verify and seal the journal of records.", rich_markup_mode=None
)

Config = Annotated[
    Path | None, typer.Option("--config", help="A TOML file of settings.", metavar="FILE")
]


@journal.command("verify")
def verify_journal(
    seals: Annotated[
        Path | None,
        typer.Option("--seals", help="Seals that were kept, one a line.", metavar="FILE"),
    ] = None,
    one: Annotated[
        bool,
        typer.Option("--one", help="One record: its patient, OID|INS, is read from the input."),
    ] = False,
    config: Config = None,
) -> None:
    """Follow each record's lines from the first to the last, and work out the seals again.

    The index may run meanwhile. Nobody is named: a chain is told by its number, in the order in
    which the index keeps records.

    Exits 1 at the first line that does not follow from the one before it, or if a seal differs;
    2 if a setting, a seal or the patient cannot be read.
    """
    settings, kept, patient = _asked(config, seals, one=one)
    walk, found = _followed(settings, patient, untils_ms=[seal.until_ms for seal in kept])
    typer.echo(f"lines: {walk.lines}")
    typer.echo(f"chains: {walk.chains}")
    differing = False
    for was, now in zip(kept, found, strict=True):
        if told := difference(was, now):
            differing = True
            typer.echo(f"drim-index: the seal {write_seal(was)} is broken: {told}", err=True)
    typer.echo(f"seals: {len(kept)}")
    if differing:
        raise typer.Exit(1)


@journal.command("seal")
def seal_journal(config: Config = None) -> None:
    """Verify the journal, and print a seal of all lines older than a minute.

    Keep it where nobody who may write to the database can: it names no patient.

    Exits 1 if a chain is broken, and 2 if a setting is bad.
    """
    settings, _, _ = _asked(config, None, one=False)
    _, [found] = _followed(settings, None, untils_ms=[epoch_ms() - SETTLED_MS])
    typer.echo(write_seal(found))


def _asked(
    config: Path | None, seals: Path | None, *, one: bool
) -> tuple[IndexSettings, list[Seal], Ins | None]:
    """The settings, the seals that are to be found again, and whose record is meant."""
    try:
        if one and seals:
            raise ValueError("a seal is of all records: not --one and --seals")
        kept = read_seals(seals.read_text(encoding="utf-8")) if seals else []
        return load_settings(config), kept, _read_patient(sys.stdin.readline()) if one else None
    except (OSError, ValueError) as error:
        typer.echo(f"drim-index: {error}", err=True)
        raise typer.Exit(2) from None


def _read_patient(text: str) -> Ins:
    """Not an option: the list of processes is no place for an identity."""
    oid, _, value = text.strip().partition("|")
    try:
        return Ins(value=value, oid=Oid(oid))
    except InvalidValue as error:
        raise ValueError(f"the patient is to be OID|INS: {error}") from None


def _followed(
    settings: IndexSettings, patient: Ins | None, *, untils_ms: list[int]
) -> tuple[Walk, list[Seal]]:
    async def work() -> tuple[Walk, list[Seal]]:
        rows = settings.data_dir / DATABASE_FILE
        async with opened_to_read(settings.postgresql_url, rows) as database:
            await expect_migrated(database, "indexer.server.migrations")
            return await follow(database, patient, untils_ms=untils_ms, on_page=_progress())

    try:
        return asyncio.run(work())
    except (BrokenChain, MigrationRefused, Unavailable) as error:
        typer.echo(f"drim-index: {error}", err=True)
        raise typer.Exit(1) from None


def _progress() -> Callable[[int], None]:
    """Says how far it is, now and then."""
    told = 0

    def on_page(lines: int) -> None:
        nonlocal told
        if lines - told >= PROGRESS_LINES:
            told = lines
            typer.echo(f"followed {lines} lines", err=True)

    return on_page
