"""`maos prices`: what tokens cost whom, and what past calls cost by the prices known now."""

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal

import click

from blocks.claude import MODELS
from console.organisations import org_id_of
from console.output import Row, print_json, print_rows
from console.price_overrides import OVERRIDES, model_of, override_rows, set_
from console.times import DATE
from maos.corrections import Finding, Recosted
from maos.errors import BadInput, UnpricedModel
from maos.images import IMAGE_MODEL
from maos.plan_view import dollars
from maos.price_list import TokenPrice, price_list_of, prices_of
from maos.pricing import REGION_FACTOR
from maos.tariffs import Tariff
from sql.corrections import CallFilter
from tasks.corrections import correct_costs, review_costs
from tasks.tariffs import tariff_of

_PRICES = ("model", "token_class", "above_prompt_tokens", "usd_per_million")
_CALLS = (
    "org",
    "run_id",
    "step_id",
    "attempt",
    "started_at",
    "model",
    "finding",
    "counted_usd",
    "now_usd",
    "difference",
)


@click.group()
def prices() -> None:
    """Show and agree on prices; recompute what past calls cost."""


prices.add_command(set_)


@prices.command()
@click.argument("model", required=False)
@click.option("--at", type=DATE, metavar="DATE", help="In force at this time, in UTC; by default now.")
@click.option("--org", help="As this organisation is charged, with what was agreed with it.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def show(model: str | None, at: datetime | None, org: str | None, as_json: bool) -> None:
    """Show prices for a million tokens by class; the list needs no running stack and no network.

    \b
    Examples:
      maos prices show
      maos prices show sonnet --at 2026-11-01
      maos prices show --org demo
    """
    time, org_id = _utc(at) or datetime.now(UTC), org_id_of(org)
    models = [model_of(model)] if model else [*MODELS.values(), IMAGE_MODEL]
    tariff = tariff_of(org_id, time) if org_id else Tariff(at=time)
    try:
        rows = [_price_row(price) for name in models for price in prices_of(name, time, tariff)]
        version = price_list_of(models[0], time)
    except UnpricedModel as error:
        known = ", ".join([*MODELS, *MODELS.values()])
        raise BadInput("model", error.model, f"{known}; or another that the price list knows") from None
    agreed = override_rows(org_id) if org_id else []
    if as_json:
        facts = {"price_list": version, "at": time, "region_factor": REGION_FACTOR}
        print_json({**facts, "prices": rows, **({"overrides": agreed} if org_id else {})})
        return
    whose = f" for {org}" if org else ""
    print_rows(
        rows, as_json=False, columns=_PRICES, title=f"USD for a million tokens{whose}, {time:%Y-%m-%d %H:%M} UTC"
    )
    if org_id:
        print_rows(agreed, as_json=False, columns=OVERRIDES, title=f"agreed with {org}")
    click.echo(f"{version}. A call bound to one region costs {REGION_FACTOR} times as much, save at a negotiated rate.")


@prices.command()
@click.option("--org", help="Only this organisation's calls.")
@click.option("--since", type=DATE, metavar="DATE", help="Only calls begun at this time or later, in UTC.")
@click.option("--until", type=DATE, metavar="DATE", help="Only calls begun before this time, in UTC.")
@click.option("--apply", "apply_", is_flag=True, help="Write correcting entries; without it, nothing is written.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def recompute(org: str | None, since: datetime | None, until: datetime | None, apply_: bool, as_json: bool) -> None:
    """Price past calls anew: their recorded usage, at the prices known now for the time of the call.

    Calls that cost what was counted are not listed. A call without usage, without a price or cut short stays as it is.

    \b
    Examples:
      maos prices recompute --org demo --since 2026-11-01
      maos prices recompute --org demo --since 2026-11-01 --apply
    """
    found = review_costs(CallFilter(org_id=org_id_of(org), since=_utc(since), until=_utc(until)))
    written = correct_costs(found) if apply_ else None
    noteworthy = [each for each in found if each.finding is not Finding.SAME]
    rows = [_call_row(each) for each in noteworthy]
    if as_json:
        counted = None if written is None else {"entries": len(written), "usd": _sum_of(written)}
        print_json({"looked_at": len(found), "differ_by_usd": _sum_of(found), "written": counted, "calls": rows})
        return
    print_rows(rows, as_json=False, columns=_CALLS, title="calls that differ or cannot be priced")
    click.echo(f"{len(found)} calls looked at; they differ by {_sum_of(found)} USD in all. {_what_was_done(written)}")


def _what_was_done(written: Sequence[Recosted] | None) -> str:
    if written is None:
        return "Nothing was written."
    runs = len({each.call.run_id for each in written})
    return f"{len(written)} correcting entries in {runs} runs written, {_sum_of(written)} USD."


def _utc(time: datetime | None) -> datetime | None:
    return time.replace(tzinfo=UTC) if time else None


def _price_row(price: TokenPrice) -> Row:
    return {**price.model_dump(), "usd_per_million": dollars(price.usd_per_million)}


def _call_row(each: Recosted) -> Row:
    call = each.call
    shown = {"invocation_id", "org", "run_id", "step_id", "attempt", "started_at", "model"}
    return {
        **call.model_dump(include=shown),
        "finding": each.finding.value,
        "counted_usd": dollars(call.counted_usd),
        "now_usd": None if each.now_usd is None else dollars(each.now_usd),
        "difference": None if each.now_usd is None else dollars(each.difference_usd),
        "price_list": each.price_list,
    }


def _sum_of(found: Sequence[Recosted]) -> str:
    return dollars(sum((each.difference_usd for each in found), start=Decimal(0)))
