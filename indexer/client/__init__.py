"""Clients of an index, one per protocol that it may speak."""
