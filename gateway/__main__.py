"""`python -m gateway` is `drim-gateway`."""

from gateway.cli import app

app()
