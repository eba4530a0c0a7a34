"""`drim-index`: a mock of the DMP as a program."""

import asyncio
import logging
from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer

from gateway.errors import Unavailable
from gateway.serving import listen, loop_factory, serve, stop_on_signals, tune_interpreter, url_of
from gateway.storage.migrations import MigrationRefused
from gateway.telemetry import configure_logging
from indexer.server.access.checks import Checks
from indexer.server.access.policy import AccessPolicy
from indexer.server.access.signature_documents import SignatureDocuments
from indexer.server.app import opened_index
from indexer.server.commands.archives import import_archives
from indexer.server.commands.journal import journal
from indexer.server.doors import doors
from indexer.server.settings import IndexSettings, load_settings

log = logging.getLogger(__name__)

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # which would keep the line ends of the docstrings
)
app.add_typer(journal, name="journal")
app.command("import")(import_archives)


@app.callback()
def main() -> None:
    """A mock of the DMP: an index of documents over FHIR MHD and XDS.b."""


@app.command("serve")
def serve_index(
    open_access: Annotated[
        bool,
        typer.Option(
            "--open-access", help="Let everyone in, on loopback only; else who proves it."
        ),
    ] = False,
    config: Annotated[
        Path | None, typer.Option("--config", help="A TOML file of settings.", metavar="FILE")
    ] = None,
) -> None:
    """Run the index until SIGTERM or Ctrl-C.

    Settings are variables INDEX_… of the environment, or keys of a TOML file.
    The environment wins. They are listed in docs/operations.md.

    Exits 2 if a setting is bad, and 1 if the index cannot start.
    """
    configure_logging()
    checks = Checks()
    try:
        settings = load_settings(config)
        policy, signatures = doors(settings, checks, open_access=open_access)
    except ValueError as error:
        typer.echo(f"drim-index: {error}", err=True)
        raise typer.Exit(2) from None
    try:
        with closing(checks), asyncio.Runner(loop_factory=loop_factory()) as runner:
            runner.run(_serve(settings, policy, signatures))
    except OSError as error:
        # Only what concerns a file names one; the rest is an address that cannot be had.
        remedy = "INDEX_DATA_DIR" if error.filename else "INDEX_BIND and INDEX_HTTP_PORT"
        typer.echo(f"drim-index: {error}; see {remedy} in docs/operations.md", err=True)
        raise typer.Exit(1) from None
    except (MigrationRefused, Unavailable) as error:
        typer.echo(f"drim-index: {error}", err=True)
        raise typer.Exit(1) from None


async def _serve(
    settings: IndexSettings, policy: AccessPolicy, signatures: SignatureDocuments | None
) -> None:
    stop = stop_on_signals()
    with listen(str(settings.bind), settings.http_port) as listening:
        async with opened_index(settings, policy, signatures) as index:
            tune_interpreter()
            log.info("listening", extra={"http": url_of(listening)})
            await serve(index, listening, stop=stop)
