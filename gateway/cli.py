"""The program `drim-gateway`."""

import asyncio
import json
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

if TYPE_CHECKING:
    from gateway.health import Finding
    from gateway.settings import Settings

R = TypeVar("R")

INTERRUPTED = 130
"""Exit status after Ctrl-C, as shells have it."""

ConfigFile = Annotated[
    Path | None, typer.Option("--config", help="A TOML file of settings.", metavar="FILE")
]

app = typer.Typer(
    name="drim-gateway",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,  # which would keep the line ends of the docstrings
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
    config: ConfigFile = None,
) -> None:
    """Run the gateway until SIGTERM or Ctrl-C.

    Settings are variables GATEWAY_… of the environment, or keys of a TOML file.
    The environment wins. They are listed in docs/operations.md.

    Exits 2 if a setting is bad, and 1 if the gateway cannot start.
    """
    # Late: reading DICOM needs libraries that take seconds to load, and --help does not.
    from gateway.app import run
    from gateway.app.machine import certificates_in_doubt
    from gateway.clock import system_clock
    from gateway.errors import GatewayError
    from gateway.serving import loop_factory
    from gateway.settings import check_open_access, load_settings
    from gateway.storage.migrations import MigrationRefused

    try:
        settings = load_settings(config)
        if open_access:
            check_open_access(settings)
        certificates_in_doubt(settings, system_clock)  # which raises where one has expired
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


@app.command()
def check(
    open_access: Annotated[
        bool, typer.Option("--open-access", help="Check for a gateway that lets everyone in.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    config: ConfigFile = None,
) -> None:
    """Look at every neighbour and at this machine, whether a gateway runs or not.

    Each PACS is connected to, associated with, echoed and queried for a study that is nobody's;
    the index is asked what it is and searched; folder, disk, ports, certificates and settings are
    looked at. Nothing is changed. Prints what is wrong and how to mend it.

    Exits 0 if all is well, 1 if something deserves a look, 2 if something does not work.
    """
    from gateway.configuration import sources
    from gateway.health import Finding, State, worst
    from gateway.settings import Settings, load_settings

    what = "settings"
    try:
        settings = load_settings(config)
    except ValueError as error:
        mend = "see docs/operations.md"
        findings = [Finding(what=what, state=State.FAIL, told=str(error), mend=mend)]
    else:
        from gateway.app.checkup import check as look

        found = _run(look(settings, open_access=open_access))
        findings = [Finding(what=what, told=sources(Settings, config)), *found]
    _print_findings(findings, as_json=as_json)
    raise typer.Exit(list(State).index(worst(findings)))


@app.command("import")
def import_(
    medium: Annotated[
        Path,
        typer.Argument(
            help="A folder, a DICOMDIR, or a zip archive.", exists=True, metavar="FOLDER_OR_XDM"
        ),
    ],
    report: Annotated[
        Path | None,
        typer.Option(
            "--report",
            help="Write each file that was not taken, and why, to this new file.",
            metavar="FILE",
        ),
    ] = None,
    config: ConfigFile = None,
) -> None:
    """Take in the DICOM files of a folder, a medium or an archive, and what an XDM archive holds.

    Needs the data folder for itself: stop the gateway first. May be broken off by Ctrl-C and run
    again; what is in is passed over. The gateway looks at the studies at its next start.

    Prints how many files were taken, were in already, were skipped, or failed, and why.

    Exits 0 if nothing failed, 1 if something did, 2 if a setting is bad, 130 after Ctrl-C.
    """
    from gateway.app.files import import_medium
    from gateway.media.tally import Fate
    from gateway.progress import Onlooker

    settings, onlooker = _settings(config), Onlooker("import", report=report)
    tally = onlooker.tally
    with _failing_plainly():
        try:
            with onlooker:
                _run(import_medium(settings, medium.absolute(), onlooker))
        except KeyboardInterrupt:
            typer.echo("interrupted: run it again to take in the rest", err=True)
            raise typer.Exit(INTERRUPTED) from None
        finally:
            for line in tally.lines():
                typer.echo(line)
    if not tally.total:
        typer.echo("there is nothing to take in")
    if tally.count(Fate.FAILED):
        raise typer.Exit(1)


@app.command()
def export(
    to: Annotated[
        Path,
        typer.Option("--to", help="A new folder, or a new archive if it ends in .zip."),
    ] = Path("export.zip"),
    study: Annotated[
        list[str] | None,
        typer.Option("--study", help="Only this study; may be repeated.", metavar="UID"),
    ] = None,
    since: Annotated[
        datetime | None,
        typer.Option(
            "--since",
            help="Only manifests made from this day on.",
            formats=["%Y-%m-%d"],
            metavar="YYYY-MM-DD",
        ),
    ] = None,
    config: ConfigFile = None,
) -> None:
    """Write the pointers that are out as an XDM archive, for another gateway to take over.

    Needs the data folder for itself: stop the gateway first. Writes no image, and no signature of
    a submission set. The same pointers give the same bytes.

    Exits 0 once it is written, 1 if it cannot be, 2 if a setting is bad, 130 after Ctrl-C.
    """
    from gateway.app.files import export_pointers
    from gateway.media.tally import counted
    from gateway.progress import Onlooker
    from gateway.publication.export import Wanted

    settings = _settings(config)
    wanted = Wanted(studies=frozenset(study or ()), since=since.date() if since else None)
    with _failing_plainly(), Onlooker("export") as onlooker:
        try:
            written = _run(export_pointers(settings, to.absolute(), wanted, onlooker))
        except KeyboardInterrupt:
            typer.echo("interrupted: nothing is written", err=True)
            raise typer.Exit(INTERRUPTED) from None
    typer.echo(f"written {counted(written.pointers, 'pointer')}")
    if written.left_behind:
        typer.echo(
            f"  of {written.left_behind} images lie in this gateway's store alone: "
            f"import {settings.data_dir / 'store' / 'objects'} at the next gateway, too"
        )


def _settings(config: Path | None) -> "Settings":
    """The settings; the program exits 2 if one is bad."""
    from gateway.settings import load_settings

    try:
        return load_settings(config)
    except ValueError as error:
        typer.echo(f"drim-gateway: {error}", err=True)
        raise typer.Exit(2) from None


def _run(work: Coroutine[Any, Any, R]) -> R:
    """Run the work of a command; of the log only what a person must see is shown."""
    from gateway.telemetry import configure_logging

    configure_logging("WARNING")
    return asyncio.run(work)


@contextmanager
def _failing_plainly() -> Iterator[None]:
    """Have what goes wrong end the program with one line and status 1."""
    from gateway.errors import GatewayError
    from gateway.storage.migrations import MigrationRefused
    from gateway.storage.records import UnreadableRecord

    try:
        yield
    except (GatewayError, MigrationRefused, UnreadableRecord) as error:
        typer.echo(f"drim-gateway: {error}", err=True)
    except OSError as error:
        where = f": {error.filename}" if error.filename else ""  # a full disk names no file
        typer.echo(f"drim-gateway: {error.strerror}{where}", err=True)
    else:
        return
    raise typer.Exit(1)


def _print_findings(findings: "list[Finding]", *, as_json: bool) -> None:
    from gateway.health import table, worst

    if as_json:
        told = {"state": worst(findings), "findings": [asdict(one) for one in findings]}
        typer.echo(json.dumps(told, ensure_ascii=False, indent=2))
    else:
        for line in table(findings):
            typer.echo(line)
