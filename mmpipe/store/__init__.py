"""Journal, database: what survives a process."""
