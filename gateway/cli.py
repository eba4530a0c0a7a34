"""The program `drim-gateway`."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(
    name="drim-gateway",
    no_args_is_help=True,
    add_completion=False,
)


@app.callback()
def main() -> None:
    """A centre's imaging gateway: publishes pointers to studies, and serves the studies."""


@app.command()
def serve(
    open_access: Annotated[
        bool,
        typer.Option(
            "--open-access",
            help="Let everyone in, on loopback only: for tests and demonstrations. "
            "Without it HTTP is refused, and only configured machines may send.",
        ),
    ] = False,
    config: Annotated[
        Path | None, typer.Option("--config", help="A TOML file of settings.", metavar="FILE")
    ] = None,
) -> None:
    """Run the gateway until SIGTERM or Ctrl-C.

    Settings are variables GATEWAY_… of the environment, or keys of a TOML file.
    The environment wins. They are listed in docs/operations.md.

    Exits 2 if a setting is bad, and 1 if the gateway cannot start.
    """
    # Late: reading DICOM needs libraries that take seconds to load, and --help does not.
    from gateway.app import run
    from gateway.errors import GatewayError
    from gateway.serving import loop_factory
    from gateway.settings import check_open_access, load_settings
    from gateway.storage.migrations import MigrationRefused

    try:
        settings = load_settings(config)
        if open_access:
            check_open_access(settings)
    except ValueError as error:
        typer.echo(f"drim-gateway: {error}", err=True)
        raise typer.Exit(2) from None
    try:
        with asyncio.Runner(loop_factory=loop_factory()) as runner:
            runner.run(run(settings, open_access=open_access))
    except OSError as error:
        # Only what concerns a file names one; the rest is an address that cannot be had.
        remedy = "GATEWAY_DATA_DIR" if error.filename else "GATEWAY_BIND and GATEWAY_…_PORT"
        typer.echo(f"drim-gateway: {error}; see {remedy} in docs/operations.md", err=True)
        raise typer.Exit(1) from None
    except (GatewayError, MigrationRefused) as error:
        typer.echo(f"drim-gateway: {error}", err=True)
        raise typer.Exit(1) from None
