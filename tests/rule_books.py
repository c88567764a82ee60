"""Rules as tests need them: documents made of a block, and the project's file put in the place of the packaged one."""

from pathlib import Path

import pytest

from maos.rules import Rules, book_of
from maos.rules_text import parse_rules


def document(block: str, prose: str = "Be kind.") -> str:
    """Return a document of rules with this block."""
    return f"# Rules\n\n{prose}\n\n```maos-rules\n{block}\n```\n"


NO_RULES = book_of(parse_rules(document("", prose=""), source="test"), None, version=0, rules=Rules())


class ProjectRules:
    """The project's file of rules, as a test writes it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
        self.file = folder / "CLAUDE.md"
        monkeypatch.setenv("MAOS_RULES_FILE", str(self.file))

    def say(self, block: str, prose: str = "Be kind.") -> None:
        """Make the project's rules of this block."""
        self.file.write_text(document(block, prose))
