"""Kit: the database seam, its engines, migrations, named queries, records and objects on disk."""
