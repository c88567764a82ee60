"""What the audit log binds of an attempt: everything that was done, delivered and paid for, by one digest."""

from collections.abc import Mapping

from maos.canonical import digest_of

# Columns of `agent_invocations`; of the engine its label, of the output its digest.
ATTEMPT_FACTS = (
    *("id", "run_id", "step_id", "attempt", "run_attempt", "agent_name", "engine", "action", "rehearsal", "status"),
    *("approval_id", "digest", "rules_version", "policy_version", "input_summary", "output_summary", "output_digest"),
    *("artifacts", "input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens", "token_cost_estimate"),
    *("cost_usd", "error_kind", "error_summary", "started_at", "completed_at"),
)


def result_digest(facts: Mapping[str, object]) -> str:
    """Return the digest of an attempt as it ended.

    Args:
        facts: its columns in plain form, `ATTEMPT_FACTS` at least.
    """
    return digest_of({name: facts[name] for name in ATTEMPT_FACTS})
