"""Attempts of steps as lines of a table."""

from sql.tables import AgentInvocation, utc_now

COLUMNS = ("step", "agent", "engine", "status", "seconds", "tokens", "cost_usd")


def attempt_row(row: AgentInvocation) -> dict[str, object]:
    """Return an attempt as one line of a table."""
    end = row.completed_at or utc_now()
    return {
        "step": row.step_id,
        "agent": row.agent_name,
        "engine": row.engine_type,
        "status": row.status,
        "seconds": f"{(end - row.started_at).total_seconds():.1f}",
        "tokens": row.tokens,
        "cost_usd": f"{row.cost_usd:.6f}",
    }
