"""What agents can use: files of their own, shared memory, proposals of steps, and the actions of services."""
