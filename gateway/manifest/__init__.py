"""The manifest of a study and its index entry: pure, no I/O, no clock, no settings."""
