"""Calls webhooks: delivers JSON to a receiver, with a key by which it knows a repetition."""

import json
from typing import Annotated, NoReturn
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from blocks.webhooks import Webhooks
from maos.actions import StepOutcome
from maos.effects import Effect, EffectKind
from maos.errors import EngineFailure
from maos.failures import FailureKind
from maos.fences import fenced
from maos.rendering import TemplateText
from maos.report_markdown import escaped
from maos.risk import RiskLevel
from tasks.connections import webhooks
from tasks.files import write_file
from tasks.services.registry import ServiceCall, internal_service


def _callable(url: str) -> str:
    if not url.isascii() or not url.isprintable() or set(url) & set(' \\"<>`'):
        raise ValueError("an address has no spaces, quotes or signs beyond ASCII")
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.port == 0:
        raise ValueError("an http:// or https:// address is needed")
    if "@" in parts.netloc:
        raise ValueError("an address with a password is refused")
    return url


class WebhookParameters(BaseModel):
    """A call of a webhook."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: Annotated[str, Field(max_length=2000), AfterValidator(_callable)] = Field(description="Who is called.")
    body: Annotated[TemplateText, Field(max_length=100_000)] = Field(description="JSON.")
    receiver_keeps_keys: bool = Field(
        default=False, description="Whether the receiver drops a request whose Idempotency-Key it has had before."
    )


class CalledWebhook(BaseModel):
    """A webhook that was called."""

    model_config = ConfigDict(frozen=True)

    url: str = Field(description="Without its query, which may hold a secret.")
    status: int | None = Field(default=None, description="What the receiver answered; null if nobody heard it.")
    rehearsed: bool = Field(default=False, description="Whether the body was written to a file instead.")
    confirmed: bool = Field(default=False, description="Whether a person says that it was delivered.")


def preview(call: ServiceCall[WebhookParameters]) -> str:
    """Return whom the call reaches and what it says, in Markdown."""
    webhook = call.parameters
    repetition = "drops repetitions" if webhook.receiver_keeps_keys else "is not known to drop repetitions"
    opening = (f"**REHEARSAL** Nobody is called; the body becomes the file `{_file_of(call)}`.",)
    parts = [
        *(opening if call.run.rehearsal else ()),
        f"Will be sent to {escaped(webhook.url)}",
        f"The receiver {repetition}.",
        fenced(webhook.body),
    ]
    return "\n\n".join(parts) + "\n"


def confirmed(call: ServiceCall[WebhookParameters]) -> StepOutcome:
    """Return what is recorded of a call of which a person says that it was delivered."""
    called = CalledWebhook(url=_shown(call), confirmed=True)
    return StepOutcome(
        output=called.model_dump(mode="json"), summary="Delivered the webhook's call, as a person confirmed."
    )


@internal_service(
    action="call_webhook",
    risk=RiskLevel.HIGH,
    title="Call a webhook.",
    parameters=WebhookParameters,
    open_inputs=True,
    output=CalledWebhook,
    effect=Effect(kind=EffectKind.WEBHOOK, repeatable_if="receiver_keeps_keys"),
    preview=preview,
    confirmed=confirmed,
    needs=webhooks,
    timeout_seconds=120.0,
)
def call_webhook(call: ServiceCall[WebhookParameters]) -> StepOutcome:
    """Deliver the body; in a rehearsal, write it to a file."""
    body = _body(call.parameters.body)
    if call.run.rehearsal:
        return _rehearsed(call, body)
    tool: Webhooks = call.tool
    status = tool.post(call.parameters.url, body, key=call.key, timeout_seconds=call.timeout_seconds)
    called = CalledWebhook(url=_shown(call), status=status)
    return StepOutcome(output=called.model_dump(mode="json"), summary=f"The webhook's receiver answered {status}.")


def _rehearsed(call: ServiceCall[WebhookParameters], body: bytes) -> StepOutcome:
    file = write_file(call.folder, _file_of(call), body, "application/json")
    called = CalledWebhook(url=_shown(call), rehearsed=True)
    return StepOutcome(
        output=called.model_dump(mode="json"),
        summary=f"Rehearsed: the webhook's body is in {file.name}; nobody was called.",
        artifacts=(file,),
    )


def _body(text: str) -> bytes:
    try:
        json.loads(text, parse_constant=_refuse)
        return text.encode()
    # Deep nesting is an error of its own.
    except (ValueError, RecursionError):
        raise EngineFailure(FailureKind.BAD_REQUEST, "the webhook's body is not JSON") from None


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")


def _shown(call: ServiceCall[WebhookParameters]) -> str:
    return urlsplit(call.parameters.url)._replace(query="", fragment="").geturl()


def _file_of(call: ServiceCall[WebhookParameters]) -> str:
    return f"outbox/{call.key}.json"
