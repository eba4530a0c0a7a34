"""`python -m benchmarks`: measure our programs on this machine, and keep what was measured."""

import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from benchmarks.gateway import (
    described,
    described_plot,
    ingest,
    large,
    manifests,
    manifests_plot,
    pull,
    qido,
    qido_plot,
    rendered,
    rendered_plot,
    retrieve,
    retrieve_plot,
    wire_plot,
)
from benchmarks.index import memory, memory_plot, publish, publish_plot, search, search_plot
from benchmarks.index.messages import Protocol
from benchmarks.index.proving import cpu_ms_of_proving
from benchmarks.index.stores import Engine
from benchmarks.kit.pairing import Pairing
from benchmarks.kit.results import RESULTS, keep
from tests.support import confined

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)

Into = Annotated[
    Path,
    typer.Option(
        "--into",
        help="Folder for JSON and PNG.",
        metavar="FOLDER",
        show_default="benchmarks/results",
    ),
]
Engines = Annotated[
    list[Engine] | None, typer.Option("--engine", help="May be given again; without it, both.")
]


@app.callback()
def main() -> None:
    """Benchmarks of gateway and index. They use loopback and folders for temporary files alone."""


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
    for one in publish.measure(plan, engine or list(Engine), protocol or list(Protocol)):
        typer.echo(one.line())
        measured.append(one)
    proving = cpu_ms_of_proving(assertions=min(submissions, 200), rounds=rounds)
    typer.echo(f"CPU of proving who submits, by a VIHF: {proving} ms")
    figures = {
        "plan": plan,
        "pairings": [one.figures() for one in measured],
        "vihf_cpu_ms": proving,
    }
    server = Engine.POSTGRESQL in (engine or list(Engine))
    keep("publish", figures, into=into, command=_command(), server=server)
    publish_plot.draw(measured, into / "publish.png")


@app.command("search")
def search_command(
    *,
    entries: Annotated[
        list[int] | None,
        typer.Option(min=1, help="Size of an index; may be given again. 10^7 takes 60 GiB."),
    ] = None,
    searches: Annotated[int, typer.Option(min=1)] = 1000,
    rounds: Annotated[int, typer.Option(min=1)] = 5,
    engine: Engines = None,
    filled: Annotated[
        Path | None,
        typer.Option(help="Folder where filled indexes stay for later runs.", metavar="FOLDER"),
    ] = None,
    into: Into = RESULTS,
) -> None:
    """Searches for a patient's documents as the index grows. Ten minutes and 10 GiB of disk."""
    sizes = sorted(entries) if entries else search.Plan().sizes
    plan = search.Plan(sizes=sizes, searches=searches, rounds=rounds)
    measured = []
    tell = partial(typer.echo, err=True)
    for one in search.measure(plan, engine or list(Engine), kept_in=filled, tell=tell):
        typer.echo(one.line())
        measured.append(one)
    server = Engine.POSTGRESQL in (engine or list(Engine))
    figures = {"plan": plan, "sizes": measured}
    keep("search", figures, into=into, command=_command(), server=server)
    search_plot.draw(measured, into / "search.png")


@app.command("qido")
def qido_command(
    *,
    studies: Annotated[int, typer.Option(min=8, help="Of each server that is compared.")] = 20_000,
    sizes: Annotated[
        list[int] | None, typer.Option("--size", min=8, help="Of the gateway alone.")
    ] = None,
    searches: Annotated[int, typer.Option(min=1)] = 2000,
    rounds: Annotated[int, typer.Option(min=1)] = 5,
    into: Into = RESULTS,
) -> None:
    """Searches for a patient's studies, beside Orthanc and as the archive grows. 15 minutes."""
    plan = qido.Plan(
        studies=studies,
        sizes=sorted(sizes) if sizes else qido.Plan().sizes,
        searches=searches,
        peer_searches=min(searches, qido.Plan().peer_searches),
        rounds=rounds,
    )
    compared, grown = [], []
    for pair in qido.compare(plan):
        typer.echo(pair.line())
        compared.append(pair)
    for size in qido.grow(plan):
        typer.echo(size.line())
        grown.append(size)
    figures = {"plan": plan, "compared": compared, "sizes": grown}
    keep("qido", figures, into=into, command=_command(), server=False)
    qido_plot.draw(compared, grown, into / "qido.png")


