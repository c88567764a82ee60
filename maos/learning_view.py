"""What a person reads before signing an exemption, in Markdown: what it would let run, and what it is based on."""

from maos.actions import JsonObject
from maos.approval_view import as_code
from maos.learning import LEAST_BOUND, LEAST_DECIDERS, LEAST_DECISIONS, REMEMBERED, Likeness, TrackRecord


def basis_of(record: TrackRecord) -> JsonObject:
    """Return the numbers of a record as they are kept with the exemption they speak for."""
    return {
        **record.model_dump(mode="json"),
        "bound": f"{record.bound:.6f}",
        "deciders": record.deciders,
        "least": {"bound": str(LEAST_BOUND), "decisions": LEAST_DECISIONS, "deciders": LEAST_DECIDERS},
        "days": REMEMBERED.days,
    }


def proposal_as_markdown(likeness: Likeness, record: TrackRecord) -> str:
    """Return the preview of a proposal."""
    people = "\n".join(
        f"| {as_code(person)} | {number} | {number / record.decisions:.0%} |"
        for person, number in sorted(record.by_person.items(), key=lambda each: (-each[1], each[0]))
    )
    return (
        f"In semi-autonomous runs{_of_team(likeness)}, actions like these would run without asking anybody:\n\n"
        f"- action {as_code(likeness.action)} of {likeness.risk.value} risk\n"
        f"- shape {as_code(likeness.shape)}\n\n"
        "One rejection or failure of such an action withdraws it at once. It never holds in supervised runs, where "
        "the rules or the action always ask, or where the risk is raised.\n\n"
        f"**Based on {REMEMBERED.days} days**\n\n"
        f"- {record.approvals} of {record.decisions} decisions approved; lower bound {record.bound:.4f}\n"
        f"- {record.at_once} more approved at once with others, which do not count\n"
        f"- {record.rollbacks} rolled back\n\n"
        f"| person | decisions | share |\n|---|---|---|\n{people}\n\n{_who_may_not(record)}"
    )


def _of_team(likeness: Likeness) -> str:
    return f" of team {as_code(likeness.team)}" if likeness.team else ""


def _who_may_not(record: TrackRecord) -> str:
    if not record.majority:
        return "Nobody made more than half of these decisions.\n"
    names = ", ".join(map(as_code, sorted(record.majority)))
    return f"**{names} made more than half of these decisions** and may not sign.\n"
