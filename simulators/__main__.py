"""`python -m simulators`: the same as `drim-sim`."""

from simulators.cli import app

app()
