"""The index's schema, one numbered file after another."""
