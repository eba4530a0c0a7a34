"""What `drim-index` does beside serving."""
