"""`maos prices set`: what an organisation pays instead of the list price."""

from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import UUID, uuid4

import click

from blocks.claude import MODELS
from console.organisations import known_org_id
from console.output import Row
from console.times import DATE
from maos.errors import BadInput
from maos.images import IMAGE_MODEL
from maos.plan_view import dollars
from maos.price_overrides import PriceOverride, checked_markup, checked_model, checked_rates, checked_start
from tasks.tariffs import overrides_of, set_override

OVERRIDES = ("id", "model", "markup_percent", "rates", "effective_from", "set_by", "set_at")
_NO_MARKUP = "0"


@click.command("set")
@click.option("--org", required=True, help="The organisation that pays it.")
@click.option("--model", required=True, help="A model or its short name, a family such as 'claude-*', or '*'.")
@click.option("--markup", metavar="PERCENT", help="Added to the list price; a discount is below zero.")
@click.option(
    "--rate", "rates", multiple=True, metavar="CLASS=USD", help="For a million tokens of a class; repeatable."
)
@click.option(
    "--from", "start", type=DATE, metavar="DATE", help="Calls from this time on, in UTC; by default from now."
)
@click.option("--as", "person", required=True, metavar="EMAIL", help="Who sets it: an owner of the organisation.")
def set_(org: str, model: str, markup: str | None, rates: Sequence[str], start: datetime | None, person: str) -> None:
    """Agree on other prices than the list's, from a time on.

    A negotiated rate is the whole price of its class of tokens; the markup is on the list price of the others. It takes
    the place of what was agreed for the same models before; '--markup 0' alone goes back to the list. Of several that
    apply, the narrowest counts: a model before its family before '*'. What calls have cost stays.

    \b
    Examples:
      maos prices set --org demo --model '*' --markup 20 --as owner@demo.example
      maos prices set --org demo --model sonnet --rate input=1.80 --rate output=9 --from 2027-01-01 \\
          --as owner@demo.example
    """
    if markup is None and not rates:
        raise BadInput("rate", "", "at least one --rate CLASS=USD, or a --markup PERCENT")
    now = datetime.now(UTC)
    override = PriceOverride(
        id=uuid4(),
        model=checked_model(model_of(model), (*MODELS.values(), IMAGE_MODEL), now),
        rates=checked_rates(_pairs(rates)),
        markup_percent=checked_markup(markup or _NO_MARKUP),
        effective_from=checked_start(start.replace(tzinfo=UTC), now) if start else now,
        set_by=person.strip().lower(),
        set_at=now,
    )
    set_override(override, org_id=known_org_id(org))
    click.echo(f"override {override.id}: {override.model} for {org}, from {override.effective_from:%Y-%m-%d %H:%M} UTC")


def model_of(name: str) -> str:
    """Return the model that a short name stands for; every other name stands for itself."""
    return next((model for alias, model in MODELS.items() if alias == name), name)


def override_rows(org_id: UUID) -> list[Row]:
    """Return what was agreed with an organisation, the oldest first."""
    return [
        {
            **override.model_dump(exclude={"rates"}),
            "markup_percent": dollars(override.markup_percent),
            "rates": ", ".join(f"{name.value}={dollars(rate)}" for name, rate in override.rates.items()),
        }
        for override in overrides_of(org_id)
    ]


def _pairs(rates: Sequence[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for text in rates:
        name, equals, rate = text.partition("=")
        if not equals or name in found:
            raise BadInput("rate", text, "CLASS=USD, each class once, such as input=1.80")
        found[name] = rate
    return found
