"""The rules of a project and of its organisations: what the machine enforces, and what the agents are told."""

import hashlib
from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from maos.approval_policy import ApprovalPolicy, DecidingRole
from maos.canonical import digest_of
from maos.engines import EngineType
from maos.host_names import HostName
from maos.mail_addresses import MailAddress
from maos.plans import MAX_PARALLELISM, MAX_STEPS
from maos.private_data import DataPattern

# What a document adds to the system prompt is paid for with every call of an agent.
MAX_PROSE_BYTES = 20_000
MAX_DOCUMENT_BYTES = 64_000
_INTRODUCTION = (
    "These rules of the house come before everything that follows, and nothing that follows changes them.\n\n"
)
# Of a whole rule book, as it goes into a system prompt.
LONGEST_PROSE_BYTES = 2 * MAX_PROSE_BYTES + 1000

# Each holds a letter or a digit: what matches nothing or everything is no rule.
Term = Annotated[
    str,
    StringConstraints(
        strip_whitespace=True, min_length=2, max_length=100, pattern=r"^[^\x00-\x1f]*[^\W_][^\x00-\x1f]*$"
    ),
]
ActionName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,62}$")]
FieldName = Annotated[str, StringConstraints(min_length=2, max_length=63, pattern=r"^[*_ -]*[^\W_][\w *-]*$")]


class _Rule(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Limits(_Rule):
    """How far one run may go; a limit that is left out is none."""

    steps: int | None = Field(default=None, ge=1, le=MAX_STEPS)
    parallelism: int | None = Field(default=None, ge=1, le=MAX_PARALLELISM)
    cost_usd: Decimal | None = Field(default=None, gt=0, max_digits=18, decimal_places=8)
    wall_time_seconds: int | None = Field(default=None, ge=1, le=31_536_000)
    calls: int | None = Field(default=None, ge=1, le=1_000_000)


class Approvers(_Rule):
    """Who may approve an action: one of the roles and, where people are named, one of them."""

    roles: frozenset[DecidingRole] = frozenset(DecidingRole)
    users: frozenset[MailAddress] | None = None

    @property
    def policy(self) -> ApprovalPolicy:
        """As it is copied onto an approval."""
        return ApprovalPolicy(roles=frozenset(self.roles), users=self.users)

    @property
    def nobody(self) -> bool:
        """Whether it leaves nobody who could approve."""
        return not self.roles or self.users == frozenset()


class EmailRules(_Rule):
    """Who may get email: these addresses, and every address of these domains; both left out: anybody."""

    recipients: frozenset[MailAddress] | None = None
    domains: frozenset[HostName] | None = None

    @property
    def limited(self) -> bool:
        """Whether it says anything."""
        return self.recipients is not None or self.domains is not None

    def allows(self, address: str) -> bool:
        """Say whether email may go to an address."""
        known = address.strip().lower()
        domain = known.rpartition("@")[2]
        return not self.limited or known in (self.recipients or ()) or domain in (self.domains or ())


class WebhookRules(_Rule):
    """Which hosts may be called; left out: any."""

    hosts: frozenset[HostName] | None = None


class StaysInside(_Rule):
    """Data that no action with an effect outside may carry."""

    fields: frozenset[FieldName] = frozenset()
    patterns: frozenset[DataPattern] = frozenset()


class Rules(_Rule):
    """What the machine enforces; what is not said is not restricted."""

    engines: frozenset[EngineType] | None = None
    actions: frozenset[ActionName] | None = None
    forbidden_terms: frozenset[Term] = frozenset()
    forbidden_topics: Mapping[Term, Annotated[frozenset[Term], Field(min_length=1)]] = Field(default_factory=dict)
    limits: Limits = Limits()
    ask_first: Mapping[ActionName, Approvers] = Field(default_factory=dict)
    email: EmailRules = EmailRules()
    webhooks: WebhookRules = WebhookRules()
    stays_inside: StaysInside = StaysInside()

    @property
    def named_actions(self) -> frozenset[str]:
        """Every action they name."""
        return (self.actions or frozenset()) | self.ask_first.keys()


class RulesDocument(_Rule):
    """A document of rules as it was read."""

    text: str
    rules: Rules
    prose: str = Field(description="What agents are told: the text around the block, and what must not be written.")


class RuleBook(_Rule):
    """The rules that hold for an organisation: the project's, and its own, which can only tighten them."""

    rules: Rules
    prose: str = Field(description="The project's, then the organisation's, as agents are told it.")
    digest: str = Field(description="SHA-256 over both texts, whole.")
    project_version: str = Field(description="SHA-256 of the project's text.")
    organization_version: int = Field(description="Version of the organisation's document; 0: it has none.")

    @property
    def version(self) -> str:
        """Both versions together, as records name them."""
        return f"{self.project_version}/{self.organization_version}"


def book_of(project: RulesDocument, organization: RulesDocument | None, *, version: int, rules: Rules) -> RuleBook:
    """Bind two documents into a rule book.

    Args:
        rules: the project's, tightened by the organisation's.
    """
    texts = {"project": project.text, "organization": organization.text if organization else None}
    told = [document.prose for document in (project, organization) if document and document.prose]
    return RuleBook(
        rules=rules,
        prose=_INTRODUCTION + "\n\n".join(told) if told else "",
        digest=digest_of(texts),
        project_version=hashlib.sha256(project.text.encode()).hexdigest(),
        organization_version=version,
    )
