"""The embedded stack: PostgreSQL, Prefect server and worker on one machine, started, watched, mended and stopped."""
