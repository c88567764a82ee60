"""sql remembers: tables, every SQL statement, migrations and row level security."""
