"""The program behind the double of the command line; it runs alone, and its folder is its first argument."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, NoReturn

FOLDER = Path(sys.argv.pop(1))
# How many values each option takes; the last takes all there are.
OPTIONS = {
    "--print": 0,
    "--output-format": 1,
    "--verbose": 0,
    "--include-partial-messages": 0,
    "--safe-mode": 0,
    "--setting-sources": 1,
    "--strict-mcp-config": 0,
    "--disable-slash-commands": 0,
    "--no-session-persistence": 0,
    "--model": 1,
    "--max-turns": 1,
    "--max-budget-usd": 1,
    "--append-system-prompt-file": 1,
    "--permission-mode": 1,
    "--tools": 1,
    "--allowedTools": None,
}
VARIABLES = {
    "PATH",
    "HOME",
    "LANG",
    "TMPDIR",
    "CLAUDE_CONFIG_DIR",
    "ANTHROPIC_API_KEY",
    "ANTHROPIC_BASE_URL",
    "DISABLE_AUTOUPDATER",
    "DISABLE_COMPACT",
    "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC",
    "CLAUDE_CODE_DISABLE_NONSTREAMING_FALLBACK",
    "CLAUDE_CODE_DISABLE_1M_CONTEXT",
    "CLAUDE_CODE_MAX_RETRIES",
    "CLAUDE_CODE_MAX_OUTPUT_TOKENS",
}
# Python adds it to its own environment under a C locale.
IGNORED = {"LC_CTYPE"}
NOTHING = {"input_tokens": 0, "output_tokens": 0, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0}
ESTIMATE_USD = 0.5


def main() -> None:
    if sys.argv[1:] == ["--version"]:
        print((FOLDER / "version").read_text(), "(Claude Code)")
        return
    options = parsed(sys.argv[1:])
    check(options)
    number = log_call(options)
    behaviour = json.loads((FOLDER / f"behaviour-{number}.json").read_text())
    key = os.environ.get("ANTHROPIC_API_KEY")
    if not key:
        finish(is_error=True, result="Not logged in · Please run /login", code=1)
    if key != (FOLDER / "key").read_text():
        finish(is_error=True, result=f"Invalid API key · {key}", api_error_status=401, code=1)
    behave(behaviour, options, number)


def parsed(arguments: list[str]) -> dict[str, list[str]]:
    options: dict[str, list[str]] = {}
    rest = list(arguments)
    while rest:
        name = rest.pop(0)
        if name not in OPTIONS:
            complain(f"error: unknown option '{name}'")
        count = OPTIONS[name]
        options[name] = rest[: len(rest) if count is None else count]
        rest = rest[len(options[name]) :]
    return options


def check(options: dict[str, list[str]]) -> None:
    """Refuse what the command refuses, and what maos must never do."""
    key = os.environ.get("ANTHROPIC_API_KEY", "")
    config = Path(os.environ["CLAUDE_CONFIG_DIR"])
    rules = {
        "print mode": "--print" in options,
        "stream-json needs --verbose": options.get("--output-format") == ["stream-json"] and "--verbose" in options,
        "settings of users are off": options.get("--setting-sources") == [""] and "--safe-mode" in options,
        "nobody can be asked": options.get("--permission-mode") == ["dontAsk"],
        "a model": options.get("--model") == ["claude-sonnet-5-5"],
        "servers of users are off": "--strict-mcp-config" in options,
        "only rules below the folder": set(options["--allowedTools"]) <= {"Read(./**)", "Edit(./**)"},
        "only tools for files": set(options["--tools"][0].split(",")) <= {"Read", "Grep", "Edit", "Write"},
        "the key is no argument": not key or key not in str(sys.argv),
        f"variables: {set(os.environ) - IGNORED ^ VARIABLES}": set(os.environ) - IGNORED == VARIABLES,
        "settings of its own": not config.exists() and config.parent == Path(os.environ["HOME"]),
        "no home in the workspace": not Path(os.environ["HOME"]).is_relative_to(Path.cwd()),
        "a group of its own": os.getpgid(0) != os.getpgid(os.getppid()) or os.getpgid(0) == os.getppid(),
    }
    for rule, kept in rules.items():
        if not kept:
            complain(f"error: {rule}")


def complain(words: str) -> NoReturn:
    with (FOLDER / "complaints.txt").open("a") as file:
        file.write(words + "\n")
    sys.exit(words)


def log_call(options: dict[str, list[str]]) -> int:
    logged = FOLDER / "calls.jsonl"
    number = len(logged.read_text().splitlines()) if logged.exists() else 0
    call = {
        "arguments": sys.argv[1:],
        "environment": dict(os.environ),
        "stdin": sys.stdin.read(),
        "folder": os.getcwd(),
        "files": {str(path): path.read_text() for path in Path().rglob("*") if path.is_file()},
        "briefing": Path(options["--append-system-prompt-file"][0]).read_text(),
        "pid": os.getpid(),
    }
    with logged.open("a") as file:
        file.write(json.dumps(call) + "\n")
    return number


def behave(told: dict[str, Any], options: dict[str, list[str]], number: int) -> None:
    sys.stderr.write(told.get("complains", ""))
    say(type="system", subtype="init", tools=options["--tools"][0].split(","))
    for _ in range(told.get("children", 0)):
        start_child()
    if told.get("ignores_term"):
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    totals: dict[str, dict[str, int]] = {}
    for turn, usage in enumerate(told["usage"], start=1):
        model = usage.pop("model", options["--model"][0])
        count(totals.setdefault(model, {}), usage)
        speak(model, usage, cut=told.get("cut") == turn)
        if turn * ESTIMATE_USD >= float(options["--max-budget-usd"][0]):
            finish("error_max_budget_usd", modelUsage=totals, turns=turn, errors=["Reached maximum budget"], code=1)
        if turn >= int(options["--max-turns"][0]) and turn < len(told["usage"]):
            finish("error_max_turns", modelUsage=totals, turns=turn + 1, errors=["Reached maximum turns"], code=1)
    denied = work(told, options)
    sys.stdout.write(told.get("prints", ""))
    sys.stdout.flush()
    ending(told, number)
    if told.get("silent"):
        sys.exit(told.get("code", 0))
    result = {"modelUsage": totals, "turns": len(told["usage"]), "permission_denials": denied} | told.get("result", {})
    finish(result=told.get("says", "Done."), code=told.get("code", 0), **result)


def ending(told: dict[str, Any], number: int) -> None:
    (FOLDER / f"arrived-{number}").touch()
    if told.get("dies"):
        os.kill(os.getpid(), signal.SIGKILL)
    while told.get("hangs"):
        time.sleep(60)


def start_child() -> None:
    # Cut loose twice: a session of its own, and no parent.
    code = "import os, time\nif os.fork(): os._exit(0)\nos.setsid()\nprint(os.getpid(), flush=True)\ntime.sleep(600)"
    child = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert child.stdout
    with (FOLDER / "children.txt").open("a") as file:
        file.write(child.stdout.readline())


def count(total: dict[str, int], usage: dict[str, Any]) -> None:
    words = {
        "inputTokens": "input_tokens",
        "outputTokens": "output_tokens",
        "cacheReadInputTokens": "cache_read_input_tokens",
        "cacheCreationInputTokens": "cache_creation_input_tokens",
    }
    for said, counted in words.items():
        total[said] = total.get(said, 0) + usage.get(counted, 0)


def speak(model: str, usage: dict[str, Any], *, cut: bool) -> None:
    begun = {**usage, "output_tokens": 1}
    event(type="message_start", message={"model": model, "usage": begun})
    event(type="content_block_delta", delta={"type": "text_delta", "text": "canary-of-the-payload"})
    if not cut:
        event(type="message_delta", delta={"stop_reason": "end_turn"}, usage=usage)
        event(type="message_stop")


def work(told: dict[str, Any], options: dict[str, list[str]]) -> list[dict[str, str]]:
    """Do what is told to the files, as far as the tools allow it."""
    if "Write" not in options["--tools"][0].split(",") or "Edit(./**)" not in options["--allowedTools"]:
        return [{"tool_name": "Write"}] if told.get("writes") else []
    for path, text in told.get("writes", {}).items():
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_text(text)
    # What only a program that has gone astray does.
    for path in told.get("deletes", []):
        Path(path).unlink()
    for path, target in told.get("links", {}).items():
        Path(path).symlink_to(target)
    for path, target in told.get("hard_links", {}).items():
        os.link(target, path)
    for path in told.get("fifos", []):
        os.mkfifo(path)
    for path, size in told.get("sizes", {}).items():
        with Path(path).open("wb") as file:
            file.truncate(size)
    for number in range(told.get("many", 0)):
        Path(f"file-{number}").touch()
    if target := told.get("swaps_folder_for"):
        here = Path.cwd()
        here.rename(here.with_name("moved"))
        here.symlink_to(target)
    return []


def event(**fields: Any) -> None:
    say(type="stream_event", event=fields)


def say(**fields: Any) -> None:
    print(json.dumps({"session_id": "session-1", **fields}), flush=True)


def finish(subtype: str = "success", *, code: int, turns: int = 1, **fields: Any) -> NoReturn:
    said = {
        "type": "result",
        "subtype": subtype,
        "is_error": subtype != "success",
        "num_turns": turns,
        # An estimate that nobody may bill from.
        "total_cost_usd": 777.77,
        "usage": NOTHING,
        "modelUsage": {},
        "permission_denials": [],
    }
    with contextlib.suppress(BrokenPipeError):
        say(**said | fields)
    sys.exit(code)


main()
