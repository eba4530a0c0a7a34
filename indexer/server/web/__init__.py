"""The addresses of the index."""
