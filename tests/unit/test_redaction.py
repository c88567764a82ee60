"""What is taken out of text, and what must survive it."""

import base64
import hashlib
import json
from random import Random
from string import ascii_letters, digits
from urllib.parse import quote
from uuid import UUID

import pytest

from maos.images import IMAGE_MODEL
from maos.redaction import Redaction, each_text, for_clients, without_secrets

KNOWN = "gateway.canary+7f3a/ä"
HIDDEN = Redaction(frozenset({KNOWN, "abc"}), frozenset({"db.example"}))


@pytest.mark.parametrize(
    "secret",
    [
        "sk-ant-api03-abcdefghijk",
        "sk_live_0123456789",
        "AIzaSyA1234567890abcdefg",
        "AQ.Ab8RN6Jabcdefgh",
        "AKIAIOSFODNN7EXAMPLE",
        "ghp_0123456789abcdef",
        "github_pat_11ABCDEFG0abcdef",
        "xoxb-123456789012-abcdef",
        "glpat-0123456789abcdef",
        "pnu_0123456789abcdef0123",
        "hf_abcdefghijklmnop",
        "ya29.a0AfH6SMBabcdef",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2lnbmF0dXJl",
        "Bearer abc.def.ghi",
        "Basic bWFvczpodW50ZXIy",
        "-----BEGIN RSA PRIVATE KEY-----\nMIIEow\nIBAAKC\n-----END RSA PRIVATE KEY-----",
        "Zk3vQ9xLw2TnB7rYp5HsD8mJ",
    ],
)
def test_a_key_is_known_by_its_form(secret: str) -> None:
    assert without_secrets(f"the call with {secret} failed") == "the call with [secret] failed"


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("postgresql://maos:hunter2@127.0.0.1/maos", "postgresql://[secret]@127.0.0.1/maos"),
        ("redis://:hunter2@cache/0", "redis://[secret]@cache/0"),
        ("host=db user=maos password=hunter2 dbname=maos", "host=db user=maos password=[secret] dbname=maos"),
        ("https://x.example/f?api_key=hunter2&page=2", "https://x.example/f?api_key=[secret]&page=2"),
        ('{"a": "http://x.example", "b": "y@x.example"}', '{"a": "http://x.example", "b": "y@x.example"}'),
    ],
)
def test_a_password_is_known_by_where_it_stands(said: str, shown: str) -> None:
    assert without_secrets(said) == shown


# What looks long and odd, and is none.
@pytest.mark.parametrize(
    "text",
    [
        str(UUID(int=0x3F0C7B1E111142228333123456789ABC)),
        UUID(int=0x3F0C7B1E111142228333123456789ABC).hex,
        hashlib.sha256(b"plan").hexdigest(),
        hashlib.sha256(b"plan").hexdigest().upper(),
        "maos-1d0c7b1e-1111-4222-8333-123456789abc-publish_report",
        base64.b64encode(b"Hello world, it is me").decode(),
        "2026-11-20T12:00:00.000000+00:00",
        "2026-11-20T12:00:00Z--2026-11-21T12:00:00Z",
        "artifacts/demo/3f0c7b1e-1111-4222-8333-123456789abc/published/report.html",
        "/var/lib/maos/datasets/demo/2024Q3_Sales_NorthAmerica_Final_v2.csv",
        "GenerateReportRequest_AggregateParametersV2",
        "flows.generate_report.generate_report",
        "tests/integration/test_effect_services.py::test_a_report_is_sent",
        "https://data.example/files/Quarterly-Figures-2026-Europe.parquet?page=2",
        "revenue_per_customer_2024_adjusted_for_inflation",
        "1,234,567.89 USD; 12.3 %; +49 30 1234567; 4111 1111 1111 1111",
        "in 812 tokens; a secret of the trade; a basic idea; the bearer of news; a task-force; sk-",
        "step 'publish_report' was rejected by reviewer@demo.example: wrong quarter",
    ],
)
def test_ids_digests_dates_names_and_words_survive(text: str) -> None:
    assert without_secrets(text) == text


def test_nineteen_of_twenty_random_tokens_are_recognised() -> None:
    random = Random(4)  # noqa: S311 - the same tokens every time
    tokens = ["".join(random.choices(ascii_letters + digits, k=32)) for _ in range(500)]

    assert sum(without_secrets(token) == "[secret]" for token in tokens) > 475


@pytest.mark.parametrize(
    "form",
    [
        KNOWN,
        KNOWN.upper(),
        quote(KNOWN, safe=""),
        quote(KNOWN, safe="").lower(),
        json.dumps(KNOWN)[1:-1],
        KNOWN.encode().hex(),
        base64.b64encode(KNOWN.encode()).decode().rstrip("=")[:-1],
        base64.b64encode(b"user:" + KNOWN.encode() + b" and more").decode()[7:],
        base64.urlsafe_b64encode(b"x" + KNOWN.encode()).decode()[2:],
    ],
)
def test_a_known_secret_is_found_in_every_form(form: str) -> None:
    clean = HIDDEN.without_known(f"before {form} behind")

    assert clean.startswith("before ")
    assert form not in clean
    assert "[secret]" in clean


