"""What the demo tells: a line per study as it goes, a table at the end, and a file of JSON."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from simulators.demo.story import Case, Outcome


def describe(case: Case) -> str:
    """A study's way, in a few words."""
    if case.set_aside_as:
        return f"{case.examination.modality}, reported as something else ({case.set_aside_as})"
    order = "report first" if case.report_first else "images first"
    return f"{case.examination.modality}, images in the {case.images}, {order}"


def show_outcome(console: Console, outcome: Outcome) -> None:
    """One line on a study that is over, then one for each of its faults."""
    if outcome.case.set_aside_as:
        end = "set aside" if outcome.held else "not set aside as it should be"
    elif outcome.held:
        end = (
            f"{outcome.instances} instances found after {outcome.findable_ms} ms, "
            f"{_size(outcome.bytes_fetched)} came back the same"
        )
    else:
        end = "did not come through"
    mark = "[green]✓[/]" if outcome.held else "[red]✗[/]"
    console.print(f"{mark} {describe(outcome.case)}: {end}", highlight=False, soft_wrap=True)
    for fault in outcome.faults:
        console.print(f"    {fault}", style="red", highlight=False, markup=False, soft_wrap=True)


def show_table(console: Console, outcomes: Sequence[Outcome]) -> None:
    """One row per study."""
    table = Table(box=SIMPLE, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    for heading in ("", "images", "first", "state"):
        table.add_column(heading, no_wrap=True)
    for heading in ("instances", "findable", "fetched", "digests"):
        table.add_column(heading, justify="right", no_wrap=True)
    for outcome in outcomes:
        case = outcome.case
        table.add_row(
            case.examination.modality,
            str(case.images),
            "report" if case.report_first else "images",
            _state(outcome),
            str(outcome.instances),
            "" if outcome.findable_ms is None else f"{outcome.findable_ms} ms",
            _size(outcome.bytes_fetched) if outcome.bytes_fetched else "",
            {True: "equal", False: "DIFFER", None: ""}[outcome.digests_equal],
            style="" if outcome.held else "red",
        )
    console.print(table)


def write_json(path: Path, outcomes: Sequence[Outcome], urls: Mapping[str, str], ok: bool) -> None:
    """The outcomes for a script, with the keys that scripts rely on."""
    content = {"ok": ok, "urls": dict(urls), "studies": [_as_json(each) for each in outcomes]}
    path.write_text(json.dumps(content, indent=2) + "\n")


def _as_json(outcome: Outcome) -> dict[str, Any]:
    examination = outcome.case.reported
    return {
        "study_uid": examination.study_uid,
        "ins": examination.patient.ins,
        "oid": examination.patient.ins_oid,
        "modality": examination.modality,
        "instances": outcome.instances,
        "published": outcome.published,
        "set_aside": outcome.set_aside,
        "findable_ms": outcome.findable_ms,
        "bytes_fetched": outcome.bytes_fetched,
        "digests_equal": outcome.digests_equal,
    }


def _state(outcome: Outcome) -> str:
    if outcome.set_aside:
        return outcome.case.set_aside_as
    return "published" if outcome.published else "missing"


def _size(count: int) -> str:
    return f"{count / 1e6:.2f} MB"
