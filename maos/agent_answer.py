"""An agent's answer that has to be JSON: how it is asked for, how it is read, and what is wrong with it."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from maos.actions import JsonObject
from maos.coverage import coverage_faults
from maos.json_schemas import COVERS, closed, texts_of, value_faults

# Formats of texts, checked against what was read: the name of a document, and words that stand in it.
DOCUMENT, QUOTE = "document", "quote"
CITATIONS = frozenset({DOCUMENT, QUOTE})
_FENCED = re.compile(r"\A```(?:json)?\s*\n(.*)\n\s*```\Z", re.DOTALL)
_DOCUMENTS = "documents"
_FORM = """\
Your answer is one JSON object and nothing else, neither words around it nor a fence. It fits this JSON Schema:

{}"""
_CITING = """
A text of the format `document` is the name of one of your input `documents`, by the letter. A text of the format \
`quote` stands in that document word for word."""
_COVERING = """
A list whose items have a number with `x-covers` has each number that stands at that place of your inputs, exactly \
once."""


def form_of(schema: JsonObject) -> str:
    """Return how an agent is asked to answer in the form of a schema."""
    text = _FORM.format(json.dumps(closed(schema), ensure_ascii=False, indent=1))
    cites = '"format": "quote"' in text or '"format": "document"' in text
    return text + _CITING * cites + _COVERING * (f'"{COVERS}"' in text)


def answer_faults(schema: JsonObject, answer: str, inputs: Mapping[str, Any]) -> list[str]:
    """Return what keeps an answer from being the output that a schema asks for.

    Args:
        inputs: what the step reads; among it, where texts are cited, the `documents`.
    """
    try:
        value = value_of(answer)
    except ValueError as error:
        return [f"the answer is no JSON object: {error}"]
    if faults := value_faults(schema, value):
        return [f"{place or 'the object'}: {words} (it is {shown!r})" for place, shown, words in faults]
    return [*citation_faults(schema, value, documents_of(inputs)), *coverage_faults(schema, value, inputs)]


def documents_of(inputs: Mapping[str, Any]) -> Mapping[str, str]:
    """Return the documents among what a step reads."""
    found = inputs.get(_DOCUMENTS)
    return found if isinstance(found, dict) else {}


def value_of(answer: str) -> JsonObject:
    """Return the object that an answer is.

    Raises:
        ValueError: when it is none.
    """
    fenced = _FENCED.match(answer.strip())
    try:
        value = json.loads(fenced[1] if fenced else answer, parse_constant=_refused)
    except RecursionError:
        raise ValueError("it is nested too deep") from None
    if not isinstance(value, dict):
        raise ValueError("it is something else")
    return value


def citation_faults(schema: JsonObject, value: JsonObject, documents: Mapping[str, str]) -> list[str]:
    """Return which documents that a value names there are not, and which of its quotes stand nowhere."""
    return list(_unknown(schema, value, documents)) + list(_invented(schema, value, documents))


def _unknown(schema: JsonObject, value: JsonObject, documents: Mapping[str, str]) -> Iterator[str]:
    for place, name, _ in texts_of(schema, value, DOCUMENT):
        if name not in documents:
            yield f"{place}: there is no document {name!r}; there are: {', '.join(sorted(documents)) or 'none'}"


def _invented(schema: JsonObject, value: JsonObject, documents: Mapping[str, str]) -> Iterator[str]:
    plain = {name: _words_of(text) for name, text in documents.items()}
    for place, quote, around in texts_of(schema, value, QUOTE):
        words = _words_of(quote)
        named = [text for text in around.values() if isinstance(text, str) and text in plain]
        places = named or list(plain)
        if not words or not any(words in plain[name] for name in places):
            where = f"in {', '.join(named)}" if named else "in any document"
            yield f"{place}: {quote[:200]!r} does not stand {where} word for word"


def _words_of(text: str) -> str:
    """Return a text as it is compared: where its lines are broken says nothing."""
    return " ".join(text.split())


def _refused(word: str) -> float:
    raise ValueError(f"{word} is no number of JSON")
