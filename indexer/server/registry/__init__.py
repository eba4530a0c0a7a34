"""What the index holds, in its tables."""
