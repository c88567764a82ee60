"""`maos evidence`: everything there is to show of a run as one file, and whether such a file holds."""

import sys
from pathlib import Path

import click

from console.output import print_json
from maos.evidence_check import Verdict, check_evidence


class _RunOrCommand(click.Group):
    """Takes what is no command for the id of a run."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        return super().resolve_command(ctx, args if args[0] in self.commands else ["write", *args])


@click.group(cls=_RunOrCommand, subcommand_metavar="RUN | verify FILE")
def evidence() -> None:
    """Write the evidence of a run into one file, or verify such a file.

    \b
    Examples:
      maos evidence 3f2a --out evidence.json
      maos evidence verify evidence.json --artifacts folder
    """


@evidence.command()
@click.argument("run")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="The file; by default evidence-RUN.json.")
@click.option("--internal", is_flag=True, help="For operators: with vendors, models and raw usage.")
def write(run: str, out: Path | None, internal: bool) -> None:
    """Write everything there is to show of a run; the id may be shortened.

    Plans, invocations, approvals with their votes, costs, checksums of its files and its audit rows with the proof of
    their place in the chain. Customers and auditors may read it: it names no vendor and no model.

    \b
    Example:
      maos evidence 3f2a --out evidence.json
    """
    from console.ids import run_id_of
    from tasks.evidence import Audience, evidence_of
    from tasks.files import write_whole

    run_id = run_id_of(run)
    content = evidence_of(run_id, Audience.INTERNAL if internal else Audience.CLIENTS).rendered().encode()
    file = out or Path(f"evidence-{run_id}.json")
    write_whole(file, [content])
    _report(file, check_evidence(content), as_json=False)


@evidence.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--artifacts", type=click.Path(exists=True, file_okay=False, path_type=Path), help="Folder with the run's files."
)
@click.option("--head", help="The hash of the run's last audit row, as it is known from elsewhere.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def verify(file: Path, artifacts: Path | None, head: str | None, as_json: bool) -> None:
    """Compute every digest, link and sum of a file anew, without any database; exit with 1 where one does not hold.

    \b
    Example:
      maos evidence verify evidence.json --artifacts ~/.maos/artifacts/demo/3f2a...
    """
    from tasks.evidence import checksums

    known_head = head.strip().lower() if head else None
    files = (lambda found: checksums(found, artifacts)) if artifacts else None
    _report(file, check_evidence(file.read_bytes(), known_head=known_head, files=files), as_json=as_json)


def _report(file: Path, verdict: Verdict, *, as_json: bool) -> None:
    """Print what was found, and end the command."""
    found, finding = verdict.evidence, verdict.finding
    facts = {
        "run": found.run.id if found else None,
        "head": found.chain.head if found else None,
        "seal": found.seal if found else None,
        "notes": list(verdict.notes),
        "fault_at": finding.place if finding else None,
        "fault": finding.reason if finding else None,
    }
    if as_json:
        print_json(facts)
    else:
        click.echo("\n".join([*map("note: {}".format, verdict.notes), _in_words(file, verdict)]))
    sys.exit(1 if finding else 0)


def _in_words(file: Path, verdict: Verdict) -> str:
    if verdict.finding or verdict.evidence is None:
        place, reason = (verdict.finding.place, verdict.finding.reason) if verdict.finding else ("file", "unreadable")
        return f"{file}: DOES NOT HOLD: {place}: {reason}"
    found = verdict.evidence
    counts = (
        f"{len(found.plan_revisions)} plan revisions, {len(found.invocations)} invocations, "
        f"{len(found.approvals)} approvals, {len(found.artifacts)} files, {len(found.rows)} audit rows"
    )
    return f"{file}: run {found.run.id} of {found.org} holds: {counts}; head {found.chain.head}"
