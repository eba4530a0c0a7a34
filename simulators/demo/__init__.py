"""The whole world on one machine: a centre, its gateway, the index and a viewer, in one command."""
