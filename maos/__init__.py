"""maos decides: pure functions over frozen models, without clock, network or database."""
