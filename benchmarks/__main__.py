"""`python -m benchmarks`: measure the index on this machine, and keep what was measured."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from benchmarks import publish, publish_plot
from benchmarks.messages import Protocol
from benchmarks.results import RESULTS, keep
from benchmarks.stores import Engine

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)

Into = Annotated[Path, typer.Option("--into", help="Folder for JSON and PNG.", metavar="FOLDER")]
Engines = Annotated[
    list[Engine] | None, typer.Option("--engine", help="May be given again; without it, SQLite.")
]


@app.callback()
def main() -> None:
    """Benchmarks of the index. They use loopback and folders for temporary files alone."""


@app.command("publish")
def publish_command(
    *,
    submissions: Annotated[int, typer.Option(min=1)] = 2000,
    references: Annotated[int, typer.Option(min=1, help="Instances that a manifest lists.")] = 200,
    connections: Annotated[int, typer.Option(min=1, max=512)] = 64,
    rounds: Annotated[int, typer.Option(min=1)] = 5,
    engine: Engines = None,
    protocol: Annotated[
        list[Protocol] | None, typer.Option(help="May be given again; without it, all.")
    ] = None,
    into: Into = RESULTS,
) -> None:
    """Submissions a second, held durably, beside a bare loop. Some minutes."""
    plan = publish.Plan(
        submissions=submissions, references=references, connections=connections, rounds=rounds
    )
    measured = []
    for one in publish.measure(plan, engine or [Engine.SQLITE], protocol or list(Protocol)):
        typer.echo(one.line())
        measured.append(one)
    figures = {"plan": plan, "pairings": [one.figures() for one in measured]}
    keep("publish", into=into, figures=figures, command=_command())
    publish_plot.draw(measured, into / "publish.png")


def _command() -> str:
    return " ".join(["python -m benchmarks", *sys.argv[1:]])


if __name__ == "__main__":
    app(prog_name="python -m benchmarks")
