"""Step 1 of the way: what is told of a study comes in by its doors."""
