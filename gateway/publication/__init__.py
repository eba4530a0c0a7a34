"""Step 2: from what is known of a study to its pointer in the index."""
