"""What a person reads at a terminal who brings files in, or has them written."""

import errno
import os
import pty
import re
import sys
from contextlib import suppress
from pathlib import Path
from subprocess import Popen

import pytest
from typer.testing import CliRunner

from gateway.cli import app
from tests.support.commands import gateway_command
from tests.support.media import a_folder


def at_a_terminal(*arguments: str | Path, data_dir: Path) -> str:
    """All that the command shows on a terminal."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "gateway", *map(str, arguments)]
    env = {**os.environ, "GATEWAY_DATA_DIR": str(data_dir), "TERM": "xterm"}
    with Popen(command, env=env, stdin=theirs, stdout=theirs, stderr=theirs):
        os.close(theirs)
        shown = b""
        with suppress(OSError):  # how Linux tells that nobody writes any more
            while data := os.read(ours, 65536):
                shown += data
        os.close(ours)
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown.decode())


def test_what_came_of_it_stands_below_the_bar(tmp_path: Path) -> None:
    medium = a_folder(tmp_path / "medium", {"notes.txt": b"1"})

    shown = at_a_terminal("import", medium, data_dir=tmp_path / "gateway")

    assert shown.splitlines()[-2:] == ["skipped 1 file", "  1 not a DICOM file"]
    assert "1/1" in shown


def test_a_medium_without_a_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "medium").mkdir()
    settings = {"GATEWAY_DATA_DIR": str(tmp_path / "gateway")}

    run = gateway_command("import", tmp_path / "medium", settings=settings)

    assert (run.returncode, run.stdout) == (0, "there is nothing to take in\n")


def test_a_full_disk_is_told_in_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    async def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))  # as `write` raises it

    monkeypatch.setattr("gateway.app.files.export_pointers", full)

    run = CliRunner().invoke(app, ["export", "--to", str(tmp_path / "out.zip")])

    assert (run.exit_code, run.stderr) == (1, "drim-gateway: No space left on device\n")
