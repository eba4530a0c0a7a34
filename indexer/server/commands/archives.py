"""`drim-index import`: what archives hold, into an index that does not run meanwhile."""

import asyncio
from collections import Counter
from pathlib import Path
from typing import Annotated

import typer

from gateway.errors import InvalidRequest, Unavailable
from gateway.media.tree import open_medium
from gateway.storage.migrations import MigrationRefused
from indexer.server.app import opened_custodian
from indexer.server.custody.archive_import import ArchiveImport, Fate, Taken
from indexer.server.custody.custodian import Custodian
from indexer.server.settings import IndexSettings, load_settings
from indexer.server.telemetry import IndexMetrics

Fates = Counter[Fate]


def import_archives(
    archives: Annotated[
        list[Path], typer.Argument(metavar="ARCHIVE…", help="Folders or zip archives (IHE XDM).")
    ],
    config: Annotated[
        Path | None, typer.Option("--config", help="A TOML file of settings.", metavar="FILE")
    ] = None,
) -> None:
    """Take in the documents of XDM archives, each as if its sender brought it.

    A line tells what became of each document, by its place: no name of a file is repeated. What is
    held already is passed over, so an archive can be taken in again.

    Exits 1 if a document was refused, an archive could not be read or the index cannot be opened;
    2 if a setting is bad.
    """
    try:
        settings = load_settings(config)
    except ValueError as error:
        typer.echo(f"drim-index: {error}", err=True)
        raise typer.Exit(2) from None
    try:
        whole = asyncio.run(_import(settings, archives))
    except (MigrationRefused, OSError, Unavailable) as error:
        typer.echo(f"drim-index: {error}", err=True)
        raise typer.Exit(1) from None
    if not whole:
        raise typer.Exit(1)


async def _import(settings: IndexSettings, archives: list[Path]) -> bool:
    """Take in all archives; gives whether all of each was."""
    fates, unread = Fates(), 0
    async with opened_custodian(settings, IndexMetrics()) as (custodian, *_):
        for number, path in enumerate(archives, start=1):
            try:
                await _take(custodian, settings, path, number, fates)
            except InvalidRequest as error:
                unread += 1
                typer.echo(f"archive {number}: {error}", err=True)
    for fate in Fate:
        typer.echo(f"{fate}: {fates[fate]}")
    return not (unread or fates[Fate.REFUSED])


async def _take(
    custodian: Custodian, settings: IndexSettings, path: Path, number: int, fates: Fates
) -> None:
    tree = await asyncio.to_thread(open_medium, path)
    try:
        importing = ArchiveImport(custodian, tree, set_bytes_max=settings.body_mib_max * 2**20)
        async for one in importing.run():
            fates[one.fate] += 1
            typer.echo(f"archive {number} {_told(one)}")
    finally:
        tree.close()


def _told(one: Taken) -> str:
    document = f" document {one.document_number}" if one.document_number else ""
    reason = f": {one.reason}" if one.reason else ""
    return f"set {one.set_number}{document}: {one.fate}{reason}"
