"""Gathering what an organisation has done, to judge it by proposed rules."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from maos.actions import JsonObject
from maos.autonomy import AutonomyLevel
from maos.rules_rehearsal import PastAction, Reviewer
from sql import past_actions
from sql.approval_tables import AgentPendingAction
from sql.past_actions import PastStep
from sql.session import org_session
from sql.tables import OrchestratorRun

_Key = tuple[UUID, str]


def past_actions_of(org_id: UUID, since: datetime) -> tuple[list[PastAction], list[Reviewer]]:
    """Return every action that was begun or asked about since a time, and who may decide approvals now."""
    with org_session(org_id) as session:
        begun = {(step.run_id, step.step_id): step for step in past_actions.steps_since(org_id, since, session=session)}
        requests = past_actions.requests_since(org_id, since, session=session)
        asked = {(row.run_id, row.step_id): row for row in requests if row.run_id}
        keys = list(dict.fromkeys([*begun, *asked]))
        runs = past_actions.runs_of_ids([*{run_id for run_id, _ in keys}], session=session)
        members = past_actions.members_of(org_id, session=session)
    past = [_past(key, begun.get(key), asked.get(key), runs[key[0]]) for key in keys]
    return past, [Reviewer(email=email, roles=roles) for email, roles in sorted(members.items())]


def _past(key: _Key, begun: PastStep | None, asked: AgentPendingAction | None, run: OrchestratorRun) -> PastAction:
    steps = {step["id"]: step for step in run.plan["steps"]}
    requested, cap = run.prompt_inputs.get("autonomy"), run.prompt_inputs.get("cost_cap_usd")
    return PastAction(
        run_id=key[0],
        step_id=key[1],
        action=begun.action if begun else asked.action if asked else "",
        parameters=asked.payload.get("parameters", {}) if asked else _planned(steps, key[1]),
        final=asked is not None,
        asked=asked is not None,
        initiator=run.initiator_id,
        autonomy=AutonomyLevel(run.autonomy),
        requested=AutonomyLevel(requested) if requested else None,
        steps_of_run=len(steps),
        # As it was asked for: a run without a cap had one from the rules of its time.
        cost_cap_usd=Decimal(cap) if cap else None,
        spent_usd=begun.spent_usd if begun else Decimal(0),
        at_most_usd=max(begun.reserved_usd if begun else 0, asked.cost_ceiling_usd if asked else 0, Decimal(0)),
    )


def _planned(steps: Mapping[str, JsonObject], step_id: str) -> JsonObject:
    parameters: JsonObject = steps.get(step_id, {}).get("parameters", {})
    return parameters
