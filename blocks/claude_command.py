"""The writer's command line, as an operator configures it."""

import os
import shutil
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

from prefect.blocks.core import Block
from pydantic import Field, HttpUrl

from blocks.claude import MODELS, ClaudeEngine, ModelAlias
from blocks.logos import FILES
from maos.errors import EngineFailure
from maos.failures import FailureKind
from maos.workspace_writing import OUTPUT_TOKENS, Tool

_VERSION_SECONDS = 15.0
_TOOL_NAMES: dict[Tool, str] = {Tool.READ: "Read", Tool.SEARCH: "Grep", Tool.EDIT: "Edit", Tool.WRITE: "Write"}
# A rule for reading also covers searching, one for editing also writing; each only below the folder it works in.
_RULES: tuple[tuple[str, frozenset[Tool]], ...] = (
    ("Read(./**)", frozenset({Tool.READ, Tool.SEARCH})),
    ("Edit(./**)", frozenset({Tool.EDIT, Tool.WRITE})),
)
_SWITCHES = {
    "LANG": "C.UTF-8",
    "DISABLE_AUTOUPDATER": "1",
    "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
    # Retries are ours, so that every attempt is budgeted and recorded.
    "CLAUDE_CODE_MAX_RETRIES": "0",
    "CLAUDE_CODE_DISABLE_NONSTREAMING_FALLBACK": "1",
    # What bounds the cost of one call; summing a long conversation up would be a call that is not shown.
    "CLAUDE_CODE_MAX_OUTPUT_TOKENS": str(OUTPUT_TOKENS),
    "CLAUDE_CODE_DISABLE_1M_CONTEXT": "1",
    "DISABLE_COMPACT": "1",
}
_WITHOUT_USERS_SETTINGS = (
    "--safe-mode",
    "--setting-sources",
    "",
    "--strict-mcp-config",
    "--disable-slash-commands",
    "--no-session-persistence",
)


class ClaudeCommand(Block):
    """Where the command is, and which model it works with; key and address are those of the Claude Engine block."""

    _block_type_name = "Claude Command"
    _block_type_slug = "claude-command"
    _description = "The claude command line, for work in workspaces (engine type claude_cli)."
    _logo_url = FILES
    _documentation_url = HttpUrl("https://docs.claude.com/en/docs/claude-code/headless")
    _code_example = """\
```python
from blocks.claude import ClaudeEngine
from blocks.claude_command import ClaudeCommand

line = ClaudeCommand.load("BLOCK_NAME").ready(ClaudeEngine.load("default"))
```"""

    executable: str = Field(
        default="claude", min_length=1, title="Command", description="Path of the command, or its name on PATH."
    )
    model: ModelAlias = Field(default="sonnet", description="Which model works in workspaces.")

    @property
    def model_id(self) -> str:
        """The model by the name that the API and the price list know."""
        return MODELS[self.model]

    def ready(self, engine: ClaudeEngine) -> "CommandLine":
        """Return the command with the key and address of an engine.

        Raises:
            EngineFailure: when it is not installed, or there is no key that could be sent.
        """
        path = self._path()
        if path is None:
            raise EngineFailure(FailureKind.NOT_CONFIGURED, f"there is no command {self.executable!r}")
        return CommandLine(path, self.model_id, engine.sendable_key(), engine.resolved_base_url())

    def version(self) -> str | None:
        """Return the version of the command, or None when it is not installed or does not say."""
        path = self._path()
        if path is None:
            return None
        try:
            told = subprocess.run(
                [path, "--version"],
                env={"PATH": _path_for(path)},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=_VERSION_SECONDS,
                check=True,
            )
        except (OSError, subprocess.SubprocessError):
            return None
        words = told.stdout.decode(errors="replace").split()
        return words[0][:40] if words else None

    def _path(self) -> str | None:
        found = shutil.which(self.executable)
        return os.path.abspath(found) if found else None


@dataclass(frozen=True)
class CommandLine:
    """A command that is ready to be run; its key goes by the environment alone."""

    path: str
    model: str
    key: str = field(repr=False)
    address: str

    def arguments(
        self, *, tools: Iterable[Tool], max_turns: int, max_cost_usd: Decimal, briefing: Path
    ) -> tuple[str, ...]:
        """Return the command with its arguments; the instructions come by standard input."""
        chosen = frozenset(tools)
        rules = [rule for rule, covered in _RULES if covered & chosen]
        return (
            self.path,
            "--print",
            *("--output-format", "stream-json", "--verbose", "--include-partial-messages"),
            *_WITHOUT_USERS_SETTINGS,
            *("--model", self.model),
            *("--max-turns", str(max_turns)),
            *("--max-budget-usd", f"{max_cost_usd:f}"),
            *("--append-system-prompt-file", str(briefing)),
            # What is not allowed is denied, for there is nobody to ask.
            *("--permission-mode", "dontAsk"),
            *("--tools", ",".join(_TOOL_NAMES[tool] for tool in Tool if tool in chosen)),
            *("--allowedTools", *rules),
        )

    def environment(self, home: Path) -> dict[str, str]:
        """Return all that the command may know of the world; its home is an empty folder."""
        return {
            **_SWITCHES,
            "PATH": _path_for(self.path),
            "HOME": str(home),
            "CLAUDE_CONFIG_DIR": str(home / "settings"),
            "TMPDIR": str(home),
            "ANTHROPIC_API_KEY": self.key,
            "ANTHROPIC_BASE_URL": self.address,
        }


def _path_for(path: str) -> str:
    # A command may be a script whose interpreter stands beside it.
    return os.pathsep.join([os.path.dirname(path), os.defpath])
