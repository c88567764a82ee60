"""flows order: one file per entrypoint, the plan executor and the gate."""
