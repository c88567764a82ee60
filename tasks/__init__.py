"""tasks do: Prefect tasks of each engine type, and the durable writes around them."""
