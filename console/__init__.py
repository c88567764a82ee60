"""console faces people: the `maos` command line."""
