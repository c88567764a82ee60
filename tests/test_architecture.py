"""The rooms of the code and their rules; the table below is their documentation."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parent.parent
ROOMS = ("maos", "flows", "tasks", "blocks", "sql", "console", "deployments")

# Which of our packages each room may import, besides itself.
MAY_IMPORT: dict[str, frozenset[str]] = {
    "maos": frozenset(),
    "flows": frozenset({"maos", "tasks"}),
    "tasks": frozenset({"maos", "blocks", "sql"}),
    "blocks": frozenset({"maos", "sql"}),
    "sql": frozenset({"maos"}),
    "console": frozenset({"maos", "flows", "tasks", "blocks", "sql"}),
    "deployments": frozenset(ROOMS),
}

# Packages of others that a room must not import: they belong to another room.
MUST_NOT_IMPORT: dict[str, frozenset[str]] = {
    "maos": frozenset(
        {"prefect", "sqlalchemy", "sqlmodel", "psycopg", "anthropic", "httpx", "duckdb", "random", "time", "google"}
    ),
    "flows": frozenset({"sqlalchemy", "sqlmodel", "psycopg", "anthropic", "httpx", "duckdb", "google"}),
    "tasks": frozenset({"psycopg", "anthropic", "httpx", "requests", "google"}),
    "blocks": frozenset({"requests"}),
    "sql": frozenset({"prefect", "anthropic", "httpx", "google"}),
    "console": frozenset({"anthropic", "psycopg", "google"}),
    "deployments": frozenset({"anthropic", "google"}),
}

MAX_FILE_LINES = 300
MAX_FUNCTION_LINES = 40
MAX_ENTRYPOINT_STATEMENTS = 5


def _files(*rooms: str) -> list[Path]:
    return [path for room in rooms for path in sorted((ROOT / room).rglob("*.py")) if "versions" not in path.parts]


def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def _imports(path: Path) -> Iterator[str]:
    for node in ast.walk(_tree(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"{path}: imports are absolute"
            yield node.module.split(".")[0]


def _name(path: object) -> str:
    return str(path.relative_to(ROOT)) if isinstance(path, Path) else str(path)


@pytest.mark.parametrize("path", _files(*ROOMS), ids=_name)
def test_each_room_imports_only_what_its_row_allows(path: Path) -> None:
    room = path.relative_to(ROOT).parts[0]
    imported = set(_imports(path))

    assert imported & set(ROOMS) <= MAY_IMPORT[room] | {room}
    assert imported & MUST_NOT_IMPORT[room] == set()


@pytest.mark.parametrize("path", _files(*ROOMS), ids=_name)
def test_files_and_functions_stay_short(path: Path) -> None:
    functions = [node for node in ast.walk(_tree(path)) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]

    assert len(path.read_text().splitlines()) <= MAX_FILE_LINES
    assert [f.name for f in functions if (f.end_lineno or 0) - f.lineno >= MAX_FUNCTION_LINES] == []


@pytest.mark.parametrize("path", _files(*ROOMS), ids=_name)
def test_nothing_is_caught_wholesale(path: Path) -> None:
    # The border to a child process, which everything has to cross.
    if path in {ROOT / "flows" / "hooks.py", ROOT / "tasks" / "apart.py"}:
        return
    swallowed = [
        ast.unparse(node.type)
        for node in ast.walk(_tree(path))
        if isinstance(node, ast.ExceptHandler) and node.type and not isinstance(node.body[-1], ast.Raise)
    ]

    assert not {"Exception", "BaseException"} & set(swallowed)


# Scheduled flows that keep the house: they have no request and no plan.
HOUSEKEEPING = {
    "anchor_audit_chains",
    "apply_retention",
    "close_billing_month",
    "expire_approvals",
    "make_audit_partitions",
    "propose_exemptions",
    "reconcile_runs",
    "report_vigilance",
}


def _entrypoints() -> list[Path]:
    shared = {
        "__init__",
        "execution",
        "approvals",
        "forms",
        "plan_approvals",
        "drifts",
        "top_ups",
        "hooks",
        "options",
    } | HOUSEKEEPING
    return [path for path in _files("flows") if path.stem not in shared]


@pytest.mark.parametrize("path", _entrypoints(), ids=_name)
def test_an_entrypoint_is_one_thin_flow(path: Path) -> None:
    functions = [node for node in _tree(path).body if isinstance(node, ast.FunctionDef)]

    assert [function.name for function in functions] == [path.stem]
    assert len(functions[0].body) <= MAX_ENTRYPOINT_STATEMENTS
    assert not [node for node in _tree(path).body if isinstance(node, ast.ClassDef)]


def test_every_entrypoint_is_deployed_and_registered() -> None:
    from tasks.entrypoints import ENTRYPOINTS

    deployed = {d["entrypoint"]: d["name"] for d in yaml.safe_load((ROOT / "prefect.yaml").read_text())["deployments"]}
    assert {f"flows.{name}.{name}" for name in HOUSEKEEPING} <= deployed.keys()
    for path in _entrypoints():
        name = path.stem
        assert deployed[f"flows.{name}.{name}"] == name.replace("_", "-")
        assert ENTRYPOINTS[name].deployment == f"{name.replace('_', '-')}/{name.replace('_', '-')}"
        assert (ROOT / "examples" / name / "request.json").is_file()


def test_every_deployment_says_where_it_runs_and_that_nothing_is_pulled() -> None:
    for each in yaml.safe_load((ROOT / "prefect.yaml").read_text())["deployments"]:
        assert each["work_pool"]["name"] == "maos", each["name"]
        assert each["pull"] == [], each["name"]


def test_every_engine_task_carries_its_tag() -> None:
    from tasks.dispatch import ENGINE_TASKS

    for engine, task in ENGINE_TASKS.items():
        assert engine.tag in task.tags


@pytest.mark.parametrize("path", _files("tasks"), ids=_name)
def test_no_error_leaves_a_task_with_a_secret_in_it(path: Path) -> None:
    tasks = [
        [ast.unparse(decorator) for decorator in node.decorator_list]
        for node in ast.walk(_tree(path))
        if isinstance(node, ast.FunctionDef)
        if any(ast.unparse(decorator).startswith("task(") for decorator in node.decorator_list)
    ]

    # Prefect keeps the words of an error as the state of the task.
    assert [decorators for decorators in tasks if decorators[-1] != "discreet()"] == []


def test_only_the_gate_waits_for_a_person() -> None:
    waiting = [path for path in _files(*ROOMS) if re.search(r"\b(suspend|pause)_flow_run\b", path.read_text())]

    assert waiting == [ROOT / "flows" / "approvals.py"]


def test_no_vendor_is_called_by_hand() -> None:
    by_hand = [
        path
        for path in _files(*ROOMS)
        if re.search(r"(api\.(anthropic|openai)|generativelanguage\.googleapis)\.com/v1", path.read_text())
    ]

    assert by_hand == []


def test_only_the_settings_read_the_environment() -> None:
    rooms = ("maos", "flows", "tasks", "blocks", "sql")
    reading = [path for path in _files(*rooms) if re.search(r"os\.(environ|getenv)", path.read_text())]

    assert reading == [ROOT / "maos" / "settings.py"]
