"""How numbers, dates and names are written in each language of a text."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from maos.content_brief import Language


@dataclass(frozen=True)
class Habits:
    """What tells figures, months and names in one language."""

    decimal: str
    groups: str
    months: tuple[str, ...]
    # Ways to join the parts of a date: `3 de marzo de 2024`.
    joints: str
    numbers: Mapping[str, int]
    scales: dict[str, int]
    # Words that open sentences and are no part of the name behind them.
    openers: frozenset[str]
    nouns_have_capitals: bool = False
    # Directly behind the digits only: `6 m` is a length.
    short_scales: dict[str, int] = field(default_factory=lambda: {"k": 3, "m": 6, "bn": 9})


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


def _months(text: str) -> tuple[str, ...]:
    return tuple(text.split())


def _numbers(text: str) -> dict[str, int]:
    # From two on: `one` is an article as often as a number.
    return {word: number for number, words in enumerate(text.split(), start=2) for word in words.split("/")}


def _inflected(stems: str) -> frozenset[str]:
    return frozenset(stem + ending for stem in stems.split() for ending in ("e", "er", "es", "en", "em"))


_SPACES = " \u00a0\u202f\u2009'\u2019"
_TITLES = frozenset({"mr", "mrs", "ms", "dr", "prof", "sir", "herr", "frau", "madame", "monsieur", "señor", "señora"})

HABITS: Mapping[Language, Habits] = {
    Language.ENGLISH: Habits(
        decimal=".",
        groups="," + _SPACES,
        months=_months(
            "january/jan february/feb march/mar april/apr may june/jun july/jul august/aug september/sep/sept"
            " october/oct november/nov december/dec"
        ),
        joints=r"(?:st|nd|rd|th)?(?:\s+of)?,?\s+",
        numbers=_numbers("two three four five six seven eight nine ten eleven twelve"),
        scales={
            "hundred": 2, "thousand": 3, "million": 6, "millions": 6, "mn": 6, "billion": 9, "bn": 9, "trillion": 12,
        },
        openers=_words(
            "the a an our your their its his her this that these those in on at by for from with to of and but or as if"
            " when while since until after before today yesterday tomorrow now says said it we they he she there here"
            " what who how why where which all both each every more most no not only also so then thus over under about"
        ),
    ),
    Language.GERMAN: Habits(
        decimal=",",
        groups="." + _SPACES,
        months=_months(
            "januar/jan februar/feb märz april/apr mai juni/jun juli/jul august/aug september/sep/sept oktober/okt"
            " november/nov dezember/dez"
        ),
        joints=r"\.?\s+",
        numbers=_numbers("zwei drei vier fünf sechs sieben acht neun zehn elf zwölf"),
        scales={
            "hundert": 2, "tausend": 3, "tsd": 3, "million": 6, "millionen": 6, "mio": 6, "milliarde": 9,
            "milliarden": 9, "mrd": 9, "billion": 12, "billionen": 12,
        },
        openers=_words(
            "der die das den dem des ein eine einen einem einer unser unsere ihr ihre sein seine dieser diese dieses in"
            " im am an auf bei mit von vom zu zum zur für und aber oder als wenn seit nach vor heute gestern morgen es"
            " wir sie er was wer wie wo alle beide jede jeder mehr auch so dann firma stadt familie insel marke land"
            " herr frau doktor professor unternehmen jahr monat ende anfang mitte laut euro dollar prozent mio mrd tsd"
            " millionen milliarden tonnen kilo meter uhr zwei drei vier fünf sechs sieben acht neun zehn elf zwölf"
        )
        | _inflected(
            "viel neu gut groß klein mehrer wenig weiter ander zahlreich erst zweit dritt letzt nächst eigen jung alt"
            " regional lokal frisch heutig künftig gemeinsam nachhaltig"
        ),
        nouns_have_capitals=True,
    ),
    Language.FRENCH: Habits(
        decimal=",",
        groups="." + _SPACES,
        months=_months(
            "janvier/janv février/févr mars avril mai juin juillet/juil août septembre/sept octobre/oct novembre/nov"
            " décembre/déc"
        ),
        joints=r"(?:er)?\s+",
        numbers=_numbers("deux trois quatre cinq six sept huit neuf dix onze douze"),
        scales={"cent": 2, "cents": 2, "mille": 3, "million": 6, "millions": 6, "milliard": 9, "milliards": 9},
        openers=_words(
            "le la les l un une des du de d en au aux à dans par pour avec sur sous et mais ou si quand depuis après"
            " avant aujourd'hui hier demain il elle ils elles nous vous ce cette ces son sa ses notre nos leur leurs"
            " selon chez tout toute tous toutes plus"
        ),
    ),
    Language.SPANISH: Habits(
        decimal=",",
        groups="." + _SPACES,
        months=_months(
            "enero/ene febrero/feb marzo/mar abril/abr mayo/may junio/jun julio/jul agosto/ago septiembre/sept"
            " octubre/oct noviembre/nov diciembre/dic"
        ),
        joints=r"\s+(?:del?\s+)?",
        numbers=_numbers("dos tres cuatro cinco seis siete ocho nueve diez once doce"),
        scales={"cien": 2, "mil": 3, "millón": 6, "millones": 6, "mil millones": 9, "billón": 12, "billones": 12},
        openers=_words(
            "el la los las un una unos unas de del en a al con por para sobre y pero o si cuando desde después antes"
            " hoy ayer mañana ella ellos nosotros este esta estos estas su sus nuestro nuestra según todo toda más"
        ),
    ),
    Language.ITALIAN: Habits(
        decimal=",",
        groups="." + _SPACES,
        months=_months(
            "gennaio/gen febbraio/feb marzo/mar aprile/apr maggio/mag giugno/giu luglio/lug agosto/ago settembre/set"
            " ottobre/ott novembre/nov dicembre/dic"
        ),
        joints=r"\s+",
        numbers=_numbers("due tre quattro cinque sei sette otto nove dieci undici dodici"),
        scales={"cento": 2, "mila": 3, "mille": 3, "milione": 6, "milioni": 6, "miliardo": 9, "miliardi": 9},
        openers=_words(
            "il lo la i gli le l un uno una di del della in nel nella a al alla con per su e ma o se quando da dal dopo"
            " prima oggi ieri domani lui lei loro noi questo questa questi suo sua nostro nostra secondo tutto più"
        ),
    ),
}  # fmt: skip


def is_title(word: str) -> bool:
    """Say whether a word stands before a person's name."""
    return word.casefold().rstrip(".") in _TITLES
