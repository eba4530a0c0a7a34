"""`drim-sim demo`: one command that has real programs carry real studies all the way."""

import asyncio
import shutil
import signal
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydicom import config as pydicom_config
from rich.console import Console

from simulators.demo.cast import SEED, cast_disagreeing, cast_found, cast_synthetic
from simulators.demo.folder import find_studies
from simulators.demo.programs import Ports, ProgramFailed
from simulators.demo.story import Case, Outcome, check_set_aside, tell_story
from simulators.demo.telling import describe, show_outcome, show_table, write_json
from simulators.demo.world import World, open_world

STUDIES = 6
_LEFT_OUT_SHOWN_MAX = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoOptions:
    """What the command line asks."""

    once: bool = False
    json: Path | None = None
    studies: int | None = None
    folder: Path | None = None
    data_dir: Path | None = None
    port_base: int | None = None


def run_demo(options: DemoOptions) -> int:
    """Play the demo; 0 if all of the story held, 1 if not, 130 if it was broken off."""
    console = Console()
    # Files of the real world hold values that the standard forbids; they go out as they are.
    pydicom_config.settings.reading_validation_mode = pydicom_config.IGNORE
    own_folder = options.data_dir is None
    data_dir = options.data_dir or Path(tempfile.mkdtemp(prefix="drim-demo-"))
    code = 1
    try:
        code = 0 if asyncio.run(_play(console, options, data_dir)) else 1
    except* ProgramFailed as failures:
        for failure in failures.exceptions:
            text = str(failure)
            console.print(text, style="red", markup=False, highlight=False, soft_wrap=True)
    except* asyncio.CancelledError:
        code = 130
    logs = data_dir / "logs"  # not there if nothing was started
    if code == 1 and logs.is_dir():
        console.print(f"The programs' logs are in {logs}", highlight=False, soft_wrap=True)
    elif own_folder:
        shutil.rmtree(data_dir, ignore_errors=True)
    return code


async def _play(console: Console, options: DemoOptions, data_dir: Path) -> bool:
    cases = _cast(console, options, data_dir / "studies")
    if not cases:
        console.print("There is no study to play with.", style="red")
        return False
    ports = Ports.free() if options.port_base is None else Ports.from_base(options.port_base)
    _when_interrupted(_this_task().cancel)
    console.print("Starting an index, a gateway and an imaging centre …")
    async with open_world(data_dir, ports) as world:
        outcomes = await _perform(console, world, cases, cast_disagreeing(data_dir / "studies"))
        ok = all(outcome.held for outcome in outcomes)
        show_table(console, outcomes)
        if options.json is not None:
            write_json(options.json, outcomes, world.urls, ok)
        held = sum(outcome.held for outcome in outcomes)
        verdict = "Everything held" if ok else f"{len(outcomes) - held} did not hold"
        console.print(f"{verdict}: {held} of {len(outcomes)} studies.", style="bold")
        if not options.once:
            for name, url in world.urls.items():
                console.print(f"  {name:8} {url}", highlight=False)
            stopped = asyncio.Event()
            _when_interrupted(stopped.set)
            console.print("Up until Ctrl-C.")
            await stopped.wait()
    return ok


def _cast(console: Console, options: DemoOptions, folder: Path) -> list[Case]:
    if options.folder is None:
        return cast_synthetic(STUDIES if options.studies is None else options.studies, folder)
    studies, left_out = find_studies(options.folder, seed=SEED, count_max=options.studies)
    for one in left_out[:_LEFT_OUT_SHOWN_MAX]:
        text = f"Left out {one.path.name}: {one.reason}"
        console.print(text, markup=False, highlight=False, soft_wrap=True)
    if (more := len(left_out) - _LEFT_OUT_SHOWN_MAX) > 0:
        console.print(f"… and {more} more.", highlight=False)
    return cast_found(studies)


async def _perform(
    console: Console, world: World, cases: Sequence[Case], disagreeing: Sequence[Case]
) -> list[Outcome]:
    """Play the cases one by one, so that each one's time is its own.

    Those that disagree are told first and looked for last: had the gateway published one of them,
    it would have done so while the others passed.
    """
    waiting = [await _tell(console, world, case) for case in disagreeing]
    outcomes = []
    for case in cases:
        outcomes.append(await _tell(console, world, case))
        show_outcome(console, outcomes[-1])
    for outcome in waiting:
        outcomes.append(await check_set_aside(world, outcome))
        show_outcome(console, outcomes[-1])
    return outcomes


async def _tell(console: Console, world: World, case: Case) -> Outcome:
    with console.status(describe(case)):
        return await tell_story(world, case)


def _this_task() -> "asyncio.Task[object]":
    task = asyncio.current_task()
    assert task is not None, "called from a coroutine"
    return task


def _when_interrupted(act: Callable[[], object]) -> None:
    """Have Ctrl-C and SIGTERM do this from now on."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, act)
