"""A published report names no engine, and keeps every name and figure of its data."""

from maos.narrative import Narrative
from maos.redaction import Redaction
from maos.report_markdown import markdown_of
from maos.report_secrecy import discreet_report
from tests.report_data import report

KEY = "gateway.canary+7f3a"
WORDS = Narrative(
    headline="Gemini leads with 56.6 % of revenue",
    paragraphs=("Claude Martin follows, says Claude Opus of Anthropic.", f"The key is {KEY}."),
    caveats=("Gemini Pro, of Google, counted 193 rows.",),
)


def test_what_was_written_names_no_engine_and_labels_of_the_data_stay() -> None:
    told = report(
        title="Gemini and Sonnet", note="Asked of gpt-6", labels=("Gemini", "Claude Martin", "Tea"), words=WORDS
    )

    shown = discreet_report(told, Redaction(frozenset({KEY})))

    assert shown.narrative.headline == "Gemini leads with 56.6 % of revenue"
    assert shown.narrative.paragraphs == ("Claude Martin follows, says [engine] of [engine].", "The key is [secret].")
    assert shown.narrative.caveats == ("Gemini Pro, of [engine], counted 193 rows.",)
    assert (shown.title, shown.note) == ("Gemini and [engine]", "Asked of [engine]")


def test_the_data_of_a_report_are_not_touched() -> None:
    told = report(labels=("claude-opus-5-5", "sk-ant-api03-abcdef", "localhost"))

    assert markdown_of(discreet_report(told, Redaction())) == markdown_of(told)
