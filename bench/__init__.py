"""Claims of speed, each measured beside what PostgreSQL itself can do on the same machine at the same moment."""