def test_a_secret_that_is_too_short_to_be_one_tears_no_word_apart() -> None:
    assert HIDDEN.without_secrets("the abcissa") == "the abcissa"


def test_data_keep_what_only_looks_like_a_secret() -> None:
    assert (
        HIDDEN.without_known("sk-10023456 and Zk3vQ9xLw2TnB7rYp5HsD8mJ") == "sk-10023456 and Zk3vQ9xLw2TnB7rYp5HsD8mJ"
    )


def test_every_text_of_a_json_value_is_cleaned_and_nothing_else() -> None:
    value = {"a": [1, None, f"key {KNOWN}"], KNOWN: {"b": True}}

    assert each_text(value, HIDDEN.without_known) == {"a": [1, None, "key [secret]"], "[secret]": {"b": True}}


@pytest.mark.parametrize(
    "name",
    [
        "Anthropic",
        "Claude",
        "CLAUDE",
        "claude-sonnet-5-5",
        "claude_cli",
        "Claude Sonnet",
        "claude-opus-5-5@20260101",
        "anthropic/claude-3.5-sonnet",
        "Opus",
        "Gemini",
        "gemini_image",
        IMAGE_MODEL,
        "Gemini 3.1 Flash Image",
        "Nano Banana",
        "nano-banana",
        "Google",
        "google-genai",
        "Vertex AI",
        "gpt-6",
        "GPT",
        "ChatGPT",
        "OpenAI",
        "o3-mini",
        "llama-3.1-70b-instruct",
        "Mistral",
        "DeepSeek",
        "command-r-08-2024",
        "Hugging Face",
        # Unicode: full width, a zero width space, a soft hyphen, Cyrillic letters, a mark over a letter.
        "\uff23\uff2c\uff21\uff35\uff24\uff25",
        "Cl\u200baude",
        "Anth\u00adropic",
        "Cl\u0430ud\u0435",
        "Cla\u0332ude",
    ],
)
def test_vendors_models_and_engine_types_are_not_named_to_clients(name: str) -> None:
    assert for_clients(f"written by {name} today") == "written by [engine] today"


# Names end where words end; a number that stands alone stays, since it could be a figure.
@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("Claude's text", "[engine]'s text"),
        ("opus 4 in music", "[engine] 4 in music"),
        ("Gemini 12 percent", "[engine] 12 percent"),
        ("trained by Google.", "trained by [engine]."),
        ("(claude)", "([engine])"),
        ("my_claude_step", "my_[engine]"),
    ],
)
def test_a_name_is_taken_out_and_its_sentence_stays(said: str, shown: str) -> None:
    assert for_clients(said) == shown


@pytest.mark.parametrize(
    "text",
    [
        "Claudette and Jean-Claudel sold the most",
        "magnum opuses, sonnets and haikus; a geminid; gptx",
        "Google Ads and Google Analytics led the channels; Google's Search Console too"[:48],
        "The command of the north: solar, wind, mercury and a nova; together they step up",
        "Meta, Amazon, Nvidia, Microsoft and Perplexity grew; Azure and Cloudflare costs fell",
        "voyage-2 and SKU mercury-3, text 2026, seed-1.6",
        "Whisper a writer's word; the router and the air; a cursor, a composer",
        "Kimi and Ada and Eva sold 4 jambas in Davinci street 2",
        "Umsatz für Österreich: 1.234,56 €",
    ],
)
def test_ordinary_words_and_companies_survive(text: str) -> None:
    assert for_clients(text) == text


def test_text_without_a_name_stays_as_it_is_written() -> None:
    text = "\uff37ide n\u00e4ive \u0430 \u200b and \u00df"

    assert for_clients(text) == text


def test_a_name_that_stands_in_the_customers_data_stays() -> None:
    said = "Gemini led, Claude Martin sold most; written by Claude Opus, OpenAI"

    assert HIDDEN.let_out(said, spared='["Gemini", "Claude Martin"]') == (
        "Gemini led, Claude Martin sold most; written by [engine], [engine]"
    )


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "localhost:4200",
        "127.0.0.1:5432",
        "10.1.2.3",
        "192.168.0.7",
        "172.20.0.1:80",
        "169.254.169.254",
        "[::1]:4200",
        "fd00::1",
        "worker-3.maos.internal",
        "printer.local",
        "db.example:5433",
    ],
)
def test_internal_hosts_are_not_named_to_clients(host: str) -> None:
    assert HIDDEN.for_clients(f"no answer from {host}, twice") == "no answer from [host], twice"


@pytest.mark.parametrize(
    "text",
    [
        "8.8.8.8",
        "alice@corp.local",
        "172.32.0.1",
        "report.html",
        "the local, internal view",
        "10.5 percent",
        "a@db.example.com",
    ],
)
def test_other_addresses_and_numbers_survive(text: str) -> None:
    assert HIDDEN.for_clients(text) == text


def test_text_for_clients_has_a_longest_length() -> None:
    assert len(for_clients("word " * 200)) == 500


@pytest.mark.parametrize("host", ["db.example:5432", "127.0.0.1", "pg.maos.internal"])
def test_the_host_behind_a_login_goes_with_it(host: str) -> None:
    assert HIDDEN.for_clients(f"postgresql://maos:hunter2@{host}/maos") == "postgresql://[secret]@[host]/maos"
