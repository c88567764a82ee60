"""`maos privacy`: take a person's data out of what runs were given and have made."""

from collections.abc import Sequence

import click

from console.organisations import known_org_id
from console.output import print_json


@click.group()
def privacy() -> None:
    """Erase a person's data; the audit log stays verifiable."""


@privacy.command()
@click.option("--subject", required=True, metavar="EMAIL", help="Whose data is to go.")
@click.option("--also", multiple=True, metavar="TEXT", help="How the person is named besides, such as a name; repeat.")
@click.option("--org", required=True, help="From which organisation.")
@click.option("--as", "person", required=True, metavar="EMAIL", help="Who decides: an owner of the organisation.")
@click.option("--rehearse", is_flag=True, help="Only say what would be erased.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def erase(subject: str, also: tuple[str, ...], org: str, person: str, rehearse: bool, as_json: bool) -> None:
    """Take every text that mentions a person out of requests, payloads, outcomes, notes and notices, and delete files.

    The audit chain and who decided what stay; what stays is said. It cannot be undone.

    \b
    Examples:
      maos privacy erase --subject jane@customer.example --org demo --as owner@demo.example --rehearse
      maos privacy erase --subject jane@customer.example --also "Jane Doe" --org demo --as owner@demo.example
    """
    from tasks.privacy import Request
    from tasks.privacy import erase as erase_from

    subjects = tuple(each.strip() for each in (subject, *also))
    request = Request(org, known_org_id(org), subjects, person.strip().lower())
    done = erase_from(request, rehearse=rehearse)
    facts = {
        "runs": [str(run_id) for run_id in done.run_ids],
        "rows": sum(done.rows.values()),
        "files": sum(done.files.values()),
        "audit_rows_that_stay": list(done.staying),
    }
    if as_json:
        print_json(facts)
        return
    would = "would be " if rehearse else ""
    click.echo(f"{facts['rows']} rows and {facts['files']} files of {len(done.run_ids)} runs {would}erased")
    if done.staying:
        click.echo(f"audit rows that name the person stay, as links of the chain: {_shortened(done.staying)}")
    for run_id in done.run_ids:
        click.echo(f"Prefect keeps parameters and logs of its own: prefect flow-run delete {run_id}")


def _shortened(numbers: Sequence[int]) -> str:
    return ", ".join(map(str, numbers[:20])) + (f" and {len(numbers) - 20} more" if len(numbers) > 20 else "")
