"""What the audit log binds of other tables: their facts by one digest, which their rows must still have later."""

from collections.abc import Mapping

from maos.canonical import digest_of

# An attempt as it ended. Columns of `agent_invocations`; of the engine its label, of the output its digest.
ATTEMPT = (
    *("id", "run_id", "step_id", "attempt", "run_attempt", "agent_name", "engine", "action", "rehearsal", "status"),
    *("approval_id", "digest", "rules_version", "policy_version", "input_summary", "output_summary", "output_digest"),
    *("artifacts", "input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens", "token_cost_estimate"),
    *("cost_usd", "error_kind", "error_summary", "started_at", "completed_at", "retry_at", "task_run_id"),
    "reused_from",
)
# An approval as it was asked for, without what a decision may change.
REQUEST = (
    *("id", "run_id", "step_id", "action", "engine", "kind", "title", "risk", "policy", "initiator_id", "started_at"),
)
# A run as it was opened, and as it ended.
OPENING = (
    *("id", "org_id", "title", "initiator_type", "initiator_id", "entrypoint", "origin_type", "origin_id", "autonomy"),
    *("rehearsal", "parent_run_id", "started_at", "request_digest"),
)
END = ("status", "error_summary", "result_digest")


def bound_digest(facts: Mapping[str, object], names: tuple[str, ...]) -> str:
    """Return the digest of some facts.

    Args:
        facts: columns in plain form, more than the named ones perhaps.

    Raises:
        KeyError: when one is missing.
    """
    return digest_of({name: facts[name] for name in names})
