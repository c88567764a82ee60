"""Actions of the `internal_service` engine, one module a noun."""
