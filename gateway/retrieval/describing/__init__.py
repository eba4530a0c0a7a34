"""What is known of stored files: each is described once, and its metadata lies ready."""