@app.command("retrieve")
def retrieve_command(
    *,
    studies: Annotated[int, typer.Option(min=1, help="Of 100 MiB; each is held thrice.")] = 20,
    instances: Annotated[int, typer.Option(min=1, help="Of a study.")] = 200,
    clients: Annotated[
        list[int] | None, typer.Option(min=1, help="At once; may be given again.")
    ] = None,
    fetches: Annotated[int, typer.Option(min=1, help="Studies in a turn.")] = 32,
    rounds: Annotated[int, typer.Option(min=1)] = 5,
    metadata: Annotated[int, typer.Option(min=1, help="Requests, under load and without.")] = 2000,
    into: Into = RESULTS,
) -> None:
    """Studies by WADO-RS, beside Orthanc and nginx. Ten minutes and 6 GiB of disk."""
    plan = retrieve.Plan(
        studies=studies,
        instances=instances,
        clients=tuple(clients or retrieve.Plan().clients),
        fetches=fetches,
        rounds=rounds,
        metadata=metadata,
    )
    loads, waits = retrieve.measure(plan, tell=partial(typer.echo, err=True))
    beside = [f"metadata of {name}: {one.line()}" for name, one in waits.items()]
    for told in [*(one.line() for one in loads), *beside]:
        typer.echo(told)
    figures = {
        "plan": plan,
        "loads": [one.figures() for one in loads],
        "metadata_beside_downloads": {name: one.figures() for name, one in waits.items()},
    }
    keep("retrieve", figures, into=into, command=_command(), server=False)
    retrieve_plot.draw(loads, into / "retrieve.png")


@app.command("memory")
def memory_command(
    *,
    submissions: Annotated[int, typer.Option(min=2)] = 1_000_000,
    seconds_max: Annotated[float, typer.Option(help="The run ends after that.")] = 3600.0,
    samples: Annotated[int, typer.Option(min=2)] = 200,
    engine: Annotated[Engine, typer.Option()] = Engine.SQLITE,
    into: Into = RESULTS,
) -> None:
    """Memory of the index over many submissions. An hour, and 10 kB of disk for each."""
    plan = memory.Plan(submissions=submissions, seconds_max=seconds_max, samples=samples)
    curve = memory.measure(plan, engine, tell=typer.echo)
    typer.echo(curve.line())
    server = engine is Engine.POSTGRESQL
    keep("memory", curve.figures(), into=into, command=_command(), server=server)
    memory_plot.draw(curve, into / "memory.png")


@app.command("manifest")
def manifest_command(
    *,
    references: Annotated[int, typer.Option(min=1, max=20_000)] = 500,
    rounds: Annotated[int, typer.Option(min=1)] = 21,
    into: Into = RESULTS,
) -> None:
    """A manifest written and read, beside plain pydicom. Some seconds."""
    plan = manifests.Plan(references=references, rounds=rounds)
    deeds = manifests.measure(plan)
    for one in deeds:
        typer.echo(one.line())
    figures = {"plan": plan, "deeds": [one.figures() for one in deeds]}
    keep("manifest", figures, into=into, command=_command(), server=False)
    manifests_plot.draw(deeds, into / "manifest.png")


@app.command("rendered")
def rendered_command(
    *,
    instances: Annotated[int, typer.Option(min=1)] = 100,
    requests: Annotated[int, typer.Option(min=1, help="Of each round.")] = 400,
    rounds: Annotated[int, typer.Option(min=1)] = 5,
    into: Into = RESULTS,
) -> None:
    """Pictures of a study, beside Orthanc. A minute."""
    plan = rendered.Plan(instances=instances, requests=requests, rounds=rounds)
    measured = []
    for one in rendered.measure(plan):
        typer.echo(one.line())
        measured.append(one)
    figures = {"plan": plan, "pairings": [one.figures() for one in measured]}
    keep("rendered", figures, into=into, command=_command(), server=False)
    rendered_plot.draw(measured, into / "rendered.png")


@app.command("ingest")
def ingest_command(
    *,
    instances: Annotated[int, typer.Option(min=1, help="Of each of four studies.")] = 200,
    rounds: Annotated[int, typer.Option(min=1)] = 5,
    into: Into = RESULTS,
) -> None:
    """Instances a second by C-STORE, beside Orthanc and storescp. Some minutes."""
    plan = ingest.Plan(instances=instances, rounds=rounds)
    measured = []
    for one in ingest.measure(plan):
        typer.echo(one.line())
        measured.append(one)
    figures = {"plan": plan, "ingests": [one.figures() for one in measured]}
    keep("ingest", figures, into=into, command=_command(), server=False)
    wire_plot.draw_ingest(measured, into / "ingest.png")


