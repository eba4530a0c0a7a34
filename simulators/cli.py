"""The program `drim-sim`."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(
    name="drim-sim",
    help="The world around a gateway: imaging centres, viewers, and a demo of it all.",
    no_args_is_help=True,
    add_completion=False,
)


def _in_a_folder(file: Path | None) -> Path | None:
    if file is not None and not file.absolute().parent.is_dir():
        raise typer.BadParameter(f"there is no folder {file.parent}")
    return file


@app.command()
def demo(
    *,
    once: Annotated[
        bool, typer.Option("--once", help="End when the story is over; else stay up.")
    ] = False,
    json: Annotated[
        Path | None,
        typer.Option("--json", help="Write the outcome.", metavar="FILE", callback=_in_a_folder),
    ] = None,
    studies: Annotated[
        int | None,
        typer.Option("--studies", min=1, max=1000, help="How many, beside two that disagree."),
    ] = None,
    from_folder: Annotated[
        Path | None,
        typer.Option(
            "--from",
            help="Play with the DICOM files of this folder.",
            metavar="FOLDER",
            exists=True,
            file_okay=False,
        ),
    ] = None,
    data_dir: Annotated[
        Path | None,
        typer.Option("--data-dir", help="Keep what the programs write here.", metavar="DIR"),
    ] = None,
    port_base: Annotated[
        int | None,
        typer.Option(
            "--port-base",
            min=1024,
            max=65_000,
            help="First of five ports: gateway HTTP, DICOM and MLLP, index, centre.",
        ),
    ] = None,
) -> None:
    """Have real programs carry studies from a centre to a viewer. Exits 0 only if all held."""
    # Late: reading DICOM needs libraries that take seconds to load, and --help does not.
    from simulators.demo.performance import DemoOptions, run_demo

    options = DemoOptions(
        once=once,
        json=json,
        studies=studies,
        folder=from_folder,
        data_dir=data_dir,
        port_base=port_base,
    )
    raise typer.Exit(run_demo(options))


@app.command()
def centre(
    *,
    folder: Annotated[
        Path, typer.Option("--folder", help="Where instances are kept; made if missing.")
    ],
    ae_title: Annotated[str, typer.Option("--ae-title", help="AE title of the PACS.")] = "PACS",
    port: Annotated[
        int, typer.Option("--port", min=0, max=65_535, help="0 takes any free port.")
    ] = 11_113,
    destination: Annotated[
        list[str] | None,
        typer.Option("--destination", help="Where it may move to.", metavar="AE=HOST:PORT"),
    ] = None,
    notify: Annotated[
        str | None,
        typer.Option("--notify", help="Whom it tells of new studies.", metavar="AE=HOST:PORT"),
    ] = None,
    quiet_s: Annotated[
        float, typer.Option("--quiet-s", min=0, help="Seconds of quiet before it tells.")
    ] = 2.0,
) -> None:
    """Run a PACS on loopback until SIGTERM or Ctrl-C. Exits 2 on a bad address, 1 if it cannot.

    Says `listening HOST:PORT` when it does, then `notified STUDY EPOCH_MS` for each study.
    """
    from simulators.imaging_centre.dimse import DicomAddress
    from simulators.imaging_centre.program import run_centre

    try:
        destinations = [DicomAddress.parse(text) for text in destination or []]
        gateway = DicomAddress.parse(notify) if notify is not None else None
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    try:
        run_centre(
            DicomAddress(ae_title, "127.0.0.1", port),
            folder,
            destinations=destinations,
            notify=gateway,
            quiet_s=quiet_s,
            say=typer.echo,
        )
    except OSError as error:
        typer.echo(f"drim-sim: {error}", err=True)
        raise typer.Exit(1) from None
