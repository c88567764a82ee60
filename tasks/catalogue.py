"""Every action that a plan may name, and the digest of the rules it is judged by."""

from collections.abc import Callable, Iterable
from typing import Any

from maos.actions import Actions, ActionSpec
from maos.agent_prompt import system_of
from maos.answer_writing import WRITE_ANSWER
from maos.autonomy import autonomy_table
from maos.canonical import digest_of
from maos.content_writing import DRAFT_CONTENT, REVISE_CONTENT, WRITE_OUTLINE
from maos.images import CREATE_IMAGE, prompt_of
from maos.investigation import INVESTIGATE
from maos.mail_answer import ANSWER
from maos.narrative import NARRATIVE
from maos.query_writing import WRITE_QUERY
from maos.rules import RuleBook
from maos.workspace_writing import WORK_IN_WORKSPACE, briefing
from maos.writing import WritingAction
from tasks.code import code_digest
from tasks.services import (
    aggregate,
    charts,
    checkpoint,
    content,
    correspondence,
    deliver_output,
    draw_answer,
    email,
    image_batch,
    ledgers,
    mail,
    material,
    present_answer,
    profile,
    profile_tables,
    publish,
    run_query,
    webhook,
)
from tasks.services.registry import SERVICES

# Importing a module of services registers its actions.
SERVICE_MODULES = (
    *(profile, aggregate, charts, publish, checkpoint, email, webhook),
    *(profile_tables, run_query, draw_answer, present_answer),
    *(mail, correspondence, image_batch),
    content,
    *(material, ledgers, deliver_output),
)

WRITING: dict[str, WritingAction] = {
    action.spec.name: action
    for action in (NARRATIVE, WRITE_QUERY, WRITE_ANSWER, ANSWER, WRITE_OUTLINE, DRAFT_CONTENT, REVISE_CONTENT)
}
WORKSPACES: dict[str, ActionSpec] = {WORK_IN_WORKSPACE.name: WORK_IN_WORKSPACE}
AGENTS: dict[str, ActionSpec] = {INVESTIGATE.name: INVESTIGATE}
IMAGES: dict[str, ActionSpec] = {CREATE_IMAGE.name: CREATE_IMAGE}


def actions() -> Actions:
    """Return the specification of every action by its name."""
    services = {name: service.spec for name, service in SERVICES.items()}
    writing = {name: action.spec for name, action in WRITING.items()}
    return services | writing | WORKSPACES | IMAGES | AGENTS


def rules_digest(names: Iterable[str], book: RuleBook) -> str:
    """Return the digest of what decides over these actions: the rule book, their risk and the autonomy table."""
    return digest_of({"book": book.digest, "risk": risk_digest(names)})


def risk_digest(names: Iterable[str]) -> str:
    """Return the digest of what the code itself says of who waits for these actions."""
    specs = actions()
    risks = {name: _risk_facts(specs[name]) for name in names if name in specs}
    return digest_of({"actions": risks, "autonomy": autonomy_table()})


def action_digest(name: str) -> str:
    """Return the digest of what an action is: what it takes and gives, and the module it is written in."""
    spec = actions()[name]
    facts = {
        "engine": spec.engine.value,
        "parameters": spec.parameters.model_json_schema(),
        "output": spec.output.model_json_schema() if spec.output else None,
        "effect": spec.effect.model_dump(mode="json") if spec.effect else None,
        "code": code_digest(_written_in(name)),
    }
    return digest_of(facts)


# Any: functions of every kind; only where they stand counts.
def _written_in(name: str) -> Callable[..., Any]:
    if name in SERVICES:
        return SERVICES[name].run
    if name in WORKSPACES:
        return briefing
    if name in WRITING:
        return WRITING[name].prompt
    return system_of if name in AGENTS else prompt_of


def _risk_facts(spec: ActionSpec) -> list[object]:
    return [spec.engine.value, spec.risk.value, spec.read_only, spec.always_asks]
