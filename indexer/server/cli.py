"""`drim-index`: a mock of the DMP as a program."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError

from gateway.errors import Unavailable
from gateway.serving import listen, loop_factory, serve, stop_on_signals, url_of
from gateway.storage.migrations import MigrationRefused
from gateway.telemetry import configure_logging
from indexer.server.access import AccessPolicy, OpenAccess, RefuseAll, is_loopback
from indexer.server.app import opened_index
from indexer.server.settings import IndexSettings, SettingsRefused, load_settings

app = typer.Typer(
    help="A mock of the DMP: an index of pointers over FHIR MHD.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


@app.callback()
def main() -> None:
    """A mock of the DMP: an index of pointers over FHIR MHD."""


@app.command("serve")
def serve_index(
    open_access: Annotated[
        bool, typer.Option("--open-access", help="Take any caller; loopback only.")
    ] = False,
    config: Annotated[
        Path | None, typer.Option(help="TOML file of settings; the environment wins.")
    ] = None,
) -> None:
    """Serve until SIGTERM or SIGINT. Exits 2 if the settings, or the folder, do not allow it."""
    configure_logging()
    try:
        settings = load_settings(config)
        policy = _policy(settings, open_access=open_access)
        with asyncio.Runner(loop_factory=loop_factory()) as runner:
            runner.run(_serve(settings, policy))
    except ValidationError as error:
        for one in error.errors(include_input=False, include_url=False):
            typer.echo(f"{'.'.join(map(str, one['loc']))}: {one['msg']}", err=True)
        raise typer.Exit(2) from error
    except (SettingsRefused, MigrationRefused, Unavailable, OSError) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from error


def _policy(settings: IndexSettings, *, open_access: bool) -> AccessPolicy:
    if not open_access:
        return RefuseAll()
    if not is_loopback(str(settings.bind)):
        raise SettingsRefused("open access is for loopback only: set INDEX_BIND to 127.0.0.1")
    typer.echo("open access: anyone on this machine may read and write", err=True)
    return OpenAccess()


async def _serve(settings: IndexSettings, policy: AccessPolicy) -> None:
    stop = stop_on_signals()
    with listen(str(settings.bind), settings.http_port) as listening:
        async with opened_index(settings, policy) as index:
            typer.echo(f"listening at {url_of(listening)}")
            await serve(index, listening, stop=stop)
