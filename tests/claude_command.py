"""A strict double of the `claude` command line, as it behaves in print mode (measured with version 2.1.197).

    double = ClaudeDouble(folder, key="sk-test-1")
    double.will(writes={"notes.md": "hello"}, says="Done.")
    ...  # a block ClaudeCommand with `executable=double.path`
    assert double.calls[0].stdin == "Write notes."

Each start takes the next behaviour. A start that breaks the command's rules ends with a complaint, and is no call.
"""

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PROGRAM = Path(__file__).parent / "claude_command_program.py"
VERSION = "2.1.197"
# 812 * 2 + 164 * 10 + 100 * 2.5 + 300 * 4 + 50 * 0.1 USD a million, by our prices.
USAGE = {
    "input_tokens": 812,
    "output_tokens": 164,
    "cache_creation_input_tokens": 400,
    "cache_read_input_tokens": 50,
    "cache_creation": {"ephemeral_5m_input_tokens": 100, "ephemeral_1h_input_tokens": 300},
    "inference_geo": "global",
}


@dataclass(frozen=True)
class Call:
    """One start of the command, as it found itself."""

    arguments: list[str]
    environment: dict[str, str]
    stdin: str
    folder: str
    files: dict[str, str]
    briefing: str
    pid: int

    def option(self, name: str) -> str:
        """Return the value of an option."""
        return self.arguments[self.arguments.index(name) + 1]


class ClaudeDouble:
    """The command at `path`, for one key."""

    def __init__(self, folder: Path, *, key: str) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / "claude"
        script = (
            f"#!{sys.executable} -I\nimport runpy, sys\n"
            f"sys.argv.insert(1, {str(folder)!r})\nrunpy.run_path({str(PROGRAM)!r}, run_name='__main__')\n"
        )
        self.path.write_text(script)
        self.path.chmod(0o755)
        (folder / "key").write_text(key)
        (folder / "version").write_text(VERSION)
        self._behaviours = 0

    def will(self, **behaviour: Any) -> None:
        """Behave so at the next start; see `behave` and `work` of the program for what can be said."""
        behaviour.setdefault("usage", [USAGE])
        (self._folder / f"behaviour-{self._behaviours}.json").write_text(json.dumps(behaviour))
        self._behaviours += 1

    @property
    def calls(self) -> list[Call]:
        """The starts that kept to the rules, in order."""
        logged = self._folder / "calls.jsonl"
        lines = logged.read_text().splitlines() if logged.exists() else []
        return [Call(**json.loads(line)) for line in lines]

    @property
    def complaints(self) -> list[str]:
        """What was wrong with the starts that broke the rules."""
        told = self._folder / "complaints.txt"
        return told.read_text().splitlines() if told.exists() else []

    @property
    def children(self) -> list[int]:
        """The process ids of what the command has started itself."""
        started = self._folder / "children.txt"
        return [int(pid) for pid in started.read_text().split()] if started.exists() else []

    def arrived(self, behaviour: int = 0) -> bool:
        """Say whether a start has come to where it hangs."""
        return (self._folder / f"arrived-{behaviour}").exists()
