"""What a process has used, as the kernel counts it (proc(5))."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

STEP_S: Final = 1 / os.sysconf("SC_CLK_TCK")
"""Steps in which CPU is counted."""
_PAGE_BYTES: Final = os.sysconf("SC_PAGE_SIZE")


def cpu_seconds(pid: int) -> float:
    """CPU of a process and of all that it started, the ended ones too, in steps of `STEP_S`."""
    return sum(_own_ticks(one) for one in _family(pid)) * STEP_S


def resident_bytes(pid: int) -> int:
    """Memory of the one process that is resident now."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE_BYTES


def most_resident_bytes(pid: int) -> int:
    """The most that was, since its start or the last reset."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    [told] = [one.split()[1] for one in lines if one.startswith("VmHWM:")]
    return int(told) * 1024


def reset_most_resident(pid: int) -> None:
    """Forget what was the most."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")


def written_bytes(pid: int) -> int:
    """Bytes that a process, and what it started and still runs, caused to be written to disk."""
    return sum(_own_written_bytes(one) for one in _family(pid))


def _own_ticks(pid: int) -> int:
    # The name, in brackets, may hold blanks; what follows starts with the third field.
    fields = _read(f"/proc/{pid}/stat").rpartition(")")[2].split()
    return sum(map(int, fields[11:15]))


def _own_written_bytes(pid: int) -> int:
    told = [one.split()[1] for one in _read(f"/proc/{pid}/io").splitlines() if "write_b" in one]
    return sum(map(int, told[:1]))  # what was written and then thrown away is told apart


def _family(pid: int) -> Iterator[int]:
    yield pid
    for task in Path(f"/proc/{pid}/task").glob("*"):
        for child in _read(f"{task}/children").split():
            yield from _family(int(child))


def _read(path: str) -> str:
    """Empty where the process has just ended: its parent's count then holds what it used."""
    try:
        return Path(path).read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""
