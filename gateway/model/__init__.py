"""Words and rules of a study's way; no I/O, no clock, no settings."""
