"""`python -m indexer.server` is `drim-index`."""

from indexer.server.cli import app

app()
