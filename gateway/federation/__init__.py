"""Step 3: from a patient to the pointers of their studies."""