@app.command("pull")
def pull_command(
    *,
    instances: Annotated[int, typer.Option(min=1)] = 200,
    rounds: Annotated[int, typer.Option(min=1)] = 5,
    into: Into = RESULTS,
) -> None:
    """A study of a PACS, through the gateway to a viewer, beside DCMTK's pull. Some minutes."""
    plan = pull.Plan(instances=instances, rounds=rounds)
    measured = []
    for one in pull.measure(plan):
        typer.echo(one.line())
        measured.append(one)
    figures = {"plan": plan, "pulls": [one.figures() for one in measured]}
    keep("pull", figures, into=into, command=_command(), server=False)
    wire_plot.draw_pull(measured, into / "pull.png")


@app.command("metadata")
def metadata_command(
    *,
    instances: Annotated[int, typer.Option(min=1)] = 200,
    requests: Annotated[int, typer.Option(min=1)] = 200,
    rounds: Annotated[int, typer.Option(min=1)] = 5,
    into: Into = RESULTS,
) -> None:
    """Metadata of a study, beside Orthanc and nginx. Some minutes."""
    plan = described.Plan(instances=instances, requests=requests, rounds=rounds)
    _tell_pairings("metadata", described.measure_metadata(plan), plan, into)


@app.command("frames")
def frames_command(
    *,
    frames: Annotated[int, typer.Option(min=2, help="Of the long objects.")] = 2000,
    requests: Annotated[int, typer.Option(min=1, max=2000)] = 1000,
    rounds: Annotated[int, typer.Option(min=1)] = 5,
    into: Into = RESULTS,
) -> None:
    """Frames, beside Orthanc. Some minutes."""
    plan = described.Plan(frames=frames, requests=requests, rounds=rounds)
    _tell_pairings("frames", described.measure_frames(plan), plan, into)


@app.command("large")
def large_command(
    *,
    instances: Annotated[
        list[int] | None, typer.Option(min=1, help="Of a study; may be given again.")
    ] = None,
    frames: Annotated[
        int, typer.Option(min=1, help="Of the one study of long instances, 0.5 MiB each.")
    ] = 16,
    long_instances: Annotated[int, typer.Option(min=1, help="Of that study.")] = 512,
    requests: Annotated[int, typer.Option(min=1)] = 5,
    into: Into = RESULTS,
) -> None:
    """Large studies: until the first byte, and their memory. Ten minutes and 6 GiB of disk."""
    *of_many, _ = large.Plan().studies
    if instances:
        of_many = [replace(of_many[0], instances=many) for many in instances]
    long = large.Shape(instances=long_instances, frames=frames)
    plan = large.Plan(studies=[*of_many, long], requests=requests)
    measured = []
    for one in large.measure(plan, tell=partial(typer.echo, err=True)):
        typer.echo(one.line())
        measured.append(one)
    figures = {"plan": plan, "studies": measured}
    keep("large", figures, into=into, command=_command(), server=False)


def _tell_pairings(
    name: str, measured: Sequence[Pairing], plan: described.Plan, into: Path
) -> None:
    for one in measured:
        for line in one.lines():
            typer.echo(line)
    figures = {"plan": plan, "pairings": [one.figures() for one in measured]}
    keep(name, figures, into=into, command=_command(), server=False)
    title = f"{name.capitalize()}, by the gateway and others"
    described_plot.draw(measured, into / f"{name}.png", title=title)


@app.command("all")
def all_command(*, into: Into = RESULTS) -> None:
    """Each of the others, one after the other. Some hours, and 20 GiB of disk."""
    names = [str(one.name) for one in app.registered_commands if one.name != "all"]
    for number, name in enumerate(names, start=1):
        typer.echo(f"{number} of {len(names)}: {name}")
        command = [sys.executable, "-m", "benchmarks", name, "--into", str(into)]
        subprocess.run(command, check=True)


def _command() -> str:
    """As it was given, but for folders of this machine."""
    given = sys.argv[1:]
    for option in {"--into", "--filled"} & set(given):
        at = given.index(option)
        del given[at : at + 2]
    return " ".join(["python -m benchmarks", *given])


if __name__ == "__main__":
    if confined.ALONE not in os.environ:  # a network of our own first: see `peers`
        module = [sys.executable, "-m", "benchmarks", *sys.argv[1:]]
        os.execv(sys.executable, [sys.executable, confined.__file__, "", "", *module])
    app(prog_name="python -m benchmarks")
