"""What the tests of the writer ask, and how."""

from typing import Any

from pydantic import BaseModel, Field

from blocks.claude import ClaudeEngine
from maos.usage import TokenUsage
from maos.writing import Prompt
from tasks.writer import WriterReply, call_writer
from tests.messages_server import MessagesServer

# Not of the vendor's form: it is to be kept secret as what it is, not for how it looks.
KEY = "gateway.canary+7f3a"
ANSWER = {"headline": "Sales grew by 4 %", "points": ["North led", "Süd fell"]}
# What the server counts by default.
USED = TokenUsage(input_tokens=812, output_tokens=164)


class Narrative(BaseModel):
    """An answer with limits that the strict dialect cannot state."""

    headline: str = Field(max_length=80)
    points: list[str] = Field(min_length=1, max_length=6)


PROMPT = Prompt(system="You write reports.", user="Sales: 104, before: 100 €.", answer=Narrative)


def ask(server: MessagesServer, **fields: Any) -> WriterReply:
    """Ask the writer once, with these fields of the block."""
    engine = ClaudeEngine(**{"api_key": KEY, "base_url": server.url, "timeout_seconds": 5, **fields})
    return call_writer(engine, PROMPT, lambda _: None)
