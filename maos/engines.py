"""The approved engine types, the one list that every layer reads."""

from enum import StrEnum


class EngineType(StrEnum):
    """An approved way of carrying out a step."""

    CLAUDE_CLI = "claude_cli"
    DEEP_AGENT = "deep_agent"
    GEMINI_IMAGE = "gemini_image"
    INTERNAL_SERVICE = "internal_service"

    @property
    def tag(self) -> str:
        """The Prefect tag that every task of this engine carries."""
        return f"engine:{self.value}"

    @property
    def label(self) -> str:
        """The name a client may read: it gives no vendor away."""
        return _LABELS[self]


_LABELS: dict[EngineType, str] = {
    EngineType.CLAUDE_CLI: "writer",
    EngineType.DEEP_AGENT: "researcher",
    EngineType.GEMINI_IMAGE: "illustrator",
    EngineType.INTERNAL_SERVICE: "service",
}
