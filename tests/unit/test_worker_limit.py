import pytest

from deployments.embedded.worker import most_runs

_GB = 1024**3


@pytest.mark.parametrize(
    ("configured", "processors", "memory", "runs"),
    [
        (None, 2, 64 * _GB, 16),
        (None, 16, 4 * _GB, 20),
        (None, 1, _GB // 2, 4),
        (3, 16, 64 * _GB, 3),
        (100, 1, _GB, 100),
    ],
)
def test_the_worker_starts_what_the_machine_bears_or_what_is_set(
    configured: int | None, processors: int, memory: int, runs: int
) -> None:
    assert most_runs(configured, processors=processors, memory=memory) == runs
