"""What is done with records: each act by its rights, and told in the journal."""
