"""`maos prices`: what tokens cost, and what past calls cost by the prices known now."""

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal

import click

from blocks.claude import MODELS
from console.organisations import org_id_of
from console.output import Row, print_json, print_rows
from maos.corrections import Finding, Recosted
from maos.errors import BadInput, UnpricedModel
from maos.plan_view import dollars
from maos.price_list import TokenPrice, price_list_of, prices_of
from maos.pricing import REGION_FACTOR
from sql.corrections import CallFilter
from tasks.corrections import correct_costs, review_costs

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
_DATE = click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"])


@click.group()
def prices() -> None:
    """Show prices; recompute what past calls cost."""


@prices.command()
@click.argument("model", required=False)
@click.option("--at", type=_DATE, metavar="DATE", help="In force at this time, in UTC; by default now.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def show(model: str | None, at: datetime | None, as_json: bool) -> None:
    """Show prices for a million tokens by class; needs no running stack and no network.

    \b
    Examples:
      maos prices show
      maos prices show sonnet --at 2026-11-01
    """
    time = _utc(at) or datetime.now(UTC)
    models = [_model_of(model)] if model else list(MODELS.values())
    try:
        rows = [_price_row(price) for name in models for price in prices_of(name, time)]
        version = price_list_of(models[0], time)
    except UnpricedModel as error:
        known = ", ".join([*MODELS, *MODELS.values()])
        raise BadInput("model", error.model, f"{known}; or another that the price list knows") from None
    if as_json:
        print_json({"price_list": version, "at": time, "region_factor": REGION_FACTOR, "prices": rows})
        return
    print_rows(rows, as_json=False, columns=_PRICES, title=f"USD for a million tokens, {time:%Y-%m-%d %H:%M} UTC")
    click.echo(f"{version}. A call bound to one region costs {REGION_FACTOR} times as much.")


@prices.command()
@click.option("--org", help="Only this organisation's calls.")
@click.option("--since", type=_DATE, metavar="DATE", help="Only calls begun at this time or later, in UTC.")
@click.option("--until", type=_DATE, metavar="DATE", help="Only calls begun before this time, in UTC.")
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


def _model_of(name: str) -> str:
    return next((model for alias, model in MODELS.items() if alias == name), name)


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
