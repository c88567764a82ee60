"""Takes a text apart into its sentences, which are what is traced."""

import re

_END = re.compile(
    r"(?<=[.!?\u2026])[\"'\u201d\u2019\u00bb)]*\s+(?=[\"'\u201c\u201e\u2018\u00ab(\u00bf\u00a1]*[^\W_a-z])"
)
# A full stop behind these ends no sentence.
_ABBREVIATED = re.compile(
    r"(?:\b(?:mr|mrs|ms|dr|prof|st|no|nr|vs|etc|approx|ca|bzw|ggf|inkl|evtl|usw|vgl|abs|art|sra?|dott|ing|mio|mrd|tsd"
    r"|jan|feb|mar|apr|jun|jul|aug|sept?|oct|okt|nov|de[cz])|\b[^\W\d_]|\b[0-9]{1,2})\.$",
    re.IGNORECASE,
)


def sentences_of(text: str) -> list[str]:
    """Return the sentences of a text, each on one line."""
    found: list[str] = []
    begun = ""
    for part in _END.split(" ".join(text.split())):
        begun = f"{begun} {part}".strip()
        if not _ABBREVIATED.search(part):
            found.append(begun)
            begun = ""
    return [each for each in (*found, begun) if each]
