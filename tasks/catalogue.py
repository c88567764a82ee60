"""Every action that a plan may name, and the digest of the rules it is judged by."""

from maos.actions import Actions
from maos.autonomy import autonomy_table
from maos.canonical import digest_of
from maos.narrative import NARRATIVE
from maos.writing import WritingAction
from tasks.services import aggregate, charts, profile, publish
from tasks.services.registry import SERVICES

# Importing a module of services registers its actions.
SERVICE_MODULES = (profile, aggregate, charts, publish)

WRITING: dict[str, WritingAction] = {NARRATIVE.spec.name: NARRATIVE}


def actions() -> Actions:
    """Return the specification of every action by its name."""
    services = {name: service.spec for name, service in SERVICES.items()}
    return services | {name: writing.spec for name, writing in WRITING.items()}


def rules_digest() -> str:
    """Return the digest of what decides who waits: the risk of each action and the autonomy table."""
    risks = {name: [spec.engine.value, spec.risk.value, spec.read_only] for name, spec in actions().items()}
    return digest_of({"actions": risks, "autonomy": autonomy_table()})
