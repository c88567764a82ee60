"""What names a vendor, a model or a product of theirs: one pattern, from the price data and a short list of ours."""

import re
from collections.abc import Iterable
from functools import lru_cache
from itertools import groupby

# Products, companies and our own engine types; the price data knows models, not what they are called in a sentence.
_PRODUCTS = (
    "anthropic",
    "chatgpt",
    "claude",
    "claudebot",
    "claudecode",
    "gemini",
    "gemma",
    "google ai",
    "google genai",
    "google-genai",
    "haiku",
    "hugging face",
    "mistral ai",
    "nano banana",
    "nano-banana",
    "openai",
    "opus",
    "sonnet",
    "vertex ai",
    "vertexai",
    "x ai",
)
# Of the price data, what is also an ordinary word, or a company that a report may be about: it counts only as part of
# the id of a model that has a digit in it.
_ALSO_OTHER_THINGS = re.compile(
    r"ada|aion|air|alia|alpaca|amazon|anubis|avian|azure|babbage|beam|bielik|caller|chronos|clef|"
    r"cloudflare|coder|cogito|cohere|command|composer|computer|crouton|curie|cursor|databricks|davinci|"
    r"dobby|dolphin|dots|doubleword|eleven|embed|ember|ernie|eva|extract|fireworks|flint|fugu|"
    r"glimpse|global|goliath|google|granite|hermes|inflection|inkling|intellect|jamba|kimi|laguna|"
    r"ling|lyria|macaron|maestro|magnum|mercury|meta|microsoft-azure|midnight|ming|modal|moderation|"
    r"moonlight|moonshot|morph|muse|nebius|north|nous|nova|novita|nvidia|orpheus|ovhcloud|palm|"
    r"pareto|particle|perceptron|perplexity|platypus|regional|relace|remm|ring|ripple|rocinante|rogue|"
    r"router|sakana|schematron|seed|skyfall|snorkel|solar|sonar|spotlight|step|summarize|ternary|text|"
    r"together|trinity|trio|typesafe|ultramarine|valkyrie|vicuna|virtuoso|voyage|wayfarer|weaver|"
    r"whisper|writer|xing|zephyr"
)
_SHORTEST_FAMILY = 4
_SHORT_FAMILIES = frozenset({"glm", "gpt", "qwq"})
# The vendor of the image engine, unless it stands for a thing of its that people buy or advertise with.
_GOOGLE = (
    r"google(?!['\u2019]?s?[ _-]?(?:ads|adwords|analytics|calendar|chrome|docs|drive|forms|maps|merchant|pay|play|"
    r"reviews|search|sheets|shopping|trends|workspace|tag|my business|business))"
)
# `claude-opus-5-5`, `gpt4o`, `claude_cli`, `gemini 3.1 flash image`; not `claudette`. A number that stands alone behind
# the name stays: it could be a figure.
_TIER = r"(?:flash|image|lite|live|mini|nano|preview|pro|turbo|ultra|opus|sonnet|haiku)"
_VERSION = rf"(?:[-_.:@/]?\d\w*|[-_./:@]\w+)*(?:[ ]\d(?:\.\d)?(?:[ ]{_TIER})+|[ ]flash)?"
_END = r"(?![^\W\d_])"


@lru_cache(maxsize=1)
def vendor_terms() -> re.Pattern[str]:
    """Return the pattern of everything that gives a vendor away; it is for text in lower case, see `maos.folding`."""
    names, models = _of_the_price_data()
    named = "|".join(_tree(map(_loose, {*_PRODUCTS, *names})))
    numbered = "|".join(_tree(map(_loose, models)))
    return re.compile(rf"(?<![^\W_])(?:(?:{named}|{_GOOGLE}){_VERSION}{_END}|(?:{numbered})(?![^\W_]))")


def _of_the_price_data() -> tuple[set[str], set[str]]:
    """Return the names that stand for themselves, and the ids of models whose first word is an ordinary one."""
    from genai_prices.data import providers

    names, models = set(), set()
    for provider in providers:
        names |= {provider.id.lower(), re.sub(r" *\(.*\)", "", provider.name).lower()}
        for model in provider.models:
            full = model.id.lower().rpartition("/")[2].lstrip("~")
            family = re.match(r"[a-z]*", full)
            word = family.group() if family else ""
            if len(word) >= _SHORTEST_FAMILY or word in _SHORT_FAMILIES:
                names.add(word)
            if (_ALSO_OTHER_THINGS.fullmatch(word) or word not in names) and _is_telling(full):
                models.add(full)
    return {
        name for name in names if not _ALSO_OTHER_THINGS.fullmatch(name.replace(" ", "-")) and _is_name(name)
    }, models


def _is_name(name: str) -> bool:
    # `x-ai` and `z.ai` are names, `aws` and `modal` are what a report may be about.
    return len(name) >= _SHORTEST_FAMILY or name in _SHORT_FAMILIES


def _is_telling(model: str) -> bool:
    # An ordinary word with a number, such as `voyage-2`, is no model to whoever reads it.
    return re.search(r"\d", model) is not None and re.fullmatch(r"[a-z]*[-_.]?[\d.]*", model) is None


def _loose(term: str) -> str:
    """Return a term as a pattern in which a space, a dash, an underscore or nothing may part its words."""
    return r"[-_ ]?".join(re.escape(part) for part in re.split(r"[-_ ]+", term))


def _tree(patterns: Iterable[str]) -> list[str]:
    """Group alternatives by their first letter: a text is then compared with a few of them, not with hundreds."""
    ordered = sorted(set(patterns), key=lambda pattern: (pattern[:1], -len(pattern), pattern))
    groups = groupby(ordered, key=lambda pattern: pattern[:1])
    return [f"(?={re.escape(first)})(?:{'|'.join(group)})" for first, group in groups]
