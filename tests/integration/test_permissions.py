"""A role that does not allow something is refused before anything is written, on every path there is."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import UUID

import click
import pytest
from click.testing import CliRunner, Result

from console.main import cli
from maos.approvals import Decision, DecisionPath
from maos.decisions import DecisionRequest
from maos.errors import BadInput, DecisionRefused
from maos.requests import RunRequest
from maos.roles import Permission, Role, may
from sql import retention
from sql.exemptions import add_exemption
from sql.organizations import ensure_member, find_organization
from sql.session import org_session, system_session
from sql.tables import utc_now
from tasks.admission import admit
from tasks.approvals import decide
from tasks.exports import manifest_now
from tasks.holds import hold_run
from tasks.ledger import find_run
from tests.gates import REVIEWER, answer_form, only_run_id, pending, rows, wait_for, wait_for_form
from tests.plans import Bench, step
from tests.rows import add_approval, add_run
from tests.rule_books import document
from tests.tenants import LIKENESS, WORKFLOW

STRANGER = "stranger@else.example"


def person_of(role: Role | None) -> str:
    """Return who has this role."""
    return f"{role.value}-somebody@demo.example" if role else STRANGER


def add_people(org_id: UUID) -> None:
    """Add a person for each role."""
    with system_session() as session:
        for role in Role:
            ensure_member(person_of(role), "Somebody", role, org_id=org_id, session=session)


class Stage:
    """An organisation in which somebody has each role and no other, with a run and an approval."""

    def __init__(self, org_id: UUID, folder: Path) -> None:
        self.org_id = org_id
        self.run_id = add_run(org_id)
        asked = {"org": "demo", "title": "Test", "initiator": "author@demo.example", "dataset": "orders.csv"}
        self.ended_id = add_run(org_id, status="failed", completed_at=utc_now(), prompt_inputs=asked)
        # Called by an agent: only of such an action everything can be decided.
        self.approval_id = add_approval(org_id, self.run_id, caller="clerk", payload={"parameters": {"text": "x"}})
        done = {"status": "approved", "decision": "approve", "decided_at": utc_now(), "consumed_at": utc_now()}
        self.done_id = add_approval(org_id, self.run_id, step_id="done", **done)
        with org_session(org_id) as session:
            exemption = add_exemption(LIKENESS, org_id=org_id, approval_id=self.done_id, based_on={}, session=session)
            hold = retention.add_hold(org_id, person="owner@demo.example", reason="x", session=session)
        self.exemption_id, self.hold_id = exemption.id, hold.id
        self.rules = folder / "rules.md"
        self.rules.write_text(document("limits: {steps: 3}", "Ours."))
        self.policy = folder / "policy.yaml"
        self.policy.write_text("autonomy: supervised\n")
        self.workflow = folder / "workflow.yaml"
        self.workflow.write_text(WORKFLOW)
        self.person = STRANGER
        add_people(org_id)

    def become(self, role: Role | None) -> None:
        """Act as the person who has this role, or as a stranger."""
        self.person = person_of(role)

    @property
    def digest(self) -> str:
        """What stands for everything that is written of the organisation."""
        with system_session() as session:
            org = find_organization("demo", session=session)
            assert org
            return manifest_now(org, session=session).digest


@pytest.fixture
def stage(org_id: UUID, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stage:
    # Nothing listens there: whoever is refused is refused before anybody is asked.
    monkeypatch.setenv("PREFECT_API_URL", "http://127.0.0.1:9/api")
    monkeypatch.setattr("console.waking.flow_runs_of", lambda _ids: {})
    monkeypatch.setattr("tasks.reconciliation.flow_runs_of", lambda _ids: {})
    monkeypatch.setattr("tasks.reconciliation.mending_of", lambda _sighting, **_: None)
    return Stage(org_id, tmp_path)


Command = Callable[[Stage], tuple[str, ...]]

# Every command that takes `--as`, as it is called, and what it takes.
COMMANDS: dict[str, tuple[Permission, Command]] = {
    "approvals approve": (Permission.DECIDE, lambda s: (str(s.approval_id),)),
    "approvals reject": (Permission.DECIDE, lambda s: (str(s.approval_id), "--note", "no")),
    "approvals respond": (Permission.DECIDE, lambda s: (str(s.approval_id), "--note", "no")),
    "approvals request-changes": (Permission.DECIDE, lambda s: (str(s.approval_id), "--note", "no")),
    "approvals edit": (Permission.DECIDE, lambda s: (str(s.approval_id), "--set", 'text="y"', "--yes")),
    "approvals bulk": (Permission.DECIDE, lambda s: ("--like", str(s.approval_id), "--yes", "--json")),
    "runs hold": (Permission.OPERATE_RUNS, lambda s: (str(s.run_id),)),
    "runs release": (Permission.OPERATE_RUNS, lambda s: (str(s.run_id),)),
    "runs cancel": (Permission.OPERATE_RUNS, lambda s: (str(s.run_id),)),
    "runs retry": (Permission.START_RUNS, lambda s: (str(s.ended_id),)),
    "rules set": (Permission.STORE_RULES, lambda s: (str(s.rules), "--org", "demo")),
    "policy set": (Permission.STORE_POLICY, lambda s: (str(s.policy), "--org", "demo", "--reason", "x")),
    "workflows register": (Permission.REGISTER_WORKFLOWS, lambda s: (str(s.workflow), "--org", "demo")),
    "workflows disable": (Permission.REGISTER_WORKFLOWS, lambda _: ("small", "--org", "demo")),
    "reviewers enroll": (Permission.ENROL, lambda _: (REVIEWER, "--no-confirm")),
    "reviewers revoke": (Permission.ENROL, lambda _: (REVIEWER,)),
    "learning withdraw": (Permission.WITHDRAW_EXEMPTIONS, lambda s: (str(s.exemption_id), "--note", "x")),
    "learning rollback": (Permission.MARK_WRONG, lambda s: (str(s.done_id), "--note", "x")),
    "prices set": (Permission.SET_PRICES, lambda _: ("--org", "demo", "--model", "*", "--markup", "5")),
    "budgets set": (Permission.SET_BUDGETS, lambda _: ("--org", "demo", "--limit", "5")),
    "budgets top-up": (Permission.SET_BUDGETS, lambda _: ("--org", "demo", "--amount", "5")),
    "budgets timezone": (Permission.SET_BUDGETS, lambda _: ("Europe/Berlin", "--org", "demo")),
    "retention set": (Permission.SET_RETENTION, lambda _: ("--org", "demo", "--months", "24", "--reason", "x")),
    "retention hold": (Permission.SET_RETENTION, lambda _: ("--org", "demo", "--reason", "x")),
    "retention release": (Permission.SET_RETENTION, lambda s: (str(s.hold_id), "--org", "demo", "--reason", "x")),
    "privacy erase": (
        Permission.ERASE,
        lambda _: ("--subject", "jane@customer.example", "--org", "demo", "--rehearse"),
    ),
    "org suspend": (Permission.SUSPEND, lambda _: ("demo", "--reason", "x")),
    "org resume": (Permission.SUSPEND, lambda _: ("demo",)),
    "org delete": (Permission.DELETE, lambda _: ("demo",)),
    "users add": (Permission.MANAGE_PEOPLE, lambda _: ("x@demo.example", "--org", "demo", "--role", "auditor")),
    "users grant": (Permission.MANAGE_PEOPLE, lambda _: (STRANGER, "--org", "demo", "--role", "auditor")),
    "users revoke": (Permission.MANAGE_PEOPLE, lambda _: ("author@demo.example", "--org", "demo")),
}


def _commands(group: click.Group, *path: str) -> Iterator[tuple[str, click.Command]]:
    with click.Context(group) as context:
        for name in group.list_commands(context):
            command = group.get_command(context, name)
            if isinstance(command, click.Group):
                yield from _commands(command, *path, name)
            elif command:
                yield " ".join((*path, name)), command


def test_every_command_that_takes_a_person_has_a_case() -> None:
    taking = {name for name, command in _commands(cli) if any("--as" in option.opts for option in command.params)}

    assert taking == set(COMMANDS)


def test_a_command_without_the_permission_is_refused_before_anything_is_written(stage: Stage) -> None:
    before = stage.digest
    for name, (permission, arguments) in COMMANDS.items():
        for role in _without(permission):
            stage.become(role)
            done = CliRunner().invoke(cli, [*name.split(), *arguments(stage), "--as", stage.person])

            assert stage.person in _refusal(done), (name, role, done.output, done.exception)
        assert stage.digest == before, name


def _refusal(done: Result) -> str:
    """Return why a command was refused: its error, or what the report of decisions in bulk says."""
    if isinstance(done.exception, SystemExit):
        return " ".join(row["reason"] for row in json.loads(done.stdout) if row["result"] == "refused")
    return str(done.exception) if isinstance(done.exception, BadInput | DecisionRefused) else ""


def test_every_permission_is_asked_for_by_a_command() -> None:
    asked = {permission for permission, _ in COMMANDS.values()}

    # Of runs of one's own there is a test below.
    assert asked == set(Permission) - {Permission.OPERATE_OWN_RUNS}


def _without(permission: Permission) -> list[Role | None]:
    return [None, *(role for role in Role if not may({role}, permission))]


def test_a_run_is_started_by_those_alone_who_may(stage: Stage) -> None:
    before = stage.digest
    for role in (None, *Role):
        stage.become(role)
        request = RunRequest(org="demo", initiator=stage.person, title="Report")
        if role and may({role}, Permission.START_RUNS):
            assert admit(request) == stage.org_id
        else:
            with pytest.raises(BadInput):
                admit(request)
    assert stage.digest == before


def test_the_function_that_decides_refuses_those_who_may_not(stage: Stage) -> None:
    before = stage.digest
    for role in _without(Permission.DECIDE):
        stage.become(role)
        request = DecisionRequest(decision=Decision.APPROVE, reviewer=stage.person, via=DecisionPath.COMMAND_LINE)

        with pytest.raises(DecisionRefused, match=stage.person):
            decide(stage.approval_id, request)
    assert stage.digest == before


def _refused(run_id: UUID, person: str) -> None:
    """Approve in the form as a person who may not; wait until the form says so."""
    answer_form(run_id, decision="approve", reviewer=person)
    wait_for(
        lambda: [words for (words,) in rows("SELECT gate_refusal FROM orchestrator_runs") if person in (words or "")],
        120,
    )


def test_the_form_of_an_approval_refuses_those_who_may_not(bench: Bench, org_id: UUID) -> None:
    add_people(org_id)
    bench.plan(step("a", "note_high", text="a"))
    beside = bench.run_beside()
    wait_for(pending, 120)
    for role in _without(Permission.DECIDE):
        _refused(only_run_id(), person_of(role))

    assert len(pending()) == 1
    assert bench.effects == []
    answer_form(only_run_id(), decision="approve", reviewer=REVIEWER)
    assert beside.end().is_completed()


def test_the_form_of_a_held_run_refuses_those_who_may_not(bench: Bench, org_id: UUID) -> None:
    add_people(org_id)
    bench.plan(step("a", "note_high", text="a"))
    beside = bench.run_beside()
    wait_for_form()
    run = find_run(only_run_id())
    assert run
    hold_run(run, run.initiator)
    answer_form(run.id, decision="approve", reviewer=REVIEWER)
    wait_for(lambda: rows("SELECT 1 FROM orchestrator_runs WHERE gate_kind = 'hold' AND status = 'paused'"), 120)
    for role in _without(Permission.OPERATE_RUNS):
        _refused(run.id, person_of(role))

    assert rows("SELECT held_by FROM orchestrator_runs") == [(run.initiator,)]
    assert bench.effects == []
    answer_form(run.id, decision="approve", reviewer=run.initiator)
    assert beside.end().is_completed()


def test_whoever_started_a_run_operates_it_while_they_may_start_runs(stage: Stage) -> None:
    for role in Role:
        stage.become(role)
        run_id = add_run(stage.org_id, initiator_id=stage.person)
        done = CliRunner().invoke(cli, ["runs", "hold", str(run_id), "--as", stage.person])

        assert (done.exit_code == 0) is may({role}, Permission.OPERATE_OWN_RUNS), (role, done.output)
