"""Text of many lines in Markdown: shown as it is, and unable to end its block."""

import pytest
from markdown_it import MarkdownIt

from maos.fences import fenced

HOSTILE = [
    "",
    "plain\n\nlines\n",
    "```\n# heading\n```",
    "````text\n~~~\n`````",
    "\r\r```\r# heading",
    "    ```\n\t```\n<script>alert(1)</script>",
    "- list\n  ```\n  > quote\n[link](javascript:x) ![image](x)",
    "a\u2028```\u2029b\x0b```\x0c```\x85```",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_fenced_text_is_one_block_of_code_whatever_it_says(text: str) -> None:
    tokens = MarkdownIt("commonmark").parse(f"before\n\n{fenced(text)}\n\n# after\n")

    blocks = [(token.type, token.content) for token in tokens if token.content]
    assert blocks == [("inline", "before"), ("fence", "\n".join(text.splitlines()) + "\n"), ("inline", "after")]


def test_what_cannot_be_seen_is_shown() -> None:
    assert fenced("pay \u202e001\u200b \0now\t!") == "```text\npay \ufffd001\ufffd \ufffdnow\t!\n```"
