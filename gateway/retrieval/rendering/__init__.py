"""Makes pictures and texts of instances: what a client asks for, and how a worker makes it."""
